//! From a whole answer to a stream and back: a stored answer serves both (F4).

mod join;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::sse;

pub use join::AnswerBuilder;

/// The chunks of a stream that says what a whole answer says, without its usage and without the end.
pub fn chunks_of(whole: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let choices = whole.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let chunk = |choice: Value| {
        let mut chunk = head_of(whole);
        chunk.insert("choices".to_owned(), json!([choice]));
        chunk
    };
    let mut chunks = Vec::new();
    for choice in choices {
        let Some(choice) = choice.as_object() else { continue };
        let mut delta = choice.get("message").and_then(Value::as_object).cloned().unwrap_or_default();
        number_calls(&mut delta);
        let mut begun = Map::new();
        for (name, value) in choice {
            if !matches!(name.as_str(), "message" | "finish_reason") {
                begun.insert(name.clone(), value.clone());
            }
        }
        let mut ended = Map::new();
        ended.insert("index".to_owned(), choice.get("index").cloned().unwrap_or_else(|| json!(0)));
        ended.insert("delta".to_owned(), json!({}));
        ended.insert("logprobs".to_owned(), Value::Null);
        ended.insert("finish_reason".to_owned(), choice.get("finish_reason").cloned().unwrap_or_default());
        begun.insert("delta".to_owned(), Value::Object(delta));
        begun.insert("finish_reason".to_owned(), Value::Null);
        chunks.push(chunk(Value::Object(begun)));
        chunks.push(chunk(Value::Object(ended)));
    }
    chunks
}

/// One chunk as it is sent.
pub fn frame(chunk: &Map<String, Value>) -> Bytes {
    sse::frame(Value::Object(chunk.clone()).to_string().as_bytes())
}

/// The JSON text of the chunk that tells the usage of a whole answer.
pub fn usage_chunk(whole: &Map<String, Value>) -> Option<String> {
    let usage = whole.get("usage").filter(|usage| usage.is_object())?;
    let mut chunk = head_of(whole);
    chunk.insert("choices".to_owned(), json!([]));
    chunk.insert("usage".to_owned(), usage.clone());
    Some(Value::Object(chunk).to_string())
}

/// The fields of an answer that each of its chunks has.
fn head_of(whole: &Map<String, Value>) -> Map<String, Value> {
    let mut head: Map<String, Value> = whole
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "choices" | "usage" | "metadata"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    head.insert("object".to_owned(), json!("chat.completion.chunk"));
    head
}

/// Tool calls of a stream are numbered, those of a whole answer are not.
fn number_calls(delta: &mut Map<String, Value>) {
    let Some(Value::Array(calls)) = delta.get_mut("tool_calls") else { return };
    for (at, call) in calls.iter_mut().enumerate() {
        if let Value::Object(call) = call {
            call.insert("index".to_owned(), json!(at));
        }
    }
}

#[cfg(test)]
mod tests;
