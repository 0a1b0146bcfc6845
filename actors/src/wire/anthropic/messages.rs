//! Messages: system text apart, tool results inside user turns, reasoning before the text it led to.

use serde_json::{Map, Value, json};

use super::content;
use crate::wire::BadRequest;

/// Fields of an assistant message that carry Anthropic's thinking blocks back as they came (I4).
const THINKING: [&str; 2] = ["thinking_blocks", "content_blocks"];

/// The system blocks and the turns of a conversation.
pub(super) fn translate(messages: Option<&Value>) -> Result<(Vec<Value>, Vec<Value>), BadRequest> {
    let Some(messages) = messages.and_then(Value::as_array) else {
        return Err(BadRequest::new("messages", "'messages' must be an array of messages."));
    };
    let mut system = Vec::new();
    let mut turns: Vec<Value> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        let Some(message) = message.as_object() else {
            return Err(BadRequest::new(path, "A message must be an object."));
        };
        let parts = message.get("content").unwrap_or(&Value::Null);
        match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => system.extend(content::blocks(parts, &format!("{path}.content"))?),
            Some("user") => add_turn(&mut turns, "user", content::blocks(parts, &format!("{path}.content"))?),
            Some("assistant") => add_turn(&mut turns, "assistant", assistant(message, &path)?),
            Some("tool" | "function") => add_turn(&mut turns, "user", vec![tool_result(message, parts, &path)?]),
            _ => {
                let known = "'role' must be system, developer, user, assistant or tool.";
                return Err(BadRequest::new(format!("{path}.role"), known));
            }
        }
    }
    Ok((system, turns))
}

/// Adds a turn; blocks of the same role in a row are one turn, as results of parallel tools must be.
fn add_turn(turns: &mut Vec<Value>, role: &str, blocks: Vec<Value>) {
    if blocks.is_empty() {
        return;
    }
    if let Some(last) = turns.last_mut().filter(|turn| turn["role"] == role)
        && let Some(content) = last["content"].as_array_mut()
    {
        content.extend(blocks);
        return;
    }
    turns.push(json!({"role": role, "content": blocks}));
}

fn assistant(message: &Map<String, Value>, path: &str) -> Result<Vec<Value>, BadRequest> {
    let carried = THINKING.iter().find_map(|name| message.get(*name)?.as_array()).into_iter().flatten();
    let is_thinking = |block: &&Value| matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"));
    let mut blocks: Vec<Value> = carried.filter(is_thinking).cloned().collect();
    blocks.extend(content::blocks(message.get("content").unwrap_or(&Value::Null), &format!("{path}.content"))?);
    if let Some(refusal) = message.get("refusal").and_then(Value::as_str) {
        blocks.push(json!({"type": "text", "text": refusal}));
    }
    let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    for (at, call) in calls.enumerate() {
        let path = format!("{path}.tool_calls[{at}].function");
        let function = call.get("function").unwrap_or(&Value::Null);
        let Some(name) = function.get("name").and_then(Value::as_str) else {
            return Err(BadRequest::new(format!("{path}.name"), "A tool call must name its function."));
        };
        let input = arguments(function.get("arguments"), &format!("{path}.arguments"))?;
        let id = call.get("id").cloned().unwrap_or(Value::Null);
        blocks.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
    }
    Ok(blocks)
}

/// Arguments are JSON text with OpenAI and an object with Anthropic.
fn arguments(arguments: Option<&Value>, path: &str) -> Result<Value, BadRequest> {
    let text = match arguments {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text.trim(),
        Some(object @ Value::Object(_)) => return Ok(object.clone()),
        Some(_) => return Err(BadRequest::new(path, "A tool call's arguments must be JSON text of an object.")),
    };
    if text.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        _ => Err(BadRequest::new(path, "A tool call's arguments must be JSON text of an object.")),
    }
}

fn tool_result(message: &Map<String, Value>, parts: &Value, path: &str) -> Result<Value, BadRequest> {
    let id = message.get("tool_call_id").or_else(|| message.get("name")).and_then(Value::as_str);
    let Some(id) = id else {
        let path = format!("{path}.tool_call_id");
        return Err(BadRequest::new(path, "A tool message must name the call that it answers."));
    };
    let mut result = json!({"type": "tool_result", "tool_use_id": id});
    result["content"] = match parts {
        Value::String(text) => json!(text),
        parts => Value::Array(content::blocks(parts, &format!("{path}.content"))?),
    };
    for name in ["is_error", "cache_control"] {
        if let Some(value) = message.get(name) {
            result[name] = value.clone();
        }
    }
    Ok(result)
}
