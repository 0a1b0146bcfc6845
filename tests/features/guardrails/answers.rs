//! Guardrails of answers: places and forms in which a value might hide.

use serde_json::{Value, json};

use super::{PII, REDACTED, assert_clean, guardrails, pii};
use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Reply, Request, Setup};

/// Texts that begin like JSON, and what is left of them.
const INPUTS: [(&str, &str); 5] = [
    ("0912 345 678 là số của tôi", "[PHONE_REDACTED] là số của tôi"),
    ("4111 1111 1111 1111", "[CARD_REDACTED]"),
    ("123456789 là số CMND của tôi", "[CMND_REDACTED] là số CMND của tôi"),
    ("192.168.10.20", "[IP_REDACTED]"),
    (r#"{"a":1}0912 345 678"#, r#"{"a":1}[PHONE_REDACTED]"#),
];

fn question(stream: bool) -> Value {
    json!({ "model": "gpt-4o-mini", "stream": stream, "messages": [{ "role": "user", "content": "Xin chào!" }] })
}

fn whole(message: Value, more: Value) -> Reply {
    let mut body = openai::completion("");
    body["choices"][0]["message"] = message;
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::json(200, &body)
}

/// D8: the input of a custom tool is text, whatever it begins with; denied, it is a 446.
#[tokio::test]
async fn d8_the_input_of_a_custom_tool_is_guarded_as_text() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    for (input, redacted) in INPUTS {
        let call = |text: &str| json!([{ "index": 0, "id": "call_1", "type": "custom", "custom": { "name": "f", "input": text } }]);
        for (action, status) in [("redact", 200), ("deny", 446)] {
            openai.once(whole(json!({ "role": "assistant", "content": null, "tool_calls": call(input) }), json!({})));
            let asked = Request::chat(&key, &question(false)).config(&pii("output", action));
            let answer = gateway.ask(asked).await.expect(status);
            if status == 200 {
                let told = &answer.json()["choices"][0]["message"]["tool_calls"][0]["custom"]["input"];
                assert_eq!(told, redacted, "{input}");
            }
        }
        let characters: Vec<String> = input.chars().map(String::from).collect();
        let part = |text: &str| openai::delta(json!({ "tool_calls": [{ "index": 0, "custom": { "input": text } }] }));
        let mut events = vec![openai::role(), openai::delta(json!({ "tool_calls": call("") }))];
        events.extend(characters.iter().map(|text| part(text)));
        events.extend([openai::finish("tool_calls"), "data: [DONE]\n\n".to_owned()]);
        openai.once(Reply::events(events));
        let asked = Request::chat(&key, &question(true)).config(&pii("output", "redact"));
        let events = gateway.stream(asked).await.rest().await;
        let part = |chunk: &&Value| {
            Some(chunk["choices"][0]["delta"]["tool_calls"][0]["custom"]["input"].as_str()?.to_owned())
        };
        assert_eq!(events.chunks().iter().filter_map(part).collect::<String>(), redacted, "{input}");
    }
}

/// D8: neither a message beside the delta, nor a field beside the choices, nor a turn between two halves shows a value.
#[tokio::test]
async fn d8_no_place_of_an_answer_shows_a_value() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let results = json!([{ "title": PII, "snippet": PII, "url": "https://example.com/a" }]);
    let message = json!({ "role": "assistant", "content": "Xong." });
    openai.once(whole(message, json!({ "search_results": results, "citations": [PII] })));
    let asked = Request::chat(&key, &question(false)).config(&pii("output", "redact"));
    let answer = gateway.ask(asked).await.expect(200);
    assert_clean("the whole answer", &answer.text());
    assert_eq!(answer.json()["search_results"][0]["snippet"], REDACTED);
    let chunk = |choice: Value| {
        let mut chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m" });
        chunk["choices"] = json!([choice]);
        chunk["search_results"] = results.clone();
        openai::event(&chunk)
    };
    let said = json!({ "content": PII });
    openai.once(Reply::events([
        chunk(json!({ "index": 0, "delta": { "role": "assistant", "content": "Gọi 0912" }, "message": said })),
        chunk(json!({ "index": 0, "delta": { "reasoning_content": "hm" } })),
        chunk(json!({ "index": 0, "delta": { "content": "345678" } })),
        chunk(json!({ "index": 0, "message": said, "text": PII, "reasoning": PII })),
        chunk(json!({ "index": 0, "delta": {}, "message": said, "finish_reason": "stop" })),
        "data: [DONE]\n\n".to_owned(),
    ]));
    let asked = Request::chat(&key, &question(true)).config(&pii("output", "redact"));
    let events = gateway.stream(asked).await.rest().await;
    assert_eq!(events.text(), "Gọi [PHONE_REDACTED]");
    assert_clean("the stream", &format!("{:?}", events.chunks()));
    assert!(events.chunks().iter().any(|chunk| chunk["search_results"][0]["title"] == REDACTED));
}

/// D8: a stream that breaks in the middle of a value shows no part of it.
#[tokio::test]
async fn d8_a_broken_stream_shows_no_part_of_a_value() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    openai.once(Reply::events([openai::role(), openai::text("Số CMND: "), openai::text("1234567")]));
    let asked = Request::chat(&key, &question(true)).config(&pii("output", "redact"));
    let events = gateway.stream(asked).await.rest().await;
    assert_eq!(events.errors().len(), 1, "{events:?}");
    assert!(!events.text().contains('1'), "{events:?}");
}

/// D8: checks of the answer judge one that says nothing too, but for the turns that call tools.
#[tokio::test]
async fn d8_an_answer_without_text_is_judged() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let config = guardrails("output", json!({ "default.notNull": {}, "deny": true }));
    let call = json!([{ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{}" } }]);
    for (message, status) in [
        (json!({ "role": "assistant", "content": null }), 446),
        (json!({ "role": "assistant", "content": null, "refusal": "No." }), 446),
        (json!({ "role": "assistant", "content": null, "tool_calls": call }), 200),
        (json!({ "role": "assistant", "content": "Xong." }), 200),
    ] {
        openai.once(whole(message, json!({})));
        gateway.ask(Request::chat(&key, &question(false)).config(&config)).await.expect(status);
    }
    openai.once(Reply::events([openai::role(), openai::finish("stop"), "data: [DONE]\n\n".to_owned()]));
    let events = gateway.stream(Request::chat(&key, &question(true)).config(&config)).await.rest().await;
    assert_eq!(events.errors().len(), 1, "{events:?}");
}
