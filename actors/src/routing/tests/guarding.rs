use std::time::Duration;

use super::*;

fn rule(cache: Value) -> Option<CacheRule> {
    plan(json!({"cache": cache})).cache
}

#[test]
fn the_cache_is_read_in_every_spelling() {
    let simple = rule(json!("simple")).unwrap();
    assert_eq!(
        (simple.mode, simple.max_age, simple.threshold),
        (CacheMode::Simple, Duration::from_secs(604_800), None)
    );
    let semantic = rule(json!({"mode": "semantic", "ttl": 3600, "threshold": 0.95, "namespace": "n", "write": false}));
    let semantic = semantic.unwrap();
    assert_eq!((semantic.mode, semantic.max_age), (CacheMode::Semantic, Duration::from_secs(3600)));
    assert_eq!((semantic.threshold, semantic.namespace.as_deref()), (Some(0.95), Some("n")));
    assert_eq!((semantic.read, semantic.write), (true, false));
    let both = rule(json!({"mode": "simple", "ttl": 100, "maxAge": 200})).unwrap();
    assert_eq!(both.max_age, Duration::from_secs(200), "max_age wins");
    let short = parse_value(&json!({"cache": {"mode": "simple", "ttl": 59}})).unwrap();
    assert!(short.warnings[0].contains("cache.ttl") && short.plan.cache.is_some());
    for wrong in [
        json!({"mode": "x"}),
        json!({}),
        json!(1),
        json!({"mode": "simple", "ttl": 0}),
        json!({"mode": "simple", "max_age": 7_776_001}),
        json!({"mode": "simple", "threshold": 0.5}),
    ] {
        assert!(parse_value(&json!({"cache": wrong})).is_err(), "{wrong}");
    }
}

#[test]
fn what_asks_for_nothing_is_not_unsupported() {
    for config in [
        json!({"cache": {"mode": "disabled"}}),
        json!({"cache": false}),
        json!({"cache": null}),
        json!({"cache": {"mode": "simple", "read": false, "write": false}}),
        json!({"input_guardrails": [], "after_request_hooks": [], "guardrails": {"input": [], "output": []}}),
        json!({"before_request_hooks": [{"type": "guardrail", "checks": [{"id": "default.contains", "is_enabled": false}]}]}),
    ] {
        let plan = plan(config.clone());
        assert_eq!(
            (plan.unsupported_features(), plan.cache, plan.input_guardrails),
            (vec![], None, vec![]),
            "{config}"
        );
    }
}

#[test]
fn what_is_not_there_yet_is_told_with_its_path() {
    let plan = plan(json!({"strategy": {"mode": "fallback"}, "cache": "semantic",
        "targets": [{"provider": "a"},
            {"provider": "b", "output_guardrails": ["grd-1"], "inputMutators": [{"acme.addPrefix": {"prefix": "x"}}]}]}));
    assert_eq!(
        plan.unsupported_features(),
        ["config.targets[1].input_mutators", "config.targets[1].output_guardrails"]
    );
    let chain = chain_for(&plan, json!({}), "{}", || 0.0).unwrap();
    let (first, second) = (&chain.steps[0].target, &chain.steps[1].target);
    assert!(first.cache.is_some() && first.cache == second.cache, "a cache is inherited");
    assert_eq!((first.output_guardrails.len(), second.output_guardrails[0].id.as_deref()), (0, Some("grd-1")));
    assert!(second.input_guardrails[0].mutates);
}

