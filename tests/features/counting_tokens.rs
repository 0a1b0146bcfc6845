//! `POST /v1/messages/count_tokens` and `POST /v1/responses/input_tokens`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Request, Setup};

fn count(key: &str, path: &str, body: &Value) -> Request {
    Request::new("POST", path).key(key).json(body)
}

fn message(model: &str, words: usize) -> Value {
    json!({ "model": model, "system": "be kind", "messages": [{ "role": "user", "content": "word ".repeat(words) }],
        "tools": [{ "name": "look", "description": "looks around", "input_schema": { "type": "object" } }] })
}

/// J15: 25 counts at once answer, whatever the key's limits and budget are, and reach no provider.
#[tokio::test]
async fn j15_many_counts_at_once_cost_nothing() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "rate_limit": 1, "budget_limit_usd": 0 })).await;
    for model in ["claude-sonnet-4-5", "gpt-4o-mini", "ollama/llama3", "a-model-that-nobody-knows"] {
        let body = message(model, 1_000);
        let asked = (0..25).map(|_| gateway.ask(count(&key, "/v1/messages/count_tokens", &body)));
        for answer in join_all(asked).await {
            let told = answer.expect(200).json();
            let tokens = told["input_tokens"].as_u64().unwrap();
            assert!((1_000..2_000).contains(&tokens), "{model}: {told}");
            assert_eq!(told.as_object().unwrap().len(), 1);
        }
    }
    assert_eq!(openai.count(), 0);
    let row = gateway.admin("GET", "/admin/usage", None).await.expect(200).text();
    assert!(!row.contains("count_tokens"), "{row}");
}

/// J15: a count grows with what is asked, tools and pictures included.
#[tokio::test]
async fn j15_all_that_is_asked_counts() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let counted = async |body: &Value| {
        let answer = gateway.ask(count(&key, "/v1/messages/count_tokens", body)).await.expect(200).json();
        answer["input_tokens"].as_u64().unwrap()
    };
    let whole = message("claude-sonnet-4-5", 10);
    let mut plain = whole.clone();
    plain.as_object_mut().unwrap().remove("tools");
    let mut seen = whole.clone();
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "AAAA" });
    seen["messages"][0]["content"] = json!([{ "type": "image", "source": source }]);
    let (plain, whole, seen) = (counted(&plain).await, counted(&whole).await, counted(&seen).await);
    assert!(plain + 20 < whole && whole + 1_500 < seen, "{plain} {whole} {seen}");
}

/// The Responses count, with the conversation that it goes on from.
#[tokio::test]
async fn responses_are_counted_with_their_history() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let first = json!({ "model": "gpt-4o-mini", "input": "word ".repeat(500) });
    let first = gateway.ask(count(&key, "/v1/responses", &first)).await.expect(200).json();
    let body = json!({ "model": "gpt-4o-mini", "input": "more", "previous_response_id": first["id"] });
    let told = gateway.ask(count(&key, "/v1/responses/input_tokens", &body)).await.expect(200).json();
    assert_eq!(told["object"], "response.input_tokens");
    assert!((500..600).contains(&told["input_tokens"].as_u64().unwrap()), "{told}");
    assert_eq!(openai.count(), 1);
}

/// Errors have the format's own shape.
#[tokio::test]
async fn a_count_is_refused_in_its_format() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let refused = gateway.ask(count("vk-none", "/v1/messages/count_tokens", &json!({}))).await.expect(401).json();
    assert_eq!((&refused["type"], &refused["error"]["type"]), (&json!("error"), &json!("authentication_error")));
    let unnamed = json!({ "messages": [{ "role": "user", "content": "a" }] });
    let refused = gateway.ask(count(&key, "/v1/messages/count_tokens", &unnamed)).await.expect(400).json();
    assert_eq!(refused["error"]["type"], "invalid_request_error");
    let refused =
        gateway.ask(count(&key, "/v1/responses/input_tokens", &json!({ "model": "m" }))).await.expect(400).json();
    assert_eq!(refused["error"]["param"], "input");
    gateway.ask(Request::get("/v1/messages/count_tokens").key(&key)).await.expect(405);
}

/// Counts are work as any: who asks too often from one address is told to wait.
#[tokio::test]
async fn counts_are_in_the_limit_of_their_address() {
    let (gateway, key) = Setup::new().set("server.ip_rate_limit_per_minute", 2).start().await.with_key().await;
    let body = message("gpt-4o-mini", 10);
    for status in [200, 200, 429] {
        gateway.ask(count(&key, "/v1/messages/count_tokens", &body)).await.expect(status);
    }
}
