//! The log: JSON, one line a request, filterable as the quick reference shows, and silent about what was said.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gateway, Request, Setup};

/// One line a request with everything that an operator asks, and nothing of the conversation (H1).
#[tokio::test]
async fn a_request_is_one_line() {
    let openai = FakeProvider::answering(openai::answer("a secret answer")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let made = gateway.make_key(json!({ "user_id": "u1", "team_id": "t1" })).await;
    let key = made["virtual_key"].as_str().unwrap();
    let answer =
        gateway.ask(Request::hello(key, "gpt-4o-mini").header("x-portkey-trace-id", "abc-123")).await.expect(200);
    assert_eq!(answer.header("x-portkey-trace-id"), Some("abc-123"));

    let line = gateway.request_log("abc-123").await;
    let expected = json!({ "level": "info", "provider": "openai", "model": "gpt-4o-mini", "status": 200,
        "prompt_tokens": 10, "completion_tokens": 15, "cost_usd": openai::COST, "key_id": made["id"], "user_id": "u1",
        "team_id": "t1", "stream": false, "path": "/v1/chat/completions" });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
    assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    assert!(
        line["timestamp"].as_str().is_some_and(|time| chrono::DateTime::parse_from_rfc3339(time).is_ok()),
        "{line}"
    );
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));

    let lines = gateway.stdout();
    assert_eq!(lines.iter().filter(|line| line.contains("abc-123")).count(), 1);
    for line in &lines {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no JSON: {line}");
        assert!(!line.contains("secret answer") && !line.contains("Xin chào") && !line.contains(key), "{line}");
    }
}

/// The trace id of `traceparent` is taken where Portkey's header is absent; without both one is made, and echoed.
#[tokio::test]
async fn trace_ids_are_taken_over_or_made() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::hello(&key, "sim-text").header("traceparent", parent);
    let answer = gateway.ask(request).await.expect(200);
    assert_eq!(answer.header("x-portkey-trace-id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    gateway.request_log("4bf92f3577b34da6a3ce929d0e0e4736").await;
    let made = gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    let made = made.header("x-portkey-trace-id").unwrap();
    assert!(made.len() >= 16);
    gateway.request_log(made).await;
}

/// `jq 'select(.level == "error")'` finds what failed on the provider's side; refused requests have their line too.
#[tokio::test]
async fn levels_tell_errors_from_refusals() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    for (request, trace, level, status) in [
        (Request::hello(&key, "gpt-4o-mini"), "failed", "error", 500),
        (Request::hello("vk-nobody", "gpt-4o-mini"), "refused", "warn", 401),
        (Request::hello(&key, "sim-text"), "fine", "info", 200),
    ] {
        gateway.ask(request.header("x-portkey-trace-id", trace)).await.expect(status);
        let line = gateway.request_log(trace).await;
        assert_eq!((&line["level"], &line["status"]), (&json!(level), &json!(status)), "{line}");
    }
}
