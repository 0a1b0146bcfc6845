//! As Ollama's native chat, which knows no refusals: they are text.

use serde_json::{Value, json};

use super::{End, Part, Scene};

fn line(message: Value, end: Option<End>) -> Value {
    let mut line = json!({ "model": "fake-1", "created_at": "2025-01-15T10:00:00Z", "message": message,
        "done": end.is_some() });
    line["message"]["role"] = json!("assistant");
    if let Some(end) = end {
        line["done_reason"] = json!(if end == End::Length { "length" } else { "stop" });
        line["prompt_eval_count"] = json!(101);
        line["eval_count"] = json!(37);
        line["total_duration"] = json!(5_000_000);
    }
    line
}

fn call(name: &str, arguments: &Value) -> Value {
    json!({ "function": { "name": name, "arguments": arguments } })
}

pub fn whole(scene: &Scene) -> Value {
    let mut message = json!({ "content": "" });
    let mut calls = Vec::new();
    for part in &scene.parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                message["content"] = json!(message["content"].as_str().unwrap_or("").to_owned() + text);
            }
            Part::Thinking(text) => message["thinking"] = json!(text),
            Part::Call { name, arguments, .. } => calls.push(call(name, arguments)),
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    line(message, Some(scene.end))
}

pub fn stream(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let mut out = Vec::new();
    for part in &scene.parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                out.extend(scene.pieces_of(text).into_iter().map(|piece| line(json!({ "content": piece }), None)));
            }
            Part::Thinking(text) => {
                out.extend(
                    scene
                        .pieces_of(text)
                        .into_iter()
                        .map(|piece| line(json!({ "content": "", "thinking": piece }), None)),
                );
            }
            Part::Call { name, arguments, .. } => {
                out.push(line(json!({ "content": "", "tool_calls": [call(name, arguments)] }), None));
            }
        }
    }
    let text = |line: Value| format!("{line}\n");
    (out.into_iter().map(text).collect(), vec![text(line(json!({ "content": "" }), Some(scene.end)))])
}
