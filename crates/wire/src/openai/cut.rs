//! The end of a stream that the gateway cuts.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{Usage, sse};

/// The most choices that an answer has.
const MAX_CHOICES: u64 = 128;

/// The framed chunk that ends every choice with `finish_reason: "length"`, in the manner of another chunk of its stream.
pub fn cut_off(frame: &[u8], choices: u64) -> Bytes {
    let ended = |index| json!({"index": index, "delta": {}, "finish_reason": "length"});
    let mut chunk = head_of(frame);
    chunk.insert("choices".to_owned(), (0..choices.min(MAX_CHOICES)).map(ended).collect());
    sse::frame(Value::Object(chunk).to_string().as_bytes())
}

/// The chunk that tells the usage of such a stream: JSON text, not framed.
pub fn usage_chunk(frame: &[u8], usage: &Usage) -> Bytes {
    let (prompt_tokens, completion_tokens) = (usage.prompt_tokens, usage.completion_tokens);
    let mut chunk = head_of(frame);
    chunk.insert("choices".to_owned(), json!([]));
    let total_tokens = usage.total_tokens();
    let counts =
        json!({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total_tokens});
    chunk.insert("usage".to_owned(), counts);
    Bytes::from(Value::Object(chunk).to_string())
}

/// What all chunks of a stream have in common with a framed one.
fn head_of(frame: &[u8]) -> Map<String, Value> {
    let json = frame.strip_prefix(b"data: ").unwrap_or(frame);
    let mut chunk: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    chunk.retain(|name, _| matches!(name.as_str(), "id" | "object" | "created" | "model" | "system_fingerprint"));
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_looks_like_the_rest_of_the_stream() {
        let frame = br#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{"content":"x"}}],"obfuscation":"zz"}

"#;
        let ended = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"length"},{"index":1,"delta":{},"finish_reason":"length"}]}

"#;
        assert_eq!(cut_off(frame, 2), ended);
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
        let told = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
        assert_eq!(usage_chunk(frame, &usage), told);
    }
}
