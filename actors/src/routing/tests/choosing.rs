use std::time::Duration;

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
    let context =
        PlanContext { metadata: &metadata, params: &params, header: &|_| None, pathname: "/", now: UNIX_EPOCH };
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
    let body = r#"{"model":"gpt-4o","temperature":0.5,"n":1.0,"stop":[ "x" ],"flag":true}"#;
    let cases = [
        (json!({"metadata.tier": "paid"}), true),
        (json!({"metadata.tier": {"$eq": "free"}}), false),
        (json!({"metadata.tier": {"$ne": "free"}}), true),
        (json!({"metadata.age": {"$gt": 18, "$lte": 30}}), true),
        (json!({"metadata.age": {"$gt": 18, "$lt": 30}}), false),
        (json!({"metadata.age": 30}), true),
        (json!({"metadata.age": {"$in": [29.0, 30.0]}}), true),
        (json!({"metadata.absent": null}), true),
        (json!({"metadata.absent": {"$lt": 1}}), false),
        (json!({"params.n": 1}), true),
        (json!({"params.stop": ["x"]}), true),
        (json!({"params.flag": true}), true),
        (json!({}), true),
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

/// A config's own metadata stands in for what the request's lacks.
#[test]
fn a_configs_metadata_counts_for_conditions() {
    let plan = plan(json!({"metadata": {"tier": "free", "team": "x"},
        "strategy": {"mode": "conditional", "default": "b", "conditions": [
            {"query": {"metadata.tier": "paid", "metadata.team": "x"}, "then": "a"}]},
        "targets": [{"name": "a", "provider": "a"}, {"name": "b", "provider": "b"}]}));
    let provider =
        |metadata: Value| chain_for(&plan, metadata, "{}", || 0.0).unwrap().steps[0].target.provider.clone().unwrap();
    assert_eq!((provider(json!({})), provider(json!({"tier": "paid"}))), ("b".to_owned(), "a".to_owned()));
}

const STICKY: &str = r#"{"strategy": {"mode": "loadbalance",
    "sticky": {"hash_fields": ["metadata.user", "headers.x-session", "params.user"], "ttl": 60}},
    "targets": [{"provider": "a", "weight": 3}, {"provider": "b", "weight": 1}, {"provider": "c", "weight": 0}]}"#;

/// Where a user's request goes, some seconds after 1970, when some providers are open.
fn sticky(user: u32, seconds: u64, open: &[&str], random: f64) -> String {
    thread_local! {
        static PLAN: Plan = plan(serde_json::from_str(STICKY).unwrap());
    }
    let metadata: Map<String, Value> = Map::from_iter([("user".to_owned(), json!(user.to_string()))]);
    let params = JsonObject::parse(Bytes::from_static(b"{}")).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(seconds);
    let context = PlanContext { metadata: &metadata, params: &params, header: &|_| None, pathname: "/", now };
    let is_open = |target: &Target| open.contains(&target.provider.as_deref().unwrap());
    PLAN.with(|plan| plan.chain(&context, &mut || random, &is_open).unwrap().steps[0].target.provider.clone().unwrap())
}

/// I7: a conversation stays at its target whatever chance says, and conversations spread by weight.
#[test]
fn i7_sticky_requests_stay_together() {
    let mut first = 0;
    for user in 0..4_000 {
        let provider = sticky(user, 0, &[], 0.0);
        assert_eq!(provider, sticky(user, 0, &[], 0.99));
        assert_ne!(provider, "c", "0 is never");
        first += u32::from(provider == "a");
    }
    assert!((f64::from(first) / 4_000.0 - 0.75).abs() < 0.02, "{first} of 4000");
}

/// I7: an open target hands its conversations on, the others keep theirs, and all come back.
#[test]
fn i7_sticky_requests_fail_over() {
    for user in 0..200 {
        let usual = sticky(user, 0, &[], 0.5);
        assert_eq!(sticky(user, 0, &["a"], 0.5), "b");
        assert_eq!(sticky(user, 0, &["b"], 0.5), "a");
        assert_eq!(sticky(user, 0, &["a", "b"], 0.5), usual, "where all are open, all are used");
    }
}