/// The short form, Portkey's shorthand and its hooks come to the same.
#[test]
fn guardrails_are_unified() {
    let first = |config: Value| plan(config).input_guardrails.remove(0);
    let short = |item: Value| first(json!({"guardrails": {"input": [item]}}));
    let redact = short(json!({"type": "pii_detection", "action": "redact"}));
    assert_eq!((redact.checks[0].id.as_str(), &redact.checks[0].parameters["redact"]), ("portkey.pii", &json!(true)));
    assert!(!redact.deny && !redact.in_background);
    let safety = short(json!({"type": "content_safety", "threshold": 0.8}));
    assert_eq!((safety.checks[0].id.as_str(), safety.deny), ("portkey.moderateContent", true));
    assert_eq!(safety.checks[0].parameters["threshold"], 0.8);
    assert!(!short(json!({"type": "pii_detection", "action": "flag"})).deny);

    let shorthand = first(json!({"input_guardrails": [
        {"contains": {"operator": "none", "words": ["Apple"]}, "deny": true, "on_fail": {"feedback": {"value": -5}}}]}));
    let hook = first(json!({"beforeRequestHooks": [{"type": "guardrail", "deny": true,
        "onFail": {"feedback": {"value": -5}},
        "checks": [{"id": "default.contains", "parameters": {"operator": "none", "words": ["Apple"]}}]}]}));
    assert_eq!(shorthand, hook);
    assert!(hook.deny && hook.denies(), "whoever says what a failure does waits for the verdict");
    let quiet = first(json!({"input_guardrails": [{"contains": {"operator": "none", "words": ["Apple"]}}]}));
    assert!(!quiet.deny && quiet.in_background, "async is Portkey's default");
    let both = first(json!({"input_guardrails": [{"portkey.pii": {}, "deny": true, "async": true}]}));
    assert!(both.deny && !both.denies(), "what runs beside the request denies nothing");

    let both = plan(json!({"input_guardrails": ["a"], "before_request_hooks": [{"id": "b", "checks": []}]}));
    let ids: Vec<_> = both.input_guardrails.iter().map(|guardrail| guardrail.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
    let targets = json!({"strategy": "single", "input_guardrails": ["a"],
        "targets": [{"provider": "p", "input_guardrails": ["own"]}]});
    assert_eq!(chain(targets).steps[0].target.input_guardrails.len(), 1, "a target's own list replaces the inherited");
}

#[test]
fn guardrails_that_are_wrong_are_refused_with_their_path() {
    let path = |config: Value| parse_value(&config).unwrap_err().remove(0).path;
    assert_eq!(path(json!({"guardrails": {"input": [{"type": "magic"}]}})), "guardrails.input[0].type");
    assert_eq!(path(json!({"guardrails": {"output": [{}]}})), "guardrails.output[0].type");
    let redact = json!({"type": "content_safety", "action": "redact"});
    assert_eq!(path(json!({"guardrails": {"input": [redact]}})), "guardrails.input[0].action");
    assert_eq!(path(json!({"before_request_hooks": ["id"]})), "before_request_hooks[0]");
    assert_eq!(path(json!({"before_request_hooks": [{"checks": [{}]}]})), "before_request_hooks[0].checks[0].id");
    assert_eq!(path(json!({"input_guardrails": [{"deny": true}]})), "input_guardrails[0].checks");
    assert_eq!(path(json!({"input_guardrails": [{"a": {}, "deny": "yes"}]})), "input_guardrails[0].deny");
    assert_eq!(path(json!({"output_guardrails": [{"a": 1}]})), "output_guardrails[0].a");
    assert_eq!(path(json!({"output_guardrails": {}})), "output_guardrails");
    let input = |item: Value| path(json!({"guardrails": {"input": [item]}}));
    for (item, wrong) in [
        (json!({"type": "pii_detection", "action": "hide"}), "action"),
        (json!({"type": "pii_detection", "categories": []}), "categories"),
        (json!({"type": "pii_detection", "categories": ["NAME", "SHOE_SIZE"]}), "categories[1]"),
        (json!({"type": "pii_detection", "parameters": {"redact": "yes"}}), "parameters.redact"),
        (json!({"type": "content_safety", "threshold": 1.5}), "threshold"),
        (json!({"type": "content_safety", "threshold": -0.1}), "threshold"),
        (json!({"type": "content_safety", "threshold": "0.8"}), "threshold"),
        // What a TOML file calls `nan`.
        (json!({"type": "content_safety", "threshold": null}), "threshold"),
        (json!({"type": "content_safety", "thresholds": {"hate": 2}}), "thresholds.hate"),
        (json!({"type": "content_safety", "thresholds": {"rudeness": 0.5}}), "thresholds.rudeness"),
        (json!({"type": "content_safety", "categories": ["rudeness"]}), "categories[0]"),
        (json!({"type": "content_safety", "categories": []}), "categories"),
        (json!({"type": "content_safety", "engine": "moderations+local"}), "engine"),
        (json!({"type": "prompt_injection", "engine": 1}), "engine"),
        (json!({"type": "content_safety", "action": "tokenize"}), "action"),
        (json!({"type": "prompt_injection", "threshold": 7}), "threshold"),
    ] {
        assert_eq!(input(item.clone()), format!("guardrails.input[0].{wrong}"), "{item}");
    }
    let tokens = json!({"guardrails": {"output": [{"type": "pii_detection", "action": "tokenize"}]}});
    assert_eq!(path(tokens), "guardrails.output[0].action", "there is nothing to put back");
    let hook =
        json!({"before_request_hooks": [{"checks": [{"id": "portkey.pii", "parameters": {"categories": ["x"]}}]}]});
    assert_eq!(path(hook), "before_request_hooks[0].checks[0].parameters.categories[0]");
    let shorthand = json!({"input_guardrails": [{"portkey.moderateContent": {"threshold": 3}}]});
    assert_eq!(path(shorthand), "input_guardrails[0].portkey.moderateContent.threshold");
}

/// A name that is misspelt in the floor is an error: whoever wrote it would believe that it holds.
#[test]
fn d8_a_misspelt_floor_is_refused() {
    for (floor, wrong) in [
        (json!({"type": "content_safety", "limit": 0.3}), "input[0].limit"),
        (json!({"type": "pii_detection", "does": "redact"}), "input[0].does"),
        (json!({"type": "pii_detection", "enabled": false}), "input[0].enabled"),
        (json!({"portkey.pii": {"hide": true}, "deny": false}), "input[0].portkey.pii.hide"),
        (
            json!({"checks": [{"id": "portkey.pii", "parameters": {"kinds": []}}], "deny": true}),
            "input[0].checks[0].parameters.kinds",
        ),
    ] {
        let errors = crate::routing::read_floor(&[floor], &[]).unwrap_err();
        assert_eq!(errors[0].path, wrong, "{}", errors[0].message);
    }
    let warned =
        parse_value(&json!({"guardrails": {"input": [{"portkey.pii": {"hide": true}, "deny": true}]}})).unwrap();
    assert!(warned.warnings.iter().any(|warning| warning.contains("hide")), "{:?}", warned.warnings);
}
