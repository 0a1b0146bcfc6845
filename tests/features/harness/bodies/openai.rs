//! OpenAI's chat completions.

use serde_json::{Value, json};

use crate::harness::Reply;

pub const DONE: &str = "data: [DONE]\n\n";

/// What [`completion`] and [`usage`] count: 10 prompt and 15 completion tokens of gpt-4o-mini.
pub const COST: f64 = 0.000_010_5;

/// A whole answer.
pub fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "created": 1_736_935_200, "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25 },
    })
}

/// A reply with a whole answer.
pub fn answer(text: &str) -> Reply {
    Reply::json(200, &completion(text))
}

/// A reply with an error.
pub fn error(status: u16) -> Reply {
    let error = json!({ "message": format!("the provider says {status}"), "type": "fake_error", "param": null,
        "code": "fake" });
    Reply::json(status, &json!({ "error": error }))
}

fn chunk_of(choices: Value) -> Value {
    json!({ "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_736_935_200,
        "model": "gpt-4o-mini", "choices": choices })
}

pub fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

/// The first chunk, which has only a role.
pub fn role() -> String {
    event(&chunk_of(json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }])))
}

/// A chunk with text.
pub fn text(text: &str) -> String {
    delta(json!({ "content": text }))
}

/// A chunk with any delta.
pub fn delta(delta: Value) -> String {
    event(&chunk_of(json!([{ "index": 0, "delta": delta, "finish_reason": null }])))
}

pub fn finish(reason: &str) -> String {
    event(&chunk_of(json!([{ "index": 0, "delta": {}, "finish_reason": reason }])))
}

/// The chunk with usage and without choices.
pub fn usage() -> String {
    let mut chunk = chunk_of(json!([]));
    chunk["usage"] = json!({ "prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25 });
    event(&chunk)
}

/// The events of a stream that says these words, usage and end included.
pub fn stream_of(words: &[&str]) -> Vec<String> {
    let words = words.iter().map(|word| text(word));
    let end = [finish("stop"), usage(), DONE.to_owned()];
    std::iter::once(role()).chain(words).chain(end).collect()
}

/// A reply that streams some 64 MB, which is more than all buffers on its way hold, and then falls silent.
pub fn flood() -> Reply {
    let piece = text(&"x".repeat(64 * 1024));
    (0..1_000).fold(Reply::events([role()]), |reply, _| reply.then(&piece)).stall()
}

/// A reply that streams these words.
pub fn stream(words: &[&str]) -> Reply {
    Reply::events(stream_of(words))
}
