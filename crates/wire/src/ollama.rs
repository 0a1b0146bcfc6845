//! Ollama's native API: <https://docs.ollama.com/api>.

mod answer;
mod embeddings;
mod messages;
mod request;
mod stream;

use serde_json::{Map, Value, json};

use super::{ErrorBody, Usage, openai, usage};

pub use answer::chat_answer;
pub use embeddings::{embeddings_answer, embeddings_request};
pub use request::chat_request;
pub use stream::ChatStream;

/// The longest id of a tool call that OpenAI takes back in a later turn is 40 characters; this leaves room around it.
const CALL_ID_CORE: usize = 32;

/// The error of a non-2xx answer in OpenAI's shape.
pub fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let mut error = openai::error_body(status, body);
    // Another 404 comes from a wrong base URL, and says nothing of models.
    if status == 404 && error.message.contains("model") {
        error.code.get_or_insert_with(|| "model_not_found".to_owned());
    }
    error
}

/// A field that is there and not null.
fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

/// The error that stands in the place of an answer.
fn error_in(answer: &Value) -> Option<ErrorBody> {
    answer.get("error").filter(|error| !error.is_null())?;
    Some(openai::error_text(answer.to_string().as_bytes()))
}

/// What a body counts, whether it is an answer or an error.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    usage_of(&serde_json::from_slice(body).ok()?)
}

/// Ollama's counters at the end of an answer.
fn usage_of(answer: &Value) -> Option<Usage> {
    let count = |name: &str| answer.get(name).and_then(usage::count);
    let (prompt, completion) = (count("prompt_eval_count"), count("eval_count"));
    (prompt.is_some() || completion.is_some()).then(|| Usage {
        prompt_tokens: prompt.unwrap_or(0),
        completion_tokens: completion.unwrap_or(0),
        ..Usage::default()
    })
}

fn usage_json(usage: &Usage) -> Value {
    json!({"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens()})
}

/// The `logprobs` of a choice, null where there are none; Ollama leaves out fields that OpenAI's clients insist on.
fn logprobs(answer: &Value) -> Value {
    let Some(tokens) = answer["logprobs"].as_array().filter(|tokens| !tokens.is_empty()) else { return Value::Null };
    let mut tokens = tokens.clone();
    for token in tokens.iter_mut().filter_map(Value::as_object_mut) {
        token.entry("bytes").or_insert(Value::Null);
        token.entry("top_logprobs").or_insert_with(|| json!([]));
    }
    json!({"content": tokens, "refusal": null})
}

/// A tool call in OpenAI's shape; Ollama's carry an object for arguments and often no id.
fn tool_call(call: &Value, id: &str, at: usize) -> Value {
    let function = &call["function"];
    let own = call["id"].as_str().filter(|id| !id.is_empty());
    let id = own.map_or_else(|| call_id(id, at), str::to_owned);
    let arguments = match &function["arguments"] {
        Value::String(text) => text.clone(),
        Value::Null => "{}".to_owned(),
        arguments => arguments.to_string(),
    };
    json!({"id": id, "type": "function", "function": {"name": function["name"], "arguments": arguments}})
}

/// An id for the call at a place in the answer `id`, of which the end is what differs.
fn call_id(id: &str, at: usize) -> String {
    let from = id.char_indices().rev().nth(CALL_ID_CORE - 1).map_or(0, |(from, _)| from);
    format!("call_{}_{at}", id.get(from..).unwrap_or_default())
}

fn finish_reason(done_reason: Option<&str>, has_calls: bool) -> &'static str {
    match done_reason {
        _ if has_calls => "tool_calls",
        Some("length") => "length",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests;
