//! What Prometheus scrapes.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gateway, Request, Setup};

/// The quick reference's names: requests by provider, model and status, durations, cost and tokens.
#[tokio::test]
async fn the_names_of_the_quick_reference() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    openai.once(openai::error(500));
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(500);
    openai.once(openai::stream(&["a", "b"]));
    gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    gateway.wait_until_idle().await;

    let target = [("provider", "openai"), ("model", "gpt-4o-mini")];
    let and = |name: &'static str, value: &'static str| [target[0], target[1], (name, value)];
    gateway.wait_for_metric("llm_requests_total", &and("status", "success"), 3.0).await;
    gateway.wait_for_metric("llm_requests_total", &and("status", "error"), 1.0).await;
    gateway.wait_for_metric("llm_request_duration_seconds_bucket", &and("le", "+Inf"), 4.0).await;
    gateway.wait_for_metric("llm_cost_total_usd", &target, 3.0 * openai::COST).await;
    gateway.wait_for_metric("llm_tokens_total", &and("type", "prompt"), 30.0).await;
    gateway.wait_for_metric("llm_tokens_total", &and("type", "completion"), 45.0).await;
    gateway.wait_for_metric("llm_time_to_first_token_seconds_count", &target, 1.0).await;
    let scrape = gateway.scrape().await;
    assert!(scrape.sum("gateway_overhead_microseconds_count", &[]) >= 4.0);
    assert!(scrape.text.contains("# TYPE llm_requests_total counter"));
    assert!(scrape.text.contains("# HELP llm_requests_total "));
}

/// G8: model names that clients invent share one label, however many there are; so do those that fail at the provider.
#[tokio::test]
async fn g8_invented_models_collapse_to_other() {
    let openai = FakeProvider::answering(openai::error(404)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let before = gateway.scrape().await.len();
    for n in 0..300 {
        let provider = if n % 2 == 0 { "openai" } else { "simulator" };
        let request = Request::hello(&key, &format!("random-{n}")).header("x-portkey-provider", provider);
        gateway.ask(request).await.expect(404);
        gateway.ask(Request::hello(&format!("vk-random-{n}"), "sim-text")).await.expect(401);
    }
    // The simulator answers these, and knows none of them.
    for n in 0..120 {
        gateway.ask(Request::hello(&key, &format!("sim-slow-1x0{n}"))).await;
    }
    let other = [("provider", "openai"), ("model", "other"), ("status", "error")];
    gateway.wait_for_metric("llm_requests_total", &other, 150.0).await;
    let scrape = gateway.scrape().await;
    assert!(!scrape.text.contains("random-"), "no invented name is a label");
    assert!(!scrape.text.contains("sim-slow-1x0"), "nor one that the simulator answers");
    assert!(scrape.len() < before + 200, "{} series before, {} after", before, scrape.len());
    assert!(scrape.len() < 5_000);
}

/// A price that is not known shows up, so that nothing is free unnoticed (C1).
#[tokio::test]
async fn c1_unpriced_models_are_counted() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let request = Request::hello(&key, "brand-new-model").config(&json!({ "provider": "openai" }));
    let answer = gateway.ask(request).await.expect(200).json();
    assert_eq!(answer["metadata"]["cost_usd"], json!(null), "not known is not nought");
    gateway.wait_for_metric("price_lookup_total", &[("result", "miss")], 1.0).await;
}

/// `/metrics` is there before the first request, with the breakers of all providers.
#[tokio::test]
async fn metrics_are_there_from_the_start() {
    let gateway = Setup::new().start().await;
    let scrape = gateway.scrape().await;
    assert!(scrape.has("llm_circuit_breaker_state", &[("provider", "anthropic")]), "{}", scrape.text);
    assert!(scrape.has("llm_requests_in_flight", &[]));
}
