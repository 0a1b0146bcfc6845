//! As OpenAI's chat completions.

use serde_json::{Value, json};

use super::{End, Part, Scene};

fn usage() -> Value {
    json!({ "prompt_tokens": 101, "completion_tokens": 37, "total_tokens": 138,
        "prompt_tokens_details": { "cached_tokens": 13 },
        "completion_tokens_details": { "reasoning_tokens": 7 } })
}

fn finish(scene: &Scene) -> &'static str {
    match scene.end {
        End::Length => "length",
        End::Done if scene.has_calls() => "tool_calls",
        End::Done => "stop",
    }
}

pub fn whole(scene: &Scene) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null });
    let mut calls = Vec::new();
    for part in &scene.parts {
        match part {
            Part::Text(text) => message["content"] = json!(message["content"].as_str().unwrap_or("").to_owned() + text),
            Part::Thinking(text) => message["reasoning_content"] = json!(text),
            Part::Refusal(text) => message["refusal"] = json!(text),
            Part::Call { id, name, arguments } => calls.push(json!({ "id": id, "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() } })),
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1_736_935_200, "model": "fake-1",
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(scene) }],
        "usage": usage() })
}

fn chunk(choices: &Value, usage: &Value) -> String {
    let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_736_935_200,
        "model": "fake-1", "choices": choices, "usage": usage });
    format!("data: {chunk}\n\n")
}

fn delta(delta: &Value) -> String {
    chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]), &Value::Null)
}

/// Calls side by side come interleaved, as some vendors send them.
pub fn stream(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let mut out = vec![delta(&json!({ "role": "assistant", "content": "" }))];
    let (mut later, mut count) = (Vec::new(), 0);
    for part in &scene.parts {
        let field = match part {
            Part::Text(_) => "content",
            Part::Thinking(_) => "reasoning_content",
            Part::Refusal(_) => "refusal",
            Part::Call { id, name, arguments } => {
                let head = json!({ "index": count, "id": id, "type": "function",
                    "function": { "name": name, "arguments": "" } });
                out.push(delta(&json!({ "tool_calls": [head] })));
                for (at, piece) in scene.pieces_of(&arguments.to_string()).into_iter().enumerate() {
                    let more = json!({ "index": count, "function": { "arguments": piece } });
                    later.push((at, delta(&json!({ "tool_calls": [more] }))));
                }
                count += 1;
                continue;
            }
        };
        put_calls(&mut later, &mut out);
        let (Part::Text(text) | Part::Thinking(text) | Part::Refusal(text)) = part else { continue };
        out.extend(scene.pieces_of(text).into_iter().map(|piece| delta(&json!({ (field): piece }))));
    }
    put_calls(&mut later, &mut out);
    let end = chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": finish(scene) }]), &Value::Null);
    (out, vec![end, chunk(&json!([]), &usage()), "data: [DONE]\n\n".to_owned()])
}

/// The arguments of the calls so far: first halves first.
fn put_calls(later: &mut Vec<(usize, String)>, out: &mut Vec<String>) {
    later.sort_by_key(|(at, _)| *at);
    out.extend(later.drain(..).map(|(_, delta)| delta));
}
