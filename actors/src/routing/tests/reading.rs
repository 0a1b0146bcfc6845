use std::time::Duration;

use super::*;

fn errors(config: Value) -> Vec<String> {
    let errors = parse_value(&config).expect_err("the config is wrong");
    errors.iter().map(|error| error.path.clone()).collect()
}

fn warnings(config: Value) -> Vec<String> {
    parse_value(&config).unwrap().warnings
}

#[test]
fn the_short_form_of_fallback_is_read() {
    let config = json!({"strategy": "fallback", "targets": [
        {"provider": "openai", "model": "gpt-4o-mini", "on_errors": ["timeout", "rate_limit"]},
        {"provider": "anthropic", "model": "claude-3-sonnet", "on_errors": ["timeout"]},
        {"provider": "ollama", "model": "llama3:8b", "on_errors": ["*"]}],
        "retry": {"attempts": 3, "on_status_codes": [429, 500, 502, 503], "exponential_backoff": true},
        "cache": {"mode": "semantic", "ttl": 3600}});
    let plan = plan(config);
    assert!(plan.unsupported_features().is_empty());
    let chain = chain_for(&plan, json!({}), "{}", || 0.0).unwrap();
    assert_eq!(paths(&chain), ["config.targets[0]", "config.targets[1]", "config.targets[2]"]);
    let second = &chain.steps[1].target;
    assert_eq!((second.provider.as_deref(), second.model()), (Some("anthropic"), Some("claude-3-sonnet")));
    let codes = second.retry.on_status_codes.as_deref();
    assert_eq!((second.retry.attempts, codes), (3, Some(&[429, 500, 502, 503][..])));
}

#[test]
fn every_other_example_of_the_quick_reference_is_read() {
    let configs = [
        json!({"strategy": "loadbalance", "weights": [
            {"provider": "openai", "model": "gpt-4o-mini", "weight": 0.9},
            {"provider": "anthropic", "model": "claude-3-5-sonnet-20241022", "weight": 0.1}]}),
        json!({"strategy": "single", "provider": "openai", "model": "gpt-4o-mini",
            "cache": {"mode": "semantic", "ttl": 86400}}),
        json!({"guardrails": {"input": [{"type": "pii_detection", "action": "redact"}],
            "output": [{"type": "pii_detection", "action": "deny"}, {"type": "content_safety", "threshold": 0.8}]}}),
        json!({"strategy": "fallback", "targets": [{"provider": "openai", "model": "gpt-4o-mini",
            "on_errors": ["timeout", "rate_limit", "429"]}]}),
    ];
    let unsupported: Vec<Vec<String>> = configs.into_iter().map(|config| plan(config).unsupported_features()).collect();
    assert!(unsupported.iter().all(Vec::is_empty), "{unsupported:?}");
}

