//! Load balance: weights are shares, zero is never, and the rest of a config works inside of it.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::{FakeProvider, Gateway, Request, Setup};

async fn two() -> (FakeProvider, FakeProvider, Gateway, String) {
    let openai = FakeProvider::answering(openai::answer("from openai")).await;
    let anthropic = FakeProvider::answering(anthropic::answer("from anthropic")).await;
    let (gateway, key) = Setup::new().openai(&openai).anthropic(&anthropic).start().await.with_key().await;
    (openai, anthropic, gateway, key)
}

fn weights(openai: Value, anthropic: Value) -> Value {
    json!({ "strategy": "loadbalance", "weights": [
        { "provider": "openai", "model": "gpt-4o-mini", "weight": openai },
        { "provider": "anthropic", "model": "claude-3-sonnet", "weight": anthropic },
    ] })
}

/// The quick reference's 70 to 30, and its Example 2's 90 to 10: over 300 requests the shares are within four standard
/// deviations of the weights (a false alarm once in about 15,000 runs).
#[tokio::test]
async fn weights_are_shares() {
    let (openai, anthropic, gateway, key) = two().await;
    for (share, other) in [(0.7, 0.3), (0.9, 0.1)] {
        let before = openai.count();
        for _ in 0..300 {
            let request = Request::hello(&key, "gpt-4o-mini").config(&weights(json!(share), json!(other)));
            gateway.ask(request).await.expect(200);
        }
        let hits = (openai.count() - before) as f64;
        let deviation = (300.0_f64 * share * other).sqrt();
        assert!((hits - 300.0 * share).abs() <= 4.0 * deviation, "{hits} of 300 at {share}");
    }
    assert_eq!(openai.count() + anthropic.count(), 600);
}

/// Weights are normalised by their sum, zero means never, and all zero means equal.
#[tokio::test]
async fn weights_need_not_sum_to_one() {
    let (openai, anthropic, gateway, key) = two().await;
    for _ in 0..30 {
        let request = Request::hello(&key, "gpt-4o-mini").config(&weights(json!(0), json!(250)));
        let answer = gateway.ask(request).await.expect(200);
        assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[1]"));
    }
    assert_eq!(openai.count(), 0);
    for _ in 0..60 {
        gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&weights(json!(0), json!(0)))).await.expect(200);
    }
    assert!(openai.count() > 0 && anthropic.count() > 30, "{} and {}", openai.count(), anthropic.count());
}

/// A target of a load balance may be a fallback.
#[tokio::test]
async fn a_load_balance_of_fallbacks() {
    let (openai, anthropic, gateway, key) = two().await;
    openai.always(openai::error(500));
    let fallback = json!({ "strategy": { "mode": "fallback" }, "targets": [
        { "provider": "openai" }, { "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } } ] });
    let config = json!({ "strategy": { "mode": "loadbalance" }, "targets": [
        { "provider": "anthropic", "weight": 0 }, { "weight": 1, "strategy": fallback["strategy"],
            "targets": fallback["targets"] } ] });
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from anthropic");
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[1].targets[1]"));
    assert_eq!(anthropic.count(), 1);
}
