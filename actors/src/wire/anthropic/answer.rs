//! A whole answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{add_usage, error_body, finish_reason, usage_json};
use crate::wire::{ErrorBody, Usage, WholeAnswer};

/// Translates a whole answer; `strict` leaves out what OpenAI's format does not have (I5).
///
/// # Errors
/// Where it is no message of Anthropic's, or an error.
pub fn chat_answer(body: &[u8], created: u64, strict: bool) -> Result<WholeAnswer, ErrorBody> {
    let malformed = || ErrorBody {
        message: "The provider's answer is not in Anthropic's format.".to_owned(),
        kind: "api_error".to_owned(),
        param: None,
        code: Some("malformed_answer".to_owned()),
    };
    let answer: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(error_body(200, body));
    }
    let blocks = answer.get("content").and_then(Value::as_array).ok_or_else(malformed)?;
    let mut text: Option<String> = None;
    let mut reasoning = String::new();
    let mut thinking = Vec::new();
    let mut calls = Vec::new();
    for block in blocks {
        let part = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match block.get("type").and_then(Value::as_str) {
            Some("text") => text.get_or_insert_default().push_str(part("text")),
            Some("thinking") => {
                reasoning.push_str(part("thinking"));
                thinking.push(block.clone());
            }
            Some("redacted_thinking") => thinking.push(block.clone()),
            Some("tool_use") => {
                let arguments = block.get("input").unwrap_or(&json!({})).to_string();
                calls.push(json!({"id": block.get("id"), "type": "function",
                    "function": {"name": part("name"), "arguments": arguments}}));
            }
            _ => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    if !strict && !thinking.is_empty() {
        message["reasoning_content"] = json!(reasoning);
        // With their signatures, so that a client can send them back (I4).
        message["thinking_blocks"] = Value::Array(thinking);
    }
    let mut usage = Usage::default();
    if let Some(counts) = answer.get("usage") {
        add_usage(&mut usage, counts);
    }
    let stop_reason = answer.get("stop_reason").and_then(Value::as_str).unwrap_or("end_turn");
    let translated = json!({
        "id": answer.get("id"), "object": "chat.completion", "created": created, "model": answer.get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(stop_reason)}],
        "usage": usage_json(&usage),
    });
    let usage = answer.get("usage").is_some().then_some(usage);
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage })
}
