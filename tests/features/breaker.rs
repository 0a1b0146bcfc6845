//! The circuit breaker of a backend, as its users and operators see it (E1).

use serde_json::json;

use crate::harness::bodies::{anthropic, openai};
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

const GAUGE: &str = "llm_circuit_breaker_state";
const OPENAI: [(&str, &str); 1] = [("provider", "openai")];

async fn with_breaker(openai: &FakeProvider, cooldown_ms: u64) -> (Gateway, String) {
    let setup = Setup::new().openai(openai).set("providers.openai.breaker.failure_threshold", 3);
    // One key alone opens it by the share of its failures.
    let setup = setup.set("providers.openai.breaker.minimum_requests", 3);
    setup.set("providers.openai.breaker.cooldown_ms", cooldown_ms).start().await.with_key().await
}

async fn state(gateway: &Gateway) -> String {
    gateway.actor("provider:openai").await["state"]["breaker"].as_str().unwrap().to_owned()
}

async fn wait_for_state(gateway: &Gateway, wanted: &str) {
    crate::harness::eventually(&format!("the breaker is {wanted}"), async || state(gateway).await == wanted).await;
}

async fn open(gateway: &Gateway, key: &str) {
    for _ in 0..3 {
        gateway.ask(Request::hello(key, "gpt-4o-mini")).await.expect(500);
    }
    wait_for_state(gateway, "open").await;
}

/// E1: a client's own errors (400, 401, 404, 422, a context length) never open the breaker for everyone.
#[tokio::test]
async fn e1_client_errors_never_open_the_breaker() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = with_breaker(&openai, 60_000).await;
    let too_long = json!({ "error": { "message": "maximum context length is 128000 tokens",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded" } });
    for status in [400, 401, 403, 404, 422] {
        openai.always(openai::error(status));
        for _ in 0..4 {
            gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(status);
        }
    }
    openai.always(Reply::json(400, &too_long));
    for _ in 0..4 {
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(400).json();
        assert_eq!(answer["error"]["code"], "context_length_exceeded");
    }
    assert_eq!(openai.count(), 24, "each of them was sent");
    assert_eq!(state(&gateway).await, "closed");
    gateway.wait_for_metric(GAUGE, &OPENAI, 0.0).await;
}

/// E1: after three 500s in a row the provider is left alone: 503 with `Retry-After` at once, and everyone can see it.
#[tokio::test]
async fn e1_server_errors_open_the_breaker_and_everyone_sees_it() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = with_breaker(&openai, 60_000).await;
    open(&gateway, &key).await;

    let refused = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(503);
    let retry_after: u64 = refused.header("retry-after").expect("when to come back").parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert_eq!(refused.json()["error"]["code"], "circuit_open");
    assert_eq!(openai.count(), 3, "nothing was sent");

    gateway.wait_for_metric(GAUGE, &OPENAI, 2.0).await;
    let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
    assert!(ready["degraded"].to_string().contains("openai"), "{ready}");
    gateway
        .wait_for_log("the breaker opened", |line| line.to_string().contains("circuit of provider openai opened"))
        .await;
}

/// An open breaker sends requests to the next target, whatever its rules say.
#[tokio::test]
async fn an_open_breaker_falls_back_at_once() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let anthropic = FakeProvider::answering(anthropic::answer("from anthropic")).await;
    let setup = Setup::new().openai(&openai).anthropic(&anthropic);
    let setup = setup.set("providers.openai.breaker.minimum_requests", 3);
    let (gateway, key) = setup.start().await.with_key().await;
    open(&gateway, &key).await;
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "openai", "on_errors": ["timeout"] }, { "provider": "anthropic", "model": "claude-3-sonnet" } ] });
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from anthropic");
    assert_eq!(openai.count(), 3);
}

/// E1: after the cooldown exactly one probe goes out, over all worker threads; when it succeeds, traffic flows again.
#[tokio::test]
async fn e1_half_open_lets_exactly_one_probe_through() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = with_breaker(&openai, 300).await;
    open(&gateway, &key).await;
    wait_for_state(&gateway, "half_open").await;

    let gate = Gate::new();
    openai.always(openai::answer("recovered")).once(openai::answer("the probe").after(&gate));
    let probe = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(4).await;
    for _ in 0..8 {
        // New connections, so both worker threads are asked.
        gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(503);
    }
    assert_eq!(openai.count(), 4, "only the probe went out");
    gate.open();
    assert_eq!(probe.answer().await.expect(200).content(), "the probe");
    wait_for_state(&gateway, "closed").await;
    assert_eq!(gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200).content(), "recovered");
}

