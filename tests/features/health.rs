//! Health, as probes and people ask for it.

use serde_json::json;

use crate::harness::{FakeProvider, Request, Setup};

/// The quick reference's `/health`, and the probes: alive without any I/O (G5), ready with what is degraded.
#[tokio::test]
async fn g5_health_live_and_ready() {
    let gateway = Setup::new().start().await;
    let health = gateway.ask(Request::get("/health")).await.expect(200).json();
    assert_eq!(health, json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") }));
    gateway.ask(Request::get("/health/live")).await.expect(200);
    let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["degraded"], json!([]));
}

/// An unreachable provider makes the gateway degraded, not unready (G5).
#[tokio::test]
async fn g5_a_broken_provider_is_named_and_the_gateway_stays_ready() {
    let refusing = FakeProvider::refusing().await;
    let setup = Setup::new().openai(&refusing).set("providers.openai.breaker.failure_threshold", 2);
    let (gateway, key) = setup.start().await.with_key().await;
    for _ in 0..2 {
        gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(503);
    }
    gateway.wait_for_metric("llm_circuit_breaker_state", &[("provider", "openai")], 2.0).await;
    let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
    assert!(ready["degraded"].to_string().contains("openai"), "{ready}");
    gateway.ask(Request::get("/health/live")).await.expect(200);
}
