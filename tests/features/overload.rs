//! More than the gateway takes is refused at once, before it costs anything.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Request, Setup};

/// One request more than `max_in_flight` is a 503 with `Retry-After` at once, and the place is free again afterwards.
#[tokio::test]
async fn one_request_too_many_is_a_503() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::answer("slow").after(&gate)).await;
    let setup = Setup::new().openai(&openai).set("server.max_in_flight", 2);
    let (gateway, key) = setup.start().await.with_key().await;
    let first = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
    let second = Request::streamed_hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(2).await;

    let refused = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(503);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json()["error"]["code"], "overloaded");
    assert_eq!(openai.count(), 2);
    // What operators look at still answers.
    gateway.ask(Request::get("/health/live")).await.expect(200);
    gateway.wait_for_metric("gateway_refused_requests_total", &[("reason", "overloaded")], 1.0).await;
    gateway.wait_for_metric("llm_requests_in_flight", &[], 2.0).await;

    gate.open_for_good();
    first.answer().await.expect(200);
    drop(second);
    gateway.wait_until_idle().await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
}

/// A provider's own `max_in_flight` is a 503 with `Retry-After`, or the next target where there is one.
#[tokio::test]
async fn a_saturated_provider_is_passed_over() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::answer("slow").after(&gate)).await;
    let setup = Setup::new().openai(&openai).set("providers.openai.max_in_flight", 1);
    let (gateway, key) = setup.start().await.with_key().await;
    let first = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(1).await;

    let refused = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(503);
    assert!(refused.header("retry-after").is_some());
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "openai" }, { "provider": "simulator", "model": "sim-text" } ] });
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.header("x-portkey-provider"), Some("simulator"));
    assert_eq!(openai.count(), 1);
    gate.open_for_good();
    first.answer().await.expect(200);
}

/// A body over the limit is a 413, whether its length is told beforehand or not, and reaches nobody.
#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).set("server.max_body_bytes", 2000);
    let (gateway, key) = setup.start().await.with_key().await;
    // No JSON at all: the size is what is looked at first.
    let request = Request::new("POST", "/v1/chat/completions").key(&key).body(vec![b'x'; 3000]);
    let answer = gateway.ask(request).await.expect(413).json();
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.count(), 1);
    gateway.wait_until_idle().await;
}
