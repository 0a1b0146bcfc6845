//! A whole answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{finish_reason, tool_call, usage_json, usage_of};
use crate::wire::WholeAnswer;

/// Translates a whole answer; `strict` leaves out what OpenAI's format does not have (I5).
///
/// # Errors
/// A text that says what is wrong with it.
pub fn chat_answer(body: &[u8], id: &str, created: u64, strict: bool) -> Result<WholeAnswer, String> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|_| "The provider's answer is not in Ollama's format.".to_owned())?;
    if let Some(error) = answer["error"].as_str() {
        return Err(error.to_owned());
    }
    let given = answer["message"].as_object().ok_or("The provider's answer is not in Ollama's format.")?;
    let calls = given.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let calls: Vec<Value> = calls.enumerate().map(|(at, call)| tool_call(call, id, at)).collect();
    let text = given.get("content").and_then(Value::as_str).unwrap_or_default();
    let has_calls = !calls.is_empty();
    let content = if has_calls && text.is_empty() { Value::Null } else { json!(text) };
    let mut message = json!({"role": "assistant", "content": content});
    if has_calls {
        message["tool_calls"] = Value::Array(calls);
    }
    let thinking = given.get("thinking").and_then(Value::as_str).filter(|text| !strict && !text.is_empty());
    if let Some(thinking) = thinking {
        message["reasoning_content"] = json!(thinking);
    }
    let usage = usage_of(&answer);
    let translated = json!({
        "id": id, "object": "chat.completion", "created": created, "model": answer["model"],
        "choices": [{"index": 0, "message": message, "logprobs": answer.get("logprobs"),
            "finish_reason": finish_reason(answer["done_reason"].as_str(), has_calls)}],
        "usage": usage_json(&usage.unwrap_or_default()),
    });
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage })
}
