//! Anthropic's Messages API (version 2023-06-01): <https://docs.anthropic.com/en/api/messages>.

mod answer;
mod content;
mod messages;
mod request;
mod stream;
mod tools;

use serde_json::Value;

use super::{ErrorBody, Usage, openai};

pub use answer::chat_answer;
pub use request::chat_request;
pub use stream::ChatStream;

/// The error of a non-2xx answer in OpenAI's shape.
pub fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let mut error = openai::error_body(status, body);
    error.code.get_or_insert_with(|| error.kind.clone());
    error.kind = match error.kind.as_str() {
        "not_found_error" | "request_too_large" => "invalid_request_error",
        "overloaded_error" => "api_error",
        other => other,
    }
    .to_owned();
    error
}

/// OpenAI's finish reason for Anthropic's stop reason.
fn finish_reason(stop_reason: &str) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    }
}

/// Anthropic counts tokens of its prompt cache beside the input tokens, OpenAI inside them (C2). Counts of a later
/// event replace those of an earlier one.
fn add_usage(usage: &mut Usage, counts: &Value) {
    let count = |name: &str| counts.get(name).and_then(Value::as_u64);
    let before = usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
    let mut plain = usage.prompt_tokens - before.min(usage.prompt_tokens);
    if let Some(input) = count("input_tokens") {
        plain = input;
    }
    if let Some(read) = count("cache_read_input_tokens") {
        usage.cached_tokens = read;
    }
    if let Some(written) = count("cache_creation_input_tokens") {
        let hour = counts.get("cache_creation").and_then(|split| split.get("ephemeral_1h_input_tokens")?.as_u64());
        let hour = hour.unwrap_or(0).min(written);
        usage.cache_write_1h_tokens = hour;
        usage.cache_write_tokens = written - hour;
    }
    usage.prompt_tokens = plain + usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
    if let Some(output) = count("output_tokens") {
        usage.completion_tokens = output;
    }
}

/// Usage in OpenAI's shape.
fn usage_json(usage: &Usage) -> Value {
    serde_json::json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        },
    })
}

#[cfg(test)]
mod tests;
