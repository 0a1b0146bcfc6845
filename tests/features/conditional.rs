//! Conditional routing by metadata, request parameters and path.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::{FakeProvider, Request, Setup};

fn config() -> Value {
    json!({
        "strategy": {
            "mode": "conditional",
            "conditions": [
                { "query": { "metadata.tier": { "$eq": "paid" } }, "then": "good" },
                { "query": { "$and": [{ "params.temperature": { "$gt": 0.5 } }, { "metadata.tier": "trial" }] },
                    "then": "good" },
                { "query": { "metadata.user": { "$regex": "^free-" } }, "then": "cheap" },
                { "query": { "params.model": { "$in": ["gpt-4o", "gpt-4o-mini-x"] } }, "then": "cheap" },
            ],
        },
        "targets": [
            { "name": "cheap", "provider": "openai" },
            { "name": "good", "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } },
        ],
    })
}

/// The first condition that fits decides; without one the default does, and without that the answer is Portkey's 400.
#[tokio::test]
async fn the_first_fitting_condition_decides() {
    let openai = FakeProvider::answering(openai::answer("cheap")).await;
    let anthropic = FakeProvider::answering(anthropic::answer("good")).await;
    let (gateway, key) = Setup::new().openai(&openai).anthropic(&anthropic).start().await.with_key().await;
    let ask = |metadata: Value, change: Value, config: Value| {
        let mut body = crate::harness::client::hello("gpt-4o-mini");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let request = Request::chat(&key, &body).config(&config).header("x-portkey-metadata", &metadata.to_string());
        gateway.ask(request)
    };
    for (metadata, change, expected) in [
        (json!({ "tier": "paid" }), json!({}), "good"),
        (json!({ "tier": "trial" }), json!({ "temperature": 0.9 }), "good"),
        (json!({ "user": "free-7" }), json!({ "temperature": 0.9 }), "cheap"),
        (json!({ "tier": "paid", "user": "free-7" }), json!({}), "good"),
        (json!({}), json!({ "model": "gpt-4o" }), "cheap"),
    ] {
        let answer = ask(metadata.clone(), change, config()).await;
        assert_eq!(answer.status, 200, "{metadata}: {}", answer.text());
        assert_eq!(answer.content(), expected, "{metadata}");
    }

    let none = ask(json!({ "tier": "none" }), json!({}), config()).await.expect(400).json();
    assert_eq!(none["status"], "failure", "Portkey's shape: {none}");
    assert!(none["message"].as_str().unwrap().contains("did not resolve to any valid target"), "{none}");
    assert!(none["error"]["message"].is_string(), "OpenAI's shape: {none}");

    let mut with_default = config();
    with_default["strategy"]["default"] = json!("cheap");
    assert_eq!(ask(json!({ "tier": "none" }), json!({}), with_default).await.expect(200).content(), "cheap");
}
