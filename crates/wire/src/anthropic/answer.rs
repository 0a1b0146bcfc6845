//! A whole answer.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::citations::annotation;
use super::error::error_body;
use super::usage::{usage_json, usage_of};
use super::{finish_reason, service_tier};
use crate::surrogates::replace_lone;
use crate::{ErrorBody, WholeAnswer, malformed, openai};

/// Translates a whole answer; `created` is in seconds since 1970, `strict` leaves out what OpenAI's format does not
/// have (I5).
///
/// # Errors
/// Where it is no message of Anthropic's, or an error.
pub fn chat_answer(body: &[u8], created: u64, strict: bool) -> Result<WholeAnswer, ErrorBody> {
    let malformed = || malformed("The provider's answer is not in Anthropic's format.");
    let answer: Value = serde_json::from_slice(&replace_lone(body)).map_err(|_| malformed())?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(error_body(200, body));
    }
    let is_bare = || answer.as_object().is_some_and(openai::is_bare_error);
    let no_message = || if is_bare() { error_body(200, body) } else { malformed() };
    let blocks = answer.get("content").and_then(Value::as_array).ok_or_else(no_message)?;
    let mut message = Message::default();
    for block in blocks {
        message.add(block);
    }
    let usage = usage_of(&answer);
    let stop_reason = answer.get("stop_reason").and_then(Value::as_str).unwrap_or("end_turn");
    let reason = finish_reason(stop_reason, !message.calls.is_empty());
    let mut translated = json!({
        "id": answer.get("id"), "object": "chat.completion", "created": created, "model": answer.get("model"),
        "choices": [{"index": 0, "message": message.json(strict), "logprobs": null, "finish_reason": reason}],
    });
    if let Some(usage) = &usage {
        translated["usage"] = usage_json(usage);
        if let Some(tier) = service_tier(&answer["usage"]) {
            translated["service_tier"] = json!(tier);
        }
    }
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage })
}

/// An assistant's message as its blocks are read.
#[derive(Default)]
struct Message {
    text: Option<String>,
    annotations: Vec<Value>,
    reasoning: String,
    thinking: Vec<Value>,
    calls: Vec<Value>,
}

impl Message {
    fn add(&mut self, block: &Value) {
        let part = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                let text = self.text.get_or_insert_default();
                let cited = block.get("citations").and_then(Value::as_array).filter(|list| !list.is_empty());
                // Places are counted only where something is cited.
                let start = cited.map_or(0, |_| text.chars().count());
                text.push_str(part("text"));
                let end = cited.map_or(0, |_| text.chars().count());
                let cited = cited.into_iter().flatten().filter_map(|citation| annotation(citation, start, end));
                self.annotations.extend(cited);
            }
            Some("thinking") => {
                self.reasoning.push_str(part("thinking"));
                self.thinking.push(block.clone());
            }
            Some("redacted_thinking") => self.thinking.push(block.clone()),
            Some("tool_use") => {
                let arguments = block.get("input").filter(|input| !input.is_null()).map(Value::to_string);
                let arguments = arguments.unwrap_or_else(|| "{}".to_owned());
                self.calls.push(json!({"id": block.get("id"), "type": "function",
                    "function": {"name": part("name"), "arguments": arguments}}));
            }
            // Calls that Anthropic answered itself, such as web searches, have no counterpart.
            _ => {}
        }
    }

    fn json(self, strict: bool) -> Value {
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        message.insert("content".to_owned(), json!(self.text));
        message.insert("refusal".to_owned(), Value::Null);
        if !self.annotations.is_empty() {
            message.insert("annotations".to_owned(), Value::Array(self.annotations));
        }
        if !self.calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(self.calls));
        }
        if !strict && !self.thinking.is_empty() {
            if !self.reasoning.is_empty() {
                message.insert("reasoning_content".to_owned(), json!(self.reasoning));
            }
            // With their signatures, so that a client can send them back (I4).
            message.insert("content_blocks".to_owned(), Value::Array(self.thinking));
        }
        Value::Object(message)
    }
}
