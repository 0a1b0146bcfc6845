//! As Anthropic's Messages.

use serde_json::{Value, json};

use super::super::anthropic::event;
use super::{End, Part, Scene};

fn stop_reason(scene: &Scene) -> &'static str {
    match scene.end {
        End::Length => "max_tokens",
        End::Done if scene.is_refused() => "refusal",
        End::Done if scene.has_calls() => "tool_use",
        End::Done => "end_turn",
    }
}

fn message(content: &Value, stop_reason: Option<&str>, output: u64) -> Value {
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": { "input_tokens": 88, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 13,
            "output_tokens": output } })
}

pub fn whole(scene: &Scene) -> Value {
    let blocks = scene.parts.iter().map(|part| match part {
        Part::Text(text) | Part::Refusal(text) => json!({ "type": "text", "text": text }),
        Part::Thinking(text) => json!({ "type": "thinking", "thinking": text, "signature": "U0lH" }),
        Part::Call { id, name, arguments } => json!({ "type": "tool_use", "id": id, "name": name, "input": arguments }),
    });
    message(&json!(blocks.collect::<Vec<_>>()), Some(stop_reason(scene)), 37)
}

pub fn stream(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let start = message(&json!([]), None, 1);
    let mut out = vec![event("message_start", json!({ "message": start })), event("ping", json!({}))];
    let told = |text: &str, tell: &dyn Fn(&str) -> Value| -> Vec<Value> {
        scene.pieces_of(text).into_iter().map(tell).collect()
    };
    for (index, part) in scene.parts.iter().enumerate() {
        let (block, deltas) = match part {
            Part::Text(text) | Part::Refusal(text) => (
                json!({ "type": "text", "text": "" }),
                told(text, &|piece| json!({ "type": "text_delta", "text": piece })),
            ),
            Part::Thinking(text) => {
                let mut deltas = told(text, &|piece| json!({ "type": "thinking_delta", "thinking": piece }));
                deltas.push(json!({ "type": "signature_delta", "signature": "U0lH" }));
                (json!({ "type": "thinking", "thinking": "", "signature": "" }), deltas)
            }
            Part::Call { id, name, arguments } => (
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                told(&arguments.to_string(), &|piece| json!({ "type": "input_json_delta", "partial_json": piece })),
            ),
        };
        out.push(event("content_block_start", json!({ "index": index, "content_block": block })));
        out.extend(
            deltas.into_iter().map(|delta| event("content_block_delta", json!({ "index": index, "delta": delta }))),
        );
        out.push(event("content_block_stop", json!({ "index": index })));
    }
    let delta = json!({ "stop_reason": stop_reason(scene), "stop_sequence": null });
    let end = event("message_delta", json!({ "delta": delta, "usage": { "output_tokens": 37 } }));
    (out, vec![end, event("message_stop", json!({}))])
}
