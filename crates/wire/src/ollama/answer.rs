//! A whole answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{error_in, finish_reason, logprobs, tool_call, usage_json, usage_of};
use crate::WholeAnswer;
use crate::surrogates::replace_lone;

/// Translates a whole answer; `strict` leaves out what OpenAI's format does not have (I5).
///
/// # Errors
/// A text that says what is wrong with it.
pub fn chat_answer(body: &[u8], id: &str, created: u64, strict: bool) -> Result<WholeAnswer, String> {
    let malformed = || "The provider's answer is not in Ollama's format.".to_owned();
    let answer: Value = serde_json::from_slice(&replace_lone(body)).map_err(|_| malformed())?;
    if let Some(error) = error_in(&answer) {
        return Err(error.message);
    }
    if answer["done"] == false {
        return Err("The provider's answer is not complete.".to_owned());
    }
    let given = answer["message"].as_object().ok_or_else(malformed)?;
    let calls = given.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let calls: Vec<Value> = calls.enumerate().map(|(at, call)| tool_call(call, id, at)).collect();
    let text = given.get("content").and_then(Value::as_str).unwrap_or_default();
    let has_calls = !calls.is_empty();
    let content = if has_calls && text.is_empty() { Value::Null } else { json!(text) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if has_calls {
        message["tool_calls"] = Value::Array(calls);
    }
    let thinking = given.get("thinking").and_then(Value::as_str).filter(|text| !strict && !text.is_empty());
    if let Some(thinking) = thinking {
        message["reasoning_content"] = json!(thinking);
    }
    let mut translated = json!({
        "id": id, "object": "chat.completion", "created": created, "model": answer["model"],
        "choices": [{"index": 0, "message": message, "logprobs": logprobs(&answer),
            "finish_reason": finish_reason(answer["done_reason"].as_str(), has_calls)}],
    });
    let usage = usage_of(&answer);
    if let Some(usage) = &usage {
        translated["usage"] = usage_json(usage);
    }
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage })
}
