use std::collections::HashSet;

use bytes::Bytes;
use gateway_wire::clients::messages::Messages;
use gateway_wire::clients::responses::Responses;
use serde_json::json;

use super::*;

const AROUND: Surroundings<'static> =
    Surroundings { tenant: "team:blue", namespace: "", endpoint: "/v1/chat/completions", plan: "openai" };

fn key(body: &Value) -> CacheKey {
    key_of_text(&body.to_string())
}

fn key_of_text(body: &str) -> CacheKey {
    cache_key(AROUND, &JsonObject::parse(Bytes::from(body.to_owned())).unwrap()).unwrap()
}

/// A request that uses every field that OpenAI documents for it, and one that nobody knows.
fn full() -> Value {
    json!({
        "model": "gpt-4o", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Hello"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "7"}],
        "tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object"}}}],
        "tool_choice": "auto", "parallel_tool_calls": true, "temperature": 0.5, "top_p": 0.9, "n": 1, "seed": 7,
        "max_completion_tokens": 100, "stop": ["a", "b"], "presence_penalty": 0.1,
        "frequency_penalty": 0.2, "logit_bias": {"50256": -100}, "logprobs": true, "top_logprobs": 2,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        "reasoning_effort": "low", "modalities": ["text"], "audio": {"voice": "alloy"}, "service_tier": "auto",
        "prediction": {"type": "content", "content": "x"}, "web_search_options": {}, "verbosity": "low",
        "a_field_that_nobody_knows": {"deep": [1, {"deeper": "yes"}]},
    })
}

/// All values of a body that can be changed, each changed once, and each field left out or added once.
fn mutations(value: &Value, out: &mut dyn FnMut(Value)) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let mut without = fields.clone();
                without.remove(name);
                out(Value::Object(without));
                mutations(inner, &mut |changed| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), changed);
                    out(Value::Object(fields));
                });
            }
            let mut more = fields.clone();
            more.insert("one_more".to_owned(), Value::Null);
            out(Value::Object(more));
        }
        Value::Array(items) => {
            out(Value::Array(items.iter().chain([&Value::Null]).cloned().collect()));
            for at in 0..items.len() {
                let mut without = items.clone();
                without.remove(at);
                out(Value::Array(without));
                mutations(&items[at], &mut |changed| {
                    let mut items = items.clone();
                    items[at] = changed;
                    out(Value::Array(items));
                });
            }
        }
        Value::String(text) => out(json!(format!("{text}."))),
        Value::Number(number) => out(json!(number.as_f64().unwrap() + 1.0)),
        Value::Bool(truth) => out(json!(!truth)),
        Value::Null => out(json!(false)),
    }
}

/// F1: whatever is changed in a request, at whatever depth, is another request; so is another tenant, namespace, route,
/// or plan.
#[test]
fn f1_every_change_makes_another_key() {
    let mut keys = HashSet::from([key(&full())]);
    let mut count = 1;
    mutations(&full(), &mut |changed| {
        count += 1;
        assert!(keys.insert(key(&changed)), "the key of an earlier request: {changed}");
    });
    assert!(count > 150, "{count} changes");
    let body = JsonObject::parse(Bytes::from(full().to_string())).unwrap();
    for around in [
        Surroundings { tenant: "team:red", ..AROUND },
        Surroundings { namespace: "n", ..AROUND },
        Surroundings { endpoint: "/v1/embeddings", ..AROUND },
        Surroundings { plan: "anthropic", ..AROUND },
        // What stands in one place does not pass for what stands in another.
        Surroundings { tenant: "team:blue\u{0}", ..AROUND },
        Surroundings { tenant: "team:bl", namespace: "ue", ..AROUND },
    ] {
        assert!(keys.insert(cache_key(around, &body).unwrap()), "{around:?}");
    }
}

/// F2: white space, the order of fields, the way that a character is written, and the ignored fields change nothing.
#[test]
fn f2_the_same_request_has_the_same_key() {
    let one = r#"{"model":"m","messages":[{"role":"user","content":"chào"}],"temperature":0.5}"#;
    let other = "{ \"temperature\": 5e-1,\n \"messages\": [ {\"content\": \"ch\\u00e0o\", \"role\": \"user\"} ], \"model\": \"m\" }";
    assert_eq!(key_of_text(one), key_of_text(other));
    for ignored in WITHOUT_EFFECT {
        let mut body = full();
        body[ignored] = json!("anything");
        assert_eq!(key(&body), key(&full()), "{ignored}");
    }
}

