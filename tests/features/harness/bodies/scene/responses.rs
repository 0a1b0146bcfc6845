//! As OpenAI's Responses.

use serde_json::{Value, json};

use super::{End, Part, Scene};

fn item(index: usize, part: &Part) -> Value {
    let message = |content: Value| {
        json!({ "id": format!("msg_{index}"), "type": "message", "status": "completed", "role": "assistant",
            "content": [content] })
    };
    match part {
        Part::Text(text) => message(json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })),
        Part::Refusal(text) => message(json!({ "type": "refusal", "refusal": text })),
        Part::Thinking(text) => json!({ "id": format!("rs_{index}"), "type": "reasoning",
            "summary": [{ "type": "summary_text", "text": text }], "encrypted_content": "RU5D" }),
        Part::Call { id, name, arguments } => json!({ "id": format!("fc_{index}"), "type": "function_call",
            "call_id": id, "name": name, "arguments": arguments.to_string(), "status": "completed" }),
    }
}

fn response(status: &str, output: &Value, error: &Value, usage: &Value) -> Value {
    let incomplete = if status == "incomplete" { json!({ "reason": "max_output_tokens" }) } else { Value::Null };
    json!({ "id": "resp_1", "object": "response", "created_at": 1_736_935_200, "status": status, "error": error,
        "incomplete_details": incomplete, "instructions": null, "max_output_tokens": null, "model": "fake-1",
        "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null }, "store": false, "temperature": 1.0,
        "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": usage, "metadata": {} })
}

fn usage() -> Value {
    json!({ "input_tokens": 101, "input_tokens_details": { "cached_tokens": 13, "cache_write_tokens": 0 }, "output_tokens": 37,
        "output_tokens_details": { "reasoning_tokens": 7 }, "total_tokens": 138 })
}

fn status(scene: &Scene) -> &'static str {
    if scene.end == End::Length { "incomplete" } else { "completed" }
}

fn items(scene: &Scene) -> Value {
    json!(scene.parts.iter().enumerate().map(|(index, part)| item(index, part)).collect::<Vec<_>>())
}

pub fn whole(scene: &Scene) -> Value {
    response(status(scene), &items(scene), &Value::Null, &usage())
}

/// Events in their order, numbered.
#[derive(Default)]
struct Events(Vec<String>);

impl Events {
    fn push(&mut self, kind: &str, mut data: Value) {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.0.len());
        self.0.push(format!("event: {kind}\ndata: {data}\n\n"));
    }
}

fn begun(scene: &Scene) -> Events {
    let mut events = Events::default();
    let started = response("in_progress", &json!([]), &Value::Null, &Value::Null);
    events.push("response.created", json!({ "response": started }));
    events.push("response.in_progress", json!({ "response": started }));
    for (index, part) in scene.parts.iter().enumerate() {
        let whole = item(index, part);
        let mut opened = whole.clone();
        if opened.get("status").is_some() {
            opened["status"] = json!("in_progress");
        }
        let at = |more: Value| {
            let mut data = json!({ "item_id": whole["id"], "output_index": index });
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            data
        };
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                opened["content"] = json!([]);
                events.push("response.output_item.added", json!({ "output_index": index, "item": opened }));
                let (name, field, kind) = match part {
                    Part::Text(_) => ("output_text", "text", "response.output_text"),
                    _ => ("refusal", "refusal", "response.refusal"),
                };
                let mut part = whole["content"][0].clone();
                part[field] = json!("");
                assert_eq!(part["type"], name);
                events.push("response.content_part.added", at(json!({ "content_index": 0, "part": part })));
                let told = |mut event: Value| {
                    if field == "text" {
                        event["logprobs"] = json!([]);
                    }
                    at(event)
                };
                for piece in scene.pieces_of(text) {
                    events.push(&format!("{kind}.delta"), told(json!({ "content_index": 0, "delta": piece })));
                }
                events.push(&format!("{kind}.done"), told(json!({ "content_index": 0, (field): text })));
                let part = &whole["content"][0];
                events.push("response.content_part.done", at(json!({ "content_index": 0, "part": part })));
            }
            Part::Thinking(text) => {
                opened["summary"] = json!([]);
                events.push("response.output_item.added", json!({ "output_index": index, "item": opened }));
                let part = |text: &str| json!({ "summary_index": 0, "part": { "type": "summary_text", "text": text } });
                events.push("response.reasoning_summary_part.added", at(part("")));
                for piece in scene.pieces_of(text) {
                    let delta = json!({ "summary_index": 0, "delta": piece });
                    events.push("response.reasoning_summary_text.delta", at(delta));
                }
                let done = json!({ "summary_index": 0, "text": text });
                events.push("response.reasoning_summary_text.done", at(done));
                events.push("response.reasoning_summary_part.done", at(part(text)));
            }
            Part::Call { name, arguments, .. } => {
                opened["arguments"] = json!("");
                events.push("response.output_item.added", json!({ "output_index": index, "item": opened }));
                let arguments = arguments.to_string();
                for piece in scene.pieces_of(&arguments) {
                    events.push("response.function_call_arguments.delta", at(json!({ "delta": piece })));
                }
                let done = json!({ "name": name, "arguments": arguments });
                events.push("response.function_call_arguments.done", at(done));
            }
        }
        events.push("response.output_item.done", json!({ "output_index": index, "item": whole }));
    }
    events
}

pub fn stream(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let mut events = begun(scene);
    let end = events.0.len();
    let whole = response(status(scene), &items(scene), &Value::Null, &usage());
    events.push(&format!("response.{}", status(scene)), json!({ "response": whole }));
    let end = events.0.split_off(end);
    (events.0, end)
}

/// The event that tells of a failure after the content.
pub fn failure(scene: &Scene, message: &str) -> String {
    let mut events = begun(scene);
    let error = json!({ "code": "server_error", "message": message });
    let failed = response("failed", &items(scene), &error, &Value::Null);
    events.push("response.failed", json!({ "response": failed }));
    events.0.pop().unwrap()
}
