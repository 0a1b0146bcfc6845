//! The first request of a user, and what must pass through unchanged in both directions.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup};

/// The first request of the quick reference: OpenAI's shape, and the metadata with the exact cost of 10 prompt and 15
/// completion tokens of gpt-4o-mini (C6: body, header and log agree).
#[tokio::test]
async fn the_first_request_tells_its_provider_and_its_exact_cost() {
    let openai = FakeProvider::answering(openai::answer("Xin chào! Tôi có thể giúp gì?")).await;
    let (gateway, key) = Gateway::before(&openai).await;

    let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "abc-123");
    let answer = gateway.ask(request).await.expect(200);

    let body = answer.json();
    assert_eq!(answer.content(), "Xin chào! Tôi có thể giúp gì?");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["usage"]["total_tokens"], 25);
    assert_eq!(body["metadata"], json!({ "cache_hit": false, "provider": "openai", "cost_usd": openai::COST }));
    assert!(answer.text().contains("0.0000105"), "the cost is written exactly: {}", answer.text());
    assert_eq!(answer.header("x-gateway-cost-usd"), Some("0.0000105"));
    assert_eq!(gateway.request_log("abc-123").await["cost_usd"], openai::COST);
}

/// Portkey's response headers come with every answer.
#[tokio::test]
async fn answers_carry_portkeys_headers() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(answer.header("x-portkey-provider"), Some("openai"));
    assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("0"));
    assert_eq!(answer.header("x-portkey-cache-status"), Some("DISABLED"));
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config"));
    assert!(answer.header("x-portkey-trace-id").is_some_and(|id| !id.is_empty()));
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
}

/// What the provider sees is the gateway's credential and the client's body: no virtual key, no gateway header.
#[tokio::test]
async fn the_provider_sees_its_own_credential_and_the_whole_body() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let body = json!({
        "model": "gpt-4o-mini",
        "messages": [
            { "role": "system", "content": "Trả lời ngắn." },
            { "role": "user", "content": [
                { "type": "text", "text": "Ảnh này là gì?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low" } },
            ] },
        ],
        "n": 2, "logprobs": true, "top_logprobs": 3, "seed": 7, "temperature": 0.25, "parallel_tool_calls": true,
        "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": { "type": "object" } } },
        "a_field_of_tomorrow": { "deep": [1, 2.50, "ba"] },
    });
    gateway.ask(Request::chat(&key, &body).header("x-portkey-metadata", r#"{"tier":"paid"}"#)).await.expect(200);

    let seen = openai.request(1).await;
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.body, body);
    assert_eq!(seen.header("authorization"), Some("Bearer sk-openai-own"));
    let leaked = |(name, value): &&(String, String)| name.starts_with("x-portkey") || value.contains(&key);
    assert_eq!(seen.head.headers.iter().find(leaked), None);
}

/// Tools (parallel too), several choices, log probabilities and unknown fields come back as the provider sent them.
#[tokio::test]
async fn the_client_sees_everything_that_the_provider_answered() {
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let answered = json!({
        "id": "chatcmpl-9", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
        "system_fingerprint": "fp_1", "service_tier": "default",
        "choices": [
            { "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": null,
                "refusal": null, "tool_calls": [call("a", "{}"), call("b", "{\"x\":\"Hà Nội\"}")] } },
            { "index": 1, "finish_reason": "stop", "message": { "role": "assistant", "content": "hai" },
                "logprobs": { "content": [{ "token": "hai", "logprob": -0.125, "bytes": [104], "top_logprobs": [] }] } },
        ],
        "usage": { "prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6,
            "prompt_tokens_details": { "cached_tokens": 0, "new_detail": 1 } },
        "a_field_of_tomorrow": [true, null, 1.5],
    });
    let openai = FakeProvider::answering(Reply::json(200, &answered)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut body = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200).json();
    assert_eq!(body["metadata"]["provider"], "openai");
    body.as_object_mut().unwrap().remove("metadata");
    assert_eq!(body, answered);
}

/// A model's provider comes from the header, the `provider/model` name, the key, or the catalogue, in this order.
#[tokio::test]
async fn a_model_finds_its_provider() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let plain = gateway.new_key(json!({})).await;
    let simulator = gateway.new_key(json!({ "provider": "simulator" })).await;
    let provider = |answer: &Value| answer["metadata"]["provider"].as_str().unwrap().to_owned();

    for (key, model, header, expected) in [
        (&plain, "gpt-4o-mini", None, "openai"),
        (&plain, "simulator/sim-text", None, "simulator"),
        (&plain, "sim-text", None, "simulator"),
        (&simulator, "openai/gpt-4o-mini", None, "openai"),
        (&simulator, "sim-text", None, "simulator"),
        (&plain, "sim-text", Some("openai"), "openai"),
    ] {
        let mut request = Request::hello(key, model);
        if let Some(header) = header {
            request = request.header("x-portkey-provider", header);
        }
        let answer = gateway.ask(request).await.expect(200).json();
        assert_eq!(provider(&answer), expected, "{model} with the header {header:?}");
    }
    let models: Vec<_> = openai.requests().iter().map(|seen| seen.body["model"].clone()).collect();
    assert_eq!(models, ["gpt-4o-mini", "gpt-4o-mini", "sim-text"], "the provider's name is no part of its model's");

    let unknown = gateway.ask(Request::hello(&plain, "nobody-knows-me")).await.expect(400).json();
    assert_eq!(unknown["error"]["param"], "model");
}

/// `/v1/embeddings` passes through, and `/v1/models` lists what the key may use.
#[tokio::test]
async fn embeddings_and_models() {
    let vectors = json!({ "object": "list", "model": "text-embedding-3-small",
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, -0.25] }],
        "usage": { "prompt_tokens": 4, "total_tokens": 4 } });
    let openai = FakeProvider::answering(Reply::json(200, &vectors)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let body = json!({ "model": "text-embedding-3-small", "input": "Xin chào", "encoding_format": "float" });
    let answer = gateway.ask(Request::new("POST", "/v1/embeddings").key(&key).json(&body)).await.expect(200).json();
    assert_eq!(answer["data"], vectors["data"]);
    assert_eq!(openai.request(1).await.path, "/v1/embeddings");

    let list = |answer: Value| -> Vec<String> {
        assert_eq!(answer["object"], "list");
        let ids = answer["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    let all = list(gateway.ask(Request::get("/v1/models").key(&key)).await.expect(200).json());
    assert!(all.iter().any(|id| id.contains("gpt-4o-mini")), "{all:?}");
    let narrow = gateway.new_key(json!({ "allowed_models": ["sim-*"] })).await;
    let few = list(gateway.ask(Request::get("/v1/models").key(&narrow)).await.expect(200).json());
    assert!(!few.is_empty() && few.iter().all(|id| id.contains("sim-")), "{few:?}");
}
