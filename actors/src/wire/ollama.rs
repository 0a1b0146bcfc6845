//! Ollama's native API: <https://docs.ollama.com/api>.

mod answer;
mod embeddings;
mod request;
mod stream;

use serde_json::{Value, json};

use super::{ErrorBody, Usage, openai};

pub use answer::chat_answer;
pub use embeddings::{embeddings_answer, embeddings_request};
pub use request::chat_request;
pub use stream::ChatStream;

/// The error of a non-2xx answer in OpenAI's shape.
pub fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let mut error = openai::error_body(status, body);
    if status == 404 {
        error.code.get_or_insert_with(|| "model_not_found".to_owned());
    }
    error
}

/// Ollama's counters at the end of an answer.
fn usage_of(answer: &Value) -> Option<Usage> {
    let count = |name: &str| answer.get(name).and_then(Value::as_u64);
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

/// A tool call in OpenAI's shape; Ollama's carry an object for arguments and often no id.
fn tool_call(call: &Value, id: &str, at: usize) -> Value {
    let function = &call["function"];
    let id = call["id"].as_str().map_or_else(|| format!("call_{id}_{at}"), str::to_owned);
    let arguments = match &function["arguments"] {
        Value::String(text) => text.clone(),
        Value::Null => "{}".to_owned(),
        arguments => arguments.to_string(),
    };
    json!({"id": id, "type": "function", "function": {"name": function["name"], "arguments": arguments}})
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
