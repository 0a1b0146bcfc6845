use std::collections::HashSet;

use bytes::Bytes;
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
        "max_tokens": 100, "max_completion_tokens": 100, "stop": ["a", "b"], "presence_penalty": 0.1,
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
    for ignored in IGNORED {
        let mut body = full();
        body[ignored] = json!("anything");
        assert_eq!(key(&body), key(&full()), "{ignored}");
    }
}
