//! Both dialects over their whole width, and the one form that they become.

use super::*;

/// Every config of the quick reference, and one of each of Portkey's kinds.
fn fixtures() -> Vec<Value> {
    vec![
        json!({"strategy": "fallback", "targets": [
            {"provider": "openai", "model": "gpt-4o-mini"},
            {"provider": "anthropic", "model": "claude-3-sonnet"},
            {"provider": "ollama", "model": "llama3:8b"}]}),
        json!({"strategy": "loadbalance", "weights": [
            {"provider": "openai", "model": "gpt-4o-mini", "weight": 0.7},
            {"provider": "anthropic", "model": "claude-3-sonnet", "weight": 0.3}]}),
        json!({"strategy": "fallback", "targets": [
            {"provider": "openai", "model": "gpt-4o-mini", "on_errors": ["timeout", "rate_limit"]},
            {"provider": "anthropic", "model": "claude-3-sonnet", "on_errors": ["timeout"]},
            {"provider": "ollama", "model": "llama3:8b", "on_errors": ["*"]}],
            "retry": {"attempts": 3, "on_status_codes": [429, 500, 502, 503], "exponential_backoff": true},
            "cache": {"mode": "semantic", "ttl": 3600}}),
        json!({"strategy": "loadbalance", "weights": [
            {"provider": "openai", "model": "gpt-4o-mini", "weight": 0.9},
            {"provider": "anthropic", "model": "claude-3-5-sonnet-20241022", "weight": 0.1}]}),
        json!({"strategy": "single", "provider": "openai", "model": "gpt-4o-mini",
            "cache": {"mode": "semantic", "ttl": 86400}}),
        json!({"guardrails": {"input": [{"type": "pii_detection", "action": "redact"}],
            "output": [{"type": "pii_detection", "action": "deny"}, {"type": "content_safety", "threshold": 0.8}]}}),
        json!({"strategy": "fallback", "targets": [
            {"provider": "openai", "model": "gpt-4o-mini", "on_errors": ["timeout", "rate_limit", "429"]}]}),
        json!({}),
        json!({"provider": "openai", "api_key": "sk"}),
        json!({"provider": "@team-a", "overrideParams": {"model": "gpt-4o", "topK": 3}, "defaultParams": {"n": 1},
            "dropParams": ["seed"], "requestTimeout": 9000, "strictOpenAiCompliance": false,
            "customHost": "https://h.example", "forwardHeaders": ["x-team"], "openaiProject": "p",
            "virtualKey": "v", "metadata": {"tier": "paid"}, "name": "only"}),
        json!({"strategy": {"mode": "fallback", "on_status_codes": ["429", 503],
            "cb_config": {"failure_threshold": 5, "cooldown_interval": 60000, "failure_status_codes": [500]}},
            "cache": "simple", "inputGuardrails": ["g"],
            "targets": [
                {"provider": "a", "cache": {"mode": "disabled"}, "input_guardrails": []},
                {"strategy": {"mode": "loadbalance",
                    "sticky": {"enabled": true, "hash_fields": ["metadata.user_id", "headers.x-s", "params.user"], "ttl": 60}},
                 "targets": [{"provider": "b", "weight": 3}, {"override_params": {"model": "@c/m"}, "weight": 1}]},
                {"strategy": {"mode": "conditional", "default": "y", "conditions": [
                    {"query": {"$or": [{"metadata.a": {"$eq": "b"}}, {"params.model": {"$regex": "^gpt"}}]}, "then": "x"}]},
                 "targets": [{"name": "x", "provider": "d"}, {"name": "y", "provider": "e"}]}]}),
        json!({"strategy": "single", "targets": [{"provider": "a", "retry": {"attempts": 2, "exponentialBackoff": false,
            "useRetryAfterHeaders": false, "base_delay_ms": 5}}],
            "after_request_hooks": [{"id": "h", "deny": true, "checks": [{"id": "default.regexMatch", "parameters": {"rule": "x"}}]}]}),
    ]
}

/// Reading what a plan is written back as gives the same plan.
#[test]
fn the_normal_form_is_a_fixed_point() {
    for config in fixtures() {
        let once = plan(config.clone()).normal_form();
        let again = parse_value(&once).unwrap_or_else(|errors| panic!("{once}: {errors:?}"));
        assert_eq!(again.plan.normal_form(), once, "{config}");
        let odd = again.warnings.iter().filter(|text| !text.contains("has one target"));
        assert_eq!(odd.collect::<Vec<_>>(), Vec::<&String>::new(), "{once}");
    }
}