/// E1: a probe that fails opens the breaker again; a probe whose client leaves lets another one through.
#[tokio::test]
async fn e1_a_failed_probe_opens_again_and_an_abandoned_one_decides_nothing() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = with_breaker(&openai, 300).await;
    open(&gateway, &key).await;
    wait_for_state(&gateway, "half_open").await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(500);
    wait_for_state(&gateway, "open").await;
    wait_for_state(&gateway, "half_open").await;

    openai.once(Reply::silence());
    let probe = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
    let seen = openai.request(5).await;
    drop(probe);
    seen.abandoned().await;
    gateway.wait_until_idle().await;
    openai.always(openai::answer("recovered"));
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    wait_for_state(&gateway, "closed").await;
}

/// The breaker is one for the process: failures seen by different worker threads add up, and other providers are not
/// touched.
#[tokio::test]
async fn one_breaker_for_all_threads() {
    let openai = FakeProvider::answering(openai::error(503)).await;
    let (gateway, key) = with_breaker(&openai, 60_000).await;
    let requests: Vec<_> = (0..12).map(|_| gateway.ask(Request::hello(&key, "gpt-4o-mini"))).collect();
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 503));
    wait_for_state(&gateway, "open").await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    gateway.wait_for_metric(GAUGE, &[("provider", "simulator")], 0.0).await;
}

/// E1: a credential whose quota is used up closes the provider for nobody: the breaker is per provider, a 429 is not.
#[tokio::test]
async fn e1_the_exhausted_quota_of_one_key_does_not_close_the_provider_for_another() {
    let openai = FakeProvider::answering(openai::error(429)).await;
    let (gateway, healthy) = with_breaker(&openai, 60_000).await;
    let exhausted = gateway.new_key(json!({ "provider": "openai", "real_api_key": "sk-exhausted" })).await;
    for _ in 0..10 {
        gateway.ask(Request::hello(&exhausted, "gpt-4o-mini")).await.expect(429);
    }
    assert_eq!(state(&gateway).await, "closed");
    openai.always(openai::answer("for the other"));
    let answer = gateway.ask(Request::hello(&healthy, "gpt-4o-mini")).await.expect(200);
    assert_eq!(answer.content(), "for the other");
    assert_eq!(openai.count(), 11, "each of them was sent");
}

/// E1: a probe that streams closes the circuit with its first content, and its end counts as any other.
#[tokio::test]
async fn e1_a_probe_that_streams_for_minutes_keeps_nobody_waiting() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = with_breaker(&openai, 300).await;
    open(&gateway, &key).await;
    wait_for_state(&gateway, "half_open").await;

    let gate = Gate::new();
    let held = Reply::events([openai::role(), openai::text("one ")]).wait(&gate).cut();
    openai.always(openai::answer("recovered")).once(held);
    let mut probe = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(probe.next_text().await, "one ");
    wait_for_state(&gateway, "closed").await;
    assert_eq!(gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200).content(), "recovered");
    let load = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!((&load["in_flight"], &load["window"]["failures"]), (&json!(1), &json!(0)), "{load}");

    gate.open();
    assert_eq!(probe.rest().await.errors().len(), 1);
    crate::harness::eventually("the break counts", async || {
        gateway.actor("provider:openai").await["state"]["window"]["failures"] == 1
    })
    .await;
    assert_eq!(state(&gateway).await, "closed", "one failure opens nothing");
}

/// J 3: what fails for one key alone, again and again, takes the provider from no other key.
#[tokio::test]
async fn j3_failures_of_one_key_close_the_provider_for_nobody() {
    let openai = FakeProvider::answering(openai::answer("for the other")).await;
    let (gateway, healthy) = Gateway::before(&openai).await;
    let failing = gateway.new_key(json!({})).await;
    for _ in 0..6 {
        for _ in 0..5 {
            openai.once(openai::error(500));
            gateway.ask(Request::hello(&failing, "gpt-4o-mini")).await.expect(500);
        }
        for _ in 0..20 {
            gateway.ask(Request::hello(&healthy, "gpt-4o-mini")).await.expect(200);
        }
    }
    assert_eq!(state(&gateway).await, "closed");
}

/// J 3: below the traffic that a share needs, failures that two keys see in a row open it, at its threshold.
#[tokio::test]
async fn j3_failures_of_two_keys_open_the_breaker_at_its_threshold() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, one) = Gateway::before(&openai).await;
    let other = gateway.new_key(json!({})).await;
    for key in [&one, &other, &one, &other, &one] {
        gateway.ask(Request::hello(key, "gpt-4o-mini")).await.expect(500);
    }
    gateway.ask(Request::hello(&one, "gpt-4o-mini")).await.expect(503);
    assert_eq!(openai.count(), 5);
    // Another model of the same provider is asked all the same.
    openai.always(openai::answer("another model"));
    gateway.ask(Request::hello(&one, "gpt-4o")).await.expect(200);
    let models = gateway.actor("provider:openai").await["state"]["models"].clone();
    assert_eq!((&models["gpt-4o-mini"]["breaker"], &models["gpt-4o"]["breaker"]), (&json!("open"), &json!("closed")));
}
