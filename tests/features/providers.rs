//! Anthropic and Ollama behind OpenAI's API (I1): the golden files beside the translators have the details.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, ollama};
use crate::harness::{FakeProvider, Reply, Request, Setup};

fn tool_conversation(model: &str) -> Value {
    json!({
        "model": model, "max_tokens": 100, "stop": ["END"],
        "messages": [
            { "role": "system", "content": "Trả lời ngắn." },
            { "role": "user", "content": "Thời tiết?" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "a", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Huế\"}" } },
                { "id": "b", "type": "function", "function": { "name": "time", "arguments": "{}" } },
            ] },
            { "role": "tool", "tool_call_id": "a", "content": "nắng" },
            { "role": "tool", "tool_call_id": "b", "content": "12:00" },
        ],
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "w",
            "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } } }],
    })
}

/// I1: system, tools, parallel calls and their results reach Anthropic in its own format, and its calls come back.
#[tokio::test]
async fn i1_anthropic_is_asked_and_answers_in_its_own_format() {
    let content = json!([
        { "type": "text", "text": "Để xem." },
        { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Hà Nội" } },
        { "type": "tool_use", "id": "toolu_2", "name": "time", "input": {} },
    ]);
    let anthropic = FakeProvider::answering(Reply::json(200, &anthropic::message(content, "tool_use"))).await;
    let (gateway, key) = Setup::new().anthropic(&anthropic).start().await.with_key().await;
    let answer = gateway.ask(Request::chat(&key, &tool_conversation("claude-3-sonnet"))).await.expect(200).json();

    let seen = anthropic.request(1).await;
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some("sk-ant-own"));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("authorization"), None);
    assert!(seen.body["system"].to_string().contains("Trả lời ngắn."), "{}", seen.body);
    assert_eq!(seen.body["max_tokens"], 100);
    assert_eq!(seen.body["stop_sequences"], json!(["END"]));
    assert_eq!(seen.body["tools"][0]["input_schema"]["type"], "object");
    let messages = seen.body["messages"].as_array().unwrap();
    let calls: Vec<_> = messages[1]["content"].as_array().unwrap().iter().filter(|b| b["type"] == "tool_use").collect();
    assert_eq!(calls[0]["input"], json!({ "city": "Huế" }));
    assert_eq!(calls[1]["input"], json!({}));
    let results = messages[2]["content"].as_array().unwrap();
    assert_eq!(results.iter().map(|r| &r["tool_use_id"]).collect::<Vec<_>>(), ["a", "b"], "one user message for both");

    let message = &answer["choices"][0]["message"];
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], "Để xem.");
    let arguments = |n: usize| -> Value {
        serde_json::from_str(message["tool_calls"][n]["function"]["arguments"].as_str().unwrap()).unwrap()
    };
    assert_eq!((arguments(0), arguments(1)), (json!({ "city": "Hà Nội" }), json!({})));
    assert_eq!(message["tool_calls"][1]["id"], "toolu_2");
    assert_eq!(answer["usage"]["total_tokens"], 25);
}

/// Ollama's native chat is spoken, and its answer costs nothing.
#[tokio::test]
async fn ollama_is_asked_and_answers_in_its_own_format() {
    let ollama = FakeProvider::answering(ollama::answer("Chào")).await;
    let (gateway, key) = Setup::new().ollama(&ollama).start().await.with_key().await;
    let answer = gateway.ask(Request::chat(&key, &tool_conversation("llama3:8b"))).await.expect(200).json();

    let seen = ollama.request(1).await;
    assert_eq!(seen.path, "/api/chat");
    assert_eq!(seen.body["stream"], false);
    assert_eq!(seen.body["options"]["stop"], json!(["END"]));
    assert_eq!(seen.body["options"]["num_predict"], 100);
    let call = &seen.body["messages"][2]["tool_calls"][0]["function"];
    assert_eq!(call["arguments"], json!({ "city": "Huế" }), "arguments are an object there");

    assert_eq!(answer["choices"][0]["message"]["content"], "Chào");
    assert_eq!(answer["usage"]["prompt_tokens"], 10);
    assert_eq!(answer["metadata"]["provider"], "ollama");
    assert_eq!(answer["metadata"]["cost_usd"].as_f64(), Some(0.0), "a local model is free");
}

/// I6: a parameter without a counterpart is dropped, and named in `x-gateway-dropped-params`.
#[tokio::test]
async fn i6_dropped_parameters_are_named() {
    let anthropic = FakeProvider::answering(anthropic::answer("hi")).await;
    let (gateway, key) = Setup::new().anthropic(&anthropic).start().await.with_key().await;
    let mut body = crate::harness::client::hello("claude-3-sonnet");
    body["seed"] = json!(7);
    let answer = gateway.ask(Request::chat(&key, &body)).await.expect(200);
    assert_eq!(anthropic.request(1).await.body["seed"], Value::Null);
    let dropped = answer.header("x-gateway-dropped-params").expect("the header names what was dropped");
    assert!(dropped.contains("seed"), "{dropped}");
}