/// The short form and Portkey's, camel case or not, are one.
#[test]
fn dialects_that_mean_the_same_become_the_same() {
    let pairs = [
        (
            json!({"strategy": "fallback", "targets": [{"provider": "openai", "model": "m"}, {"provider": "b"}]}),
            json!({"strategy": {"mode": "fallback"},
                "targets": [{"provider": "@OpenAI", "overrideParams": {"model": "m"}}, {"provider": "b"}]}),
        ),
        (
            json!({"strategy": "loadbalance", "weights": [{"provider": "a", "weight": 2}, {"provider": "b", "weight": 1}]}),
            json!({"strategy": {"mode": "loadbalance"},
                "targets": [{"provider": "a", "weight": 2}, {"provider": "b"}]}),
        ),
        (json!({"model": "@a/m"}), json!({"provider": "a", "override_params": {"model": "m"}})),
        (json!({"provider": "@a/m"}), json!({"provider": "a", "model": "m"})),
        (json!({"model": "@a"}), json!({"provider": "@a"})),
        (json!({"cache": {"mode": "simple", "ttl": 90}}), json!({"cache": {"mode": "simple", "max_age": 90}})),
        (
            json!({"retry": {"attempts": 1, "use_retry_after_headers": false}}),
            json!({"retry": {"attempts": "1", "useRetryAfterHeader": false}}),
        ),
        (
            json!({"strategy": "single", "model": "m", "request_timeout": 5000.0, "targets": [{"provider": "a"}]}),
            json!({"strategy": "single", "targets": [{"provider": "a", "model": "m", "request_timeout": 5000}]}),
        ),
    ];
    for (one, other) in pairs {
        assert_eq!(plan(one.clone()).normal_form(), plan(other).normal_form(), "{one}");
    }
}

/// What is below wins over what is above; parameters are merged, the others replaced whole.
#[test]
fn settings_are_inherited() {
    let chain = chain(json!({
        "strategy": "fallback",
        "override_params": {"temperature": 0, "top_p": 1}, "default_params": {"n": 1}, "drop_params": ["seed"],
        "retry": {"attempts": 4, "on_status_codes": [500]}, "request_timeout": 1000, "forward_headers": ["x-a"],
        "strict_open_ai_compliance": true, "openai_organization": "o", "custom_host": "https://above",
        "targets": [
            {"strategy": "single", "targets": [{"provider": "a"}]},
            {"provider": "b", "override_params": {"temperature": 1}, "default_params": {"user": "u"}, "drop_params": [],
             "retry": {"attempts": 1}, "request_timeout": 2000, "forward_headers": ["x-b"],
             "strict_open_ai_compliance": false, "openai_organization": "p", "custom_host": "https://below"}]}));
    let (above, below) = (&chain.steps[0].target, &chain.steps[1].target);
    assert_eq!(json!(above.override_params), json!({"temperature": 0, "top_p": 1}));
    assert_eq!(json!(below.override_params), json!({"temperature": 1, "top_p": 1}));
    assert_eq!(json!(below.default_params), json!({"n": 1, "user": "u"}));
    assert_eq!((above.drop_params.len(), below.drop_params.len()), (1, 0));
    assert_eq!((above.retry.attempts, above.retry.on_status_codes.as_deref()), (4, Some(&[500][..])));
    assert_eq!((below.retry.attempts, &below.retry.on_status_codes), (1, &None), "retry is replaced whole");
    assert_eq!((above.request_timeout.unwrap().as_millis(), below.request_timeout.unwrap().as_millis()), (1000, 2000));
    assert_eq!((above.forward_headers[0].as_str(), below.forward_headers.as_slice()), ("x-a", &["x-b".to_owned()][..]));
    assert_eq!((above.strict, below.strict), (Some(true), Some(false)));
    assert_eq!(below.headers, [("openai-organization".to_owned(), "p".to_owned())]);
    assert_eq!(
        (above.custom_host.as_deref(), below.custom_host.as_deref()),
        (Some("https://above"), Some("https://below"))
    );
}

/// H1: a plan shows no credential, in whatever form it is printed.
#[test]
fn h1_credentials_are_never_shown() {
    let plan = plan(json!({"provider": "a", "api_key": "sk-canary", "virtual_key": "vk-canary"}));
    assert!(!format!("{plan:?} {}", plan.normal_form()).contains("canary"));
    assert_eq!(plan.uses_client_credentials(), ["config.api_key", "config.virtual_key"]);
    let errors = parse_value(&json!({"api_key": "sk-canary\n", "virtual_key": ["vk-canary"]})).unwrap_err();
    assert_eq!(errors.len(), 2);
    assert!(!format!("{errors:?}").contains("canary"));
}