#[test]
fn portkeys_form_and_camel_case_are_read() {
    let config = json!({
        "strategy": {"mode": "fallback", "onStatusCodes": ["429", 503]},
        "requestTimeout": 5000,
        "overrideParams": {"temperature": 0.1, "topK": 1},
        "targets": [
            {"provider": "@openai", "overrideParams": {"model": "gpt-4o", "temperature": 0.9},
             "retry": {"attempts": 2, "use_retry_after_headers": false}},
            {"override_params": {"model": "@anthropic/claude-3-sonnet"}}]});
    let chain = chain(config);
    let (first, second) = (&chain.steps[0].target, &chain.steps[1].target);
    assert_eq!(chain.steps[0].exits[0].rule, ErrorRule::Statuses(vec![429, 503]));
    assert_eq!(first.override_params["temperature"], 0.9);
    assert_eq!((&first.override_params["topK"], &second.override_params["temperature"]), (&json!(1), &json!(0.1)));
    assert_eq!((first.retry.attempts, first.retry.use_retry_after, second.retry.attempts), (2, false, 0));
    assert_eq!(second.request_timeout, Some(Duration::from_secs(5)));
    assert_eq!((second.provider.as_deref(), second.model()), (Some("anthropic"), Some("claude-3-sonnet")));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_path() {
    let found = errors(json!({
        "strategy": {"mode": "falback"},
        "request_timeout": -1,
        "retry": {"on_status_codes": [1]},
        "override_params": {"stream": true},
        "forward_headers": ["X-Portkey-Forward-Headers"],
        "cache": {"mode": "quick"},
        "options": []
    }));
    for path in [
        "strategy.mode",
        "request_timeout",
        "retry.attempts",
        "retry.on_status_codes",
        "override_params.stream",
        "forward_headers",
        "cache.mode",
        "options",
    ] {
        assert!(found.iter().any(|error| error == path), "{path} is not in {found:?}");
    }
    let nested = errors(json!({"strategy": "loadbalance", "targets": [
        {"provider": "a", "weight": -1}, {"provider": "b", "on_errors": ["tiemout"]}, 7]}));
    assert_eq!(nested, ["targets[0].weight", "targets[1].on_errors", "targets[2]"]);
}

#[test]
fn shapes_that_contradict_themselves_are_refused() {
    let target = json!({"provider": "a"});
    let cases = [
        (json!({"strategy": "loadbalance", "targets": [target], "weights": [target]}), "weights"),
        (json!({"strategy": "fallback", "weights": [target]}), "weights"),
        (json!({"strategy": "single", "weights": [target]}), "weights"),
        (json!({"strategy": "fallback"}), "targets"),
        (json!({"provider": "a", "model": "@b/m"}), "provider"),
        (json!({"provider": "@"}), "provider"),
        (json!({"model": "@a/"}), "model"),
        (json!({"override_params": {"model": 7}}), "override_params.model"),
        (json!({"default_params": {"stream": true}}), "default_params.stream"),
        (json!({"drop_params": ["seed", "['stream']"]}), "drop_params[1]"),
        (json!({"drop_params": ["messages[*"]}), "drop_params[0]"),
        (json!({"custom_host": "example.com"}), "custom_host"),
        (json!({"api_key": "a\r\nb"}), "api_key"),
        (json!({"openai_project": "a\nb"}), "openai_project"),
        (json!({"metadata": 1}), "metadata"),
        (json!({"on_errors": ["sometimes"]}), "on_errors"),
        (json!({"targets": [target]}), "strategy"),
        (json!({"model": "a", "override_params": {"model": "b"}}), "model"),
        (
            json!({"strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "x"}]}, "targets": [target]}),
            "strategy.conditions[0].then",
        ),
        (
            json!({"strategy": {"mode": "loadbalance", "sticky": {"hash_fields": ["user"]}}, "targets": [target]}),
            "strategy.sticky.hash_fields",
        ),
        (
            json!({"strategy": {"mode": "fallback", "cb_config": {"failure_threshold_percentage": 101}},
            "targets": [target]}),
            "strategy.cb_config.failure_threshold_percentage",
        ),
    ];
    for (config, path) in cases {
        assert_eq!(errors(config.clone()), [path], "{config}");
    }
}

#[test]
fn odd_keys_are_warned_about() {
    let found = warnings(json!({"strategy": "fallback", "targets": [
        {"provider": "a", "on_error": ["*"]}, {"provider": "b", "zzzzzz": 1, "aws_region": "x"}],
        "cb_config": {"failure_threshold": 3}}));
    assert!(found.iter().any(|text| text.contains("'targets[0].on_error' (did you mean 'on_errors'?)")), "{found:?}");
    assert!(found.iter().any(|text| text.contains("targets[1].zzzzzz")));
    assert!(found.iter().any(|text| text.contains("targets[1].aws_region")));
    assert!(found.iter().any(|text| text.contains("cb_config")));
    let one = warnings(json!({"strategy": "fallback", "targets": [{"provider": "a", "on_errors": ["*"]}]}));
    assert!(one[0].contains("has one target"), "{one:?}");
    assert!(warnings(json!({"provider": "a", "retry": {"attempts": 9}}))[0].contains("5 is used"));
}

#[test]
fn sizes_are_bounded() {
    let mut deep = json!({"provider": "a"});
    for _ in 0..8 {
        deep = json!({"strategy": "single", "targets": [deep]});
    }
    assert!(!errors(deep).is_empty());
    let many: Vec<Value> = (0..65).map(|_| json!({"provider": "a"})).collect();
    assert_eq!(errors(json!({"strategy": "fallback", "targets": many})), ["targets"]);
    assert!(parse(&vec![b'{'; 70_000]).is_err());
}

#[test]
fn the_header_is_json_base64_or_a_slug() {
    let inline = |header: &[u8]| match parse(header).unwrap() {
        ConfigHeader::Inline(parsed) => {
            chain_for(&parsed.plan, json!({}), "{}", || 0.0).unwrap().steps[0].target.clone()
        }
        ConfigHeader::Slug(slug) => panic!("read as the slug {slug}"),
    };
    assert_eq!(inline(br#" {"provider":"openai"} "#).provider.as_deref(), Some("openai"));
    assert_eq!(inline(b"eyJwcm92aWRlciI6Im9wZW5haSJ9").provider.as_deref(), Some("openai"));
    // Vietnamese, as UTF-8 and escaped.
    for header in [r#"{"override_params":{"user":"Việt"}}"#, r#"{"override_params":{"user":"Vi\u1ec7t"}}"#] {
        assert_eq!(inline(header.as_bytes()).override_params["user"], "Việt");
    }
    assert!(matches!(parse(b"pc-fast-1").unwrap(), ConfigHeader::Slug(slug) if slug == "pc-fast-1"));
    for header in [&b"{not json"[..], b"two words", b"", b"\xff"] {
        assert!(parse(header).is_err(), "{header:?}");
    }
}

#[test]
fn credentials_and_hosts_are_told_with_their_place() {
    let plan = plan(json!({"strategy": "fallback", "targets": [
        {"provider": "a", "api_key": "sk"}, {"provider": "b", "virtual_key": "v", "custom_host": "http://h"}]}));
    assert_eq!(plan.uses_client_credentials(), ["config.targets[0].api_key", "config.targets[1].virtual_key"]);
    assert_eq!(plan.custom_hosts(), ["config.targets[1].custom_host"]);
    assert!(!format!("{plan:?}").contains("sk"), "a credential is never shown");
}

/// E2: what has no effect is never silent.
#[test]
fn e2_what_has_no_effect_is_told() {
    let target = json!({"provider": "a"});
    let cases = [
        (json!({"strategy": "fallback", "on_errors": ["timeout"], "targets": [target, target]}), "'on_errors'"),
        (json!({"provider": "a", "on_errors": ["timeout"]}), "'on_errors'"),
        (json!({"strategy": "single", "targets": [{"provider": "a", "on_errors": [429]}]}), "'targets[0].on_errors'"),
        (json!({"strategy": "fallback", "on_status_codes": [429], "targets": [target, target]}), "'on_status_codes'"),
        (json!({"strategy": "single", "provider": "b", "targets": [target]}), "'provider'"),
        (json!({"provider": "a", "forward_headers": ["Host", "x-a"]}), "'host'"),
        (json!({"requestTimeout": 1, "request_timeout": 2}), "two spellings"),
    ];
    for (config, part) in cases {
        let found = warnings(config.clone());
        assert!(found.len() == 1 && found[0].contains(part), "{config}: {found:?}");
    }
    assert_eq!(
        chain(json!({"requestTimeout": 1, "request_timeout": 2})).steps[0].target.request_timeout.unwrap().as_millis(),
        2
    );
    let forwarded =
        chain(json!({"forward_headers": ["Authorization", "Content-Length", "X-Portkey-Trace-Id", "X-Team"]}));
    assert_eq!(forwarded.steps[0].target.forward_headers, ["X-Team"]);
}

/// Warnings go into a header: neither many odd keys nor long ones make it large, or reading slow.
#[test]
fn warnings_are_bounded() {
    let many: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("odd_{n}"), json!(1))).collect();
    let found = warnings(Value::Object(many));
    assert_eq!((found.len(), found[32].as_str()), (33, "and 4968 more warnings"));
    let mut long = serde_json::Map::new();
    long.insert("đ".repeat(20_000), json!(1));
    assert!(warnings(Value::Object(long))[0].chars().count() < 100);
}

#[test]
fn conditions_are_bounded() {
    let config = |count: usize, query: Value| {
        let conditions: Vec<Value> = (0..count).map(|_| json!({"query": query, "then": "a"})).collect();
        json!({"strategy": {"mode": "conditional", "conditions": conditions}, "targets": [{"name": "a", "provider": "p"}]})
    };
    assert!(parse_value(&config(32, json!({"metadata.a": 1}))).is_ok());
    assert_eq!(errors(config(33, json!({"metadata.a": 1}))), ["strategy.conditions"]);
    let nested = json!({"strategy": "fallback", "targets": [config(20, json!({})), config(20, json!({}))]});
    assert_eq!(errors(nested), ["targets[1].strategy.conditions"], "the bound is the whole config's");
    let terms: Vec<Value> = (0..257).map(|n| json!({"metadata.a": n})).collect();
    assert_eq!(errors(config(1, json!({"$or": terms}))), ["strategy.conditions[0].query.$or[256].metadata.a"]);
    let patterns = |count: usize| json!({"$or": vec![json!({"params.model": {"$regex": "a"}}); count]});
    assert!(parse_value(&config(1, patterns(32))).is_ok());
    assert_eq!(errors(config(1, patterns(33))).len(), 1);
    assert_eq!(errors(config(1, json!({"metadata.a": {"$regex": "\\w{1000}"}}))).len(), 1, "a huge regex is refused");
    let wrong = errors(config(1, json!({"metadata.a": {"$gt": "x", "$no": 1}, "body.b": 2})));
    assert_eq!(wrong.len(), 3, "all of it is told: {wrong:?}");
}

#[test]
fn options_are_refused_in_portkeys_words() {
    let error = parse_value(&json!({"options": [{}]})).unwrap_err().remove(0);
    let text = "This version of config is not supported in this route. Please migrate to the latest version";
    assert_eq!((error.path.as_str(), error.message.as_str()), ("options", text));
}
