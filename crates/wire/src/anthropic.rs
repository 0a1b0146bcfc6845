//! Anthropic's Messages API (version 2023-06-01): <https://docs.anthropic.com/en/api/messages>.
//!
//! What has a counterpart in the other format is translated; what has none is named in `dropped_params` on the way there
//! (I6), and left out on the way back.

mod answer;
mod citations;
mod content;
mod error;
mod messages;
mod model;
mod request;
mod stream;
mod thinking;
mod tools;
mod usage;

pub use answer::chat_answer;
pub use error::error_body;
pub use request::chat_request;
pub use stream::ChatStream;
pub use usage::usage_in;

/// OpenAI's finish reason for Anthropic's stop reason; an answer with calls ends with them (I2).
fn finish_reason(stop_reason: &str, has_calls: bool) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // "end_turn", "stop_sequence" and "pause_turn".
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}

/// OpenAI's service tier for the one that served a request.
fn service_tier(counts: &serde_json::Value) -> Option<&'static str> {
    match counts.get("service_tier")?.as_str()? {
        "standard" => Some("default"),
        "priority" => Some("priority"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
