//! What of an answer is read: the headers that its client gets, and what the provider counted.

use bytes::Bytes;
use gateway_wire::{Dialect, Usage, formats};
use serde_json::Value;

use crate::providers::upstream::UpstreamAnswer;

/// The headers of an answer that a client gets. Others speak of the gateway's account, or of the connection.
const HEADERS: [&str; 10] = [
    "content-type",
    "content-disposition",
    "content-range",
    "content-language",
    "accept-ranges",
    "etag",
    "last-modified",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
];

/// The headers that a client gets.
pub(super) fn headers(answer: &UpstreamAnswer) -> Vec<(&'static str, String)> {
    HEADERS.iter().filter_map(|name| Some((*name, answer.header(*name)?.to_owned()))).collect()
}

/// What an answer, or one event of it, counts.
pub(super) fn usage_in(dialect: Dialect, json: &[u8]) -> Option<Usage> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let counts = |part: &Value| {
        let text = part.to_string();
        let told = |usage: &Usage| usage.total_tokens() > 0;
        let read = |dialect| formats::vendor(dialect).usage_in(text.as_bytes()).filter(told);
        let own = read(dialect);
        // OpenAI's newer endpoints count in the words of Responses; what is read of them as chat's is their sum.
        own.filter(|usage| !usage.is_sum).or_else(|| read(Dialect::Responses)).or(own)
    };
    // Events of Responses and Messages hold the answer that they tell of.
    [Some(&value), value.get("response"), value.get("message")].into_iter().flatten().find_map(counts)
}

/// The counts of two events of one stream: each tells some of them, and a later one is never less.
pub(super) fn joined(one: Usage, other: Usage) -> Usage {
    Usage {
        prompt_tokens: one.prompt_tokens.max(other.prompt_tokens),
        completion_tokens: one.completion_tokens.max(other.completion_tokens),
        cached_tokens: one.cached_tokens.max(other.cached_tokens),
        cache_write_tokens: one.cache_write_tokens.max(other.cache_write_tokens),
        cache_write_1h_tokens: one.cache_write_1h_tokens.max(other.cache_write_1h_tokens),
        reasoning_tokens: one.reasoning_tokens.max(other.reasoning_tokens),
        audio_prompt_tokens: one.audio_prompt_tokens.max(other.audio_prompt_tokens),
        audio_completion_tokens: one.audio_completion_tokens.max(other.audio_completion_tokens),
        image_prompt_tokens: one.image_prompt_tokens.max(other.image_prompt_tokens),
        ..other
    }
}

/// What was generated in an event of Responses or Messages; none where it is a chat chunk or holds none.
pub(super) fn text_in(event: &Bytes) -> Option<String> {
    let value: Value = serde_json::from_slice(event).ok()?;
    let delta = value.get("delta")?;
    let parts = ["text", "thinking", "partial_json"];
    let text = delta.as_str().or_else(|| parts.iter().find_map(|name| delta.get(*name)?.as_str()))?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C4: usage is read where each format tells it.
    #[test]
    fn c4_usage_is_read_where_each_format_tells_it() {
        for (dialect, json) in [
            (Dialect::OpenAi, r#"{"usage":{"prompt_tokens":10,"completion_tokens":15}}"#),
            (Dialect::OpenAi, r#"{"usage":{"input_tokens":10,"output_tokens":15,"total_tokens":25}}"#),
            (
                Dialect::OpenAi,
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":10,"output_tokens":15}}}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":15}}}"#,
            ),
            (Dialect::Anthropic, r#"{"type":"message_delta","usage":{"input_tokens":10,"output_tokens":15}}"#),
        ] {
            let usage = usage_in(dialect, json.as_bytes()).unwrap_or_default();
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), (10, 15), "{json}");
        }
        assert_eq!(usage_in(Dialect::OpenAi, b"{\"data\":[]}"), None);
    }

    /// C5: the text of other formats than chat is counted where a client leaves.
    #[test]
    fn c5_generated_text_is_found() {
        let text = |json: &'static str| text_in(&Bytes::from_static(json.as_bytes()));
        assert_eq!(text(r#"{"type":"response.output_text.delta","delta":"a"}"#).as_deref(), Some("a"));
        assert_eq!(text(r#"{"type":"content_block_delta","delta":{"text":"b"}}"#).as_deref(), Some("b"));
        assert_eq!(text(r#"{"choices":[{"delta":{"content":"c"}}]}"#), None);
    }
}