/// I7: nothing is pinned for ever: each conversation is drawn anew once in a `ttl`, at a moment of its own.
#[test]
fn i7_sticky_requests_move_on_after_their_ttl() {
    let moves = |user: u32| (1..600).filter(|&s| sticky(user, s, &[], 0.5) != sticky(user, s - 1, &[], 0.5)).count();
    let moves: Vec<usize> = (0..40).map(moves).collect();
    assert!(moves.iter().all(|&count| count <= 10), "at most once a minute: {moves:?}");
    assert!(moves.iter().filter(|&&count| count > 0).count() > 30, "most move in ten minutes: {moves:?}");
}

/// A request without any of the fields is balanced as if nothing was sticky; one field is enough.
#[test]
fn sticky_fields_come_from_metadata_headers_and_body() {
    let plan = plan(serde_json::from_str(STICKY).unwrap());
    let provider = |body: &'static str, session: Option<&str>, random: f64| {
        let (metadata, params) = (Map::new(), JsonObject::parse(Bytes::from_static(body.as_bytes())).unwrap());
        let header = |name: &str| session.filter(|_| name == "x-session").map(str::to_owned);
        let context =
            PlanContext { metadata: &metadata, params: &params, header: &header, pathname: "/", now: UNIX_EPOCH };
        plan.chain(&context, &mut || random, &|_| false).unwrap().steps[0].target.provider.clone().unwrap()
    };
    let is_pinned = |body, session| provider(body, session, 0.0) == provider(body, session, 0.99);
    assert!(!is_pinned("{}", None) && !is_pinned(r#"{"user":null}"#, None));
    assert!(is_pinned(r#"{"user":"u"}"#, None) && is_pinned("{}", Some("s")));
    let over_sessions: Vec<String> = (0..40).map(|n| provider("{}", Some(&n.to_string()), 0.5)).collect();
    assert!(over_sessions.contains(&"a".to_owned()) && over_sessions.contains(&"b".to_owned()));
}

/// The choice below a fallback is made with the rest of the chain.
#[test]
fn nested_strategies_become_one_chain() {
    let config = json!({"strategy": "fallback", "targets": [
        {"strategy": "loadbalance", "weights": [{"provider": "a"}, {"provider": "b"}]},
        {"strategy": "fallback", "targets": [{"provider": "c"},
            {"strategy": {"mode": "conditional", "conditions": [], "default": "d"},
             "targets": [{"name": "x", "provider": "x"}, {"name": "d", "provider": "d"}]}]}]});
    let chain = chain_for(&plan(config), json!({}), "{}", || 0.9).unwrap();
    assert_eq!(
        paths(&chain),
        ["config.targets[0].targets[1]", "config.targets[1].targets[0]", "config.targets[1].targets[1].targets[1]"]
    );
}

/// A `$regex` looks at no more than the first 8 KiB of a text, so that none holds its thread for long.
#[test]
fn a_regular_expression_looks_at_the_beginning_of_a_text() {
    let plan = plan(json!({"strategy": {"mode": "conditional", "default": "no",
            "conditions": [{"query": {"params.user": {"$regex": "needle"}}, "then": "yes"}]},
        "targets": [{"name": "yes", "provider": "a"}, {"name": "no", "provider": "b"}]}));
    for (before, provider) in [(8 * 1024 - 6, "a"), (8 * 1024 - 5, "b"), (100_000, "b")] {
        let body = json!({ "user": format!("{}needle", "x".repeat(before)) }).to_string();
        let chain = chain_for(&plan, json!({}), &body, &mut || 0.0).unwrap();
        assert_eq!(chain.steps[0].target.provider.as_deref(), Some(provider), "{before}");
    }
}