fn parse(body: &Value) -> JsonObject {
    JsonObject::parse(Bytes::from(body.to_string())).unwrap()
}

fn key_in(format: &dyn ClientFormat, body: &Value) -> CacheKey {
    Asked::of(&format.read(&parse(body)).unwrap()).unwrap().key(AROUND).unwrap()
}

/// What chat, Messages and Responses clients say who ask the same: text, settings, tools with calls and results, images.
fn same_in_all() -> [[Value; 3]; 3] {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let url = "https://a.example/b.png";
    [
        [
            json!({"model": "m", "max_tokens": 50, "temperature": 0.5, "messages": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Xin chào!"}]}),
            json!({"model": "m", "max_tokens": 50, "temperature": 0.5, "system": "Be brief.", "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Xin chào!"}]}]}),
            json!({"model": "m", "max_output_tokens": 50, "temperature": 0.5, "instructions": "Be brief.",
                "input": "Xin chào!"}),
        ],
        [
            json!({"model": "m", "max_completion_tokens": 50, "tools": [{"type": "function", "function": {"name": "weather",
                    "description": "Tells it.", "parameters": schema}}], "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
                    "function": {"name": "weather", "arguments": "{\"city\":\"Huế\"}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}]}),
            json!({"model": "m", "max_tokens": 50, "tools": [{"name": "weather", "description": "Tells it.",
                    "input_schema": schema}], "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "weather",
                    "input": {"city": "Huế"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"}]}]}),
            json!({"model": "m", "max_output_tokens": 50, "tools": [{"type": "function", "name": "weather",
                    "description": "Tells it.", "parameters": schema}], "input": [
                {"role": "user", "content": "Weather?"},
                {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Huế\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "Rain"}]}),
        ],
        [
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
                {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]}]}),
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "source": {"type": "url", "url": url}}]}]}),
            json!({"model": "m", "max_output_tokens": 9, "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": url}]}]}),
        ],
    ]
}

/// F2, J24: the same question has the same key in every client format.
#[test]
fn f2_j24_a_question_has_one_key_in_all_formats() {
    let mut keys = HashSet::new();
    for [chat, messages, responses] in same_in_all() {
        let one = key(&chat);
        assert_eq!(key_in(&Messages, &messages), one, "{messages}");
        assert_eq!(key_in(&Responses, &responses), one, "{responses}");
        assert!(keys.insert(one));
        let mut other = messages.clone();
        other["metadata"] = json!({"user_id": "ann"});
        other["stream"] = json!(true);
        assert_eq!(key_in(&Messages, &other), one, "who asks, and how the answer is sent");
    }
}

/// F1, J24: every change of a Messages or Responses request makes another key, also of what chat cannot say.
#[test]
fn f1_j24_every_change_makes_another_key_in_all_formats() {
    let thinking = json!({"model": "m", "max_tokens": 2000, "top_k": 5, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024}, "tool_choice": {"type": "auto"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}], "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                {"type": "text", "text": "no"}]}]}]});
    let sealed = json!({"model": "m", "input": [
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbA=="},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Go on."}],
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low"}, "truncation": "auto", "max_output_tokens": 100});
    for (format, body) in [(&Messages as &dyn ClientFormat, thinking), (&Responses, sealed)] {
        let mut keys = HashSet::from([key_in(format, &body)]);
        let mut read = HashSet::new();
        let mut count = 0;
        mutations(&body, &mut |changed| {
            // What cannot be read is refused; what is read as the same is the same.
            let Ok(conversation) = format.read(&parse(&changed)) else { return };
            let conversation = format!("{:?}", asked(&conversation));
            if conversation == format!("{:?}", asked(&format.read(&parse(&body)).unwrap())) {
                return;
            }
            if read.insert(conversation) {
                count += 1;
                assert!(keys.insert(key_in(format, &changed)), "the key of an earlier request: {changed}");
            }
        });
        assert!(count > 15, "{count} changes");
    }
}
