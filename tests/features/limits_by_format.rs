//! What clients of each format are told of limits and budgets.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Request, Setup};

fn asked(key: &str, path: &str) -> Request {
    asked_of(key, path, "gpt-4o-mini")
}

fn asked_of(key: &str, path: &str, model: &str) -> Request {
    let body = match path {
        "/v1/responses" => json!({ "model": model, "input": "hello" }),
        _ => json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] }),
    };
    Request::new("POST", path).key(key).json(&body)
}

/// Anthropic's clients are told of limits in their own headers, on answers and on refusals.
#[tokio::test]
async fn messages_answers_tell_their_limits() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "rate_limit": 1 })).await;
    for status in [200, 429] {
        let answer = gateway.ask(asked(&key, "/v1/messages")).await.expect(status);
        assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), Some("1"));
        assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), Some("0"));
        let reset = answer.header("anthropic-ratelimit-requests-reset").unwrap();
        let reset: DateTime<Utc> = reset.parse().unwrap();
        let wait = reset - Utc::now();
        assert!((-1..=61).contains(&wait.num_seconds()), "{reset}");
    }
    let other = gateway.new_key(json!({ "rate_limit": 1 })).await;
    let chat = gateway.ask(asked(&other, "/v1/chat/completions")).await.expect(200);
    assert_eq!(chat.header("anthropic-ratelimit-requests-limit"), None);
}

/// J3: what stays until somebody acts is told so that no client repeats it: a model without a price, a provider without a
/// credential.
#[tokio::test]
async fn j3_what_stays_is_not_asked_again() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    let free = gateway.new_key(json!({})).await;
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/responses"] {
        let (not_priced, not_ready) = match path {
            "/v1/messages" => (402, 403),
            "/v1/responses" => (400, 400),
            _ => (400, 503),
        };
        for (key, model, status) in [(&key, "openai/unknown", not_priced), (&free, "groq/any", not_ready)] {
            let answer = gateway.ask(asked_of(key, path, model)).await.expect(status);
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{path} {model}");
        }
    }
    assert_eq!(openai.count(), 0);
}

/// J3: a spent budget is told in words at which each client stops.
#[tokio::test]
async fn j3_a_spent_budget_stops_each_client() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).set("compat.budget_status", 412).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 0 })).await;
    for (path, status, kind, code) in [
        ("/v1/chat/completions", 412, "insufficient_quota", json!("budget_exceeded")),
        ("/v1/messages", 429, "rate_limit_error", Value::Null),
        ("/v1/responses", 429, "insufficient_quota", json!("insufficient_quota")),
    ] {
        let answer = gateway.ask(asked(&key, path)).await.expect(status);
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &code), "{path}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}");
        assert_eq!(answer.header("retry-after"), None, "{path}");
    }
    assert_eq!(openai.count(), 0);
}
