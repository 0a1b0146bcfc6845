use super::*;

/// A small deterministic generator (SplitMix64).
fn generator(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn share_of_first(config: Value, runs: u32) -> f64 {
    let plan = plan(config);
    let mut random = generator(7);
    let first = (0..runs).filter(|_| {
        let chain = chain_for(&plan, json!({}), "{}", &mut random).unwrap();
        chain.steps[0].target.provider.as_deref() == Some("a")
    });
    first.count() as f64 / f64::from(runs)
}

#[test]
fn weights_hold_within_two_percent() {
    let weights = |a: f64, b: f64| {
        json!({"strategy": "loadbalance",
            "weights": [{"provider": "a", "weight": a}, {"provider": "b", "weight": b}]})
    };
    for (a, b, share) in [(0.7, 0.3, 0.7), (7.0, 3.0, 0.7), (0.0, 1.0, 0.0), (0.0, 0.0, 0.5)] {
        let found = share_of_first(weights(a, b), 20_000);
        assert!((found - share).abs() < 0.02, "{a}:{b} gave {found}");
    }
}

#[test]
fn open_targets_are_passed_over_unless_all_are() {
    let plan = plan(json!({"strategy": "loadbalance", "targets": [{"provider": "a"}, {"provider": "b"}]}));
    let params = JsonObject::parse(Bytes::from_static(b"{}")).unwrap();
    let metadata = Map::new();
    let context = Context { metadata: &metadata, params: &params, header: &|_| None, pathname: "/", now: UNIX_EPOCH };
    let chosen = |open: &[&str]| {
        let is_open = |target: &Target| open.contains(&target.provider.as_deref().unwrap());
        let chain = plan.chain(&context, &mut || 0.1, &is_open).unwrap();
        chain.steps[0].target.provider.clone().unwrap()
    };
    assert_eq!((chosen(&[]), chosen(&["a"]), chosen(&["a", "b"])), ("a".into(), "b".into(), "a".into()));
}

#[test]
fn conditions_choose_by_metadata_body_and_path() {
    let config = |query: Value| {
        json!({"strategy": {"mode": "conditional", "conditions": [{"query": query, "then": "yes"}], "default": "no"},
            "targets": [{"name": "yes", "provider": "a"}, {"name": "no", "provider": "b"}]})
    };
    let metadata = json!({"tier": "paid", "age": "30", "a.b": "deep"});
    let body = r#"{"model":"gpt-4o","temperature":0.5}"#;
    let cases = [
        (json!({"metadata.tier": "paid"}), true),
        (json!({"metadata.tier": {"$eq": "free"}}), false),
        (json!({"metadata.tier": {"$ne": "free"}}), true),
        (json!({"metadata.age": {"$gt": 18, "$lte": 30}}), true),
        (json!({"metadata.age": {"$gt": 18, "$lt": 30}}), false),
        (json!({"metadata.age": 30}), true),
        (json!({"metadata.tier": {"$in": ["paid", "trial"]}}), true),
        (json!({"metadata.tier": {"$nin": ["paid"]}}), false),
        (json!({"metadata.absent": {"$nin": ["paid"]}}), true),
        (json!({"params.model": {"$regex": "^gpt-4"}}), true),
        (json!({"params.model": {"$regex": "^gpt-4", "$ne": "gpt-4o"}}), false),
        (json!({"params.temperature": {"$gte": 0.5}}), true),
        (json!({"url.pathname": "/v1/chat/completions"}), true),
        (json!({"metadata.a.b": "deep"}), true),
        (json!({"$or": [{"metadata.tier": "free"}, {"metadata.age": "30"}]}), true),
        (json!({"$or": [{"metadata.age": "30"}], "metadata.tier": "free"}), false),
        (json!({"$and": [{"metadata.tier": "paid"}, {"params.model": "gpt-4"}]}), false),
    ];
    for (query, expected) in cases {
        let chain = chain_for(&plan(config(query.clone())), metadata.clone(), body, || 0.0).unwrap();
        assert_eq!(chain.steps[0].target.provider.as_deref() == Some("a"), expected, "{query}");
    }
    let strict = json!({"strategy": {"mode": "conditional", "conditions": [{"query": {"metadata.x": "y"}, "then": "yes"}]},
        "targets": [{"name": "yes", "provider": "a"}]});
    let error = chain_for(&plan(strict), json!({}), "{}", || 0.0).unwrap_err();
    assert_eq!(error.to_string(), "Query router did not resolve to any valid target");
}

#[test]
fn unknown_operators_and_paths_are_refused() {
    for query in [json!({"metadata.a": {"$near": 1}}), json!({"body.x": 1}), json!({"params.m": {"$regex": "("}})] {
        let config = json!({"strategy": {"mode": "conditional", "conditions": [{"query": query, "then": "a"}]},
            "targets": [{"name": "a"}]});
        assert!(parse_value(&config).is_err(), "{config}");
    }
}

/// I7: a conversation stays at its target, and conversations spread by weight.
#[test]
fn i7_sticky_requests_stay_together() {
    let plan =
        plan(json!({"strategy": {"mode": "loadbalance", "sticky": {"hash_fields": ["metadata.user"], "ttl": 60}},
        "targets": [{"provider": "a", "weight": 3}, {"provider": "b", "weight": 1}]}));
    let provider = |user: u32, random: f64| {
        let chain = chain_for(&plan, json!({"user": user.to_string()}), "{}", || random).unwrap();
        chain.steps[0].target.provider.clone().unwrap()
    };
    let mut first = 0;
    for user in 0..4_000 {
        assert_eq!(provider(user, 0.0), provider(user, 0.99));
        first += u32::from(provider(user, 0.5) == "a");
    }
    assert!((f64::from(first) / 4_000.0 - 0.75).abs() < 0.02, "{first} of 4000");
}
