//! Anthropic's Messages.

use serde_json::{Value, json};

use crate::harness::Reply;

/// A reply with a whole message.
pub fn answer(text: &str) -> Reply {
    Reply::json(200, &message(json!([{ "type": "text", "text": text }]), "end_turn"))
}

/// A whole message with any content.
pub fn message(content: Value, stop_reason: &str) -> Value {
    json!({
        "id": "msg_fake", "type": "message", "role": "assistant", "model": "claude-3-sonnet-20240229",
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "usage": { "input_tokens": 10, "output_tokens": 15 },
    })
}

/// A reply with an error.
pub fn error(status: u16, kind: &str) -> Reply {
    let error = json!({ "type": kind, "message": format!("the provider says {status}") });
    Reply::json(status, &json!({ "type": "error", "error": error }))
}

pub fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

/// The first events of a stream, which have no content yet.
pub fn start() -> Vec<String> {
    let message = json!({ "id": "msg_fake", "type": "message", "role": "assistant", "content": [],
        "model": "claude-3-sonnet-20240229", "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 10, "output_tokens": 1 } });
    vec![event("message_start", json!({ "message": message })), event("ping", json!({}))]
}

/// A stream that says these words.
pub fn stream(words: &[&str]) -> Reply {
    let mut events = start();
    events.push(event("content_block_start", json!({ "index": 0, "content_block": { "type": "text", "text": "" } })));
    for word in words {
        let delta = json!({ "type": "text_delta", "text": word });
        events.push(event("content_block_delta", json!({ "index": 0, "delta": delta })));
    }
    events.push(event("content_block_stop", json!({ "index": 0 })));
    events.extend(end("end_turn"));
    Reply::events(events)
}

/// The last events of a stream.
pub fn end(stop_reason: &str) -> Vec<String> {
    let delta = json!({ "stop_reason": stop_reason, "stop_sequence": null });
    vec![
        event("message_delta", json!({ "delta": delta, "usage": { "output_tokens": 15 } })),
        event("message_stop", json!({})),
    ]
}
