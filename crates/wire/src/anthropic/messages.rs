//! Messages: system text apart, tool results inside user turns, reasoning before the text it led to.

use serde_json::{Map, Value, json};

use super::content::{self, note};
use super::request::present;
use crate::BadRequest;

/// Fields of an assistant message that carry Anthropic's thinking blocks back as they came (I4).
const THINKING: [&str; 2] = ["thinking_blocks", "content_blocks"];

/// Fields of a message that are translated; `name` only where it says which function answers.
const TRANSLATED_FIELDS: [&str; 11] = [
    "cache_control",
    "content",
    "content_blocks",
    "function_call",
    "is_error",
    "reasoning_content",
    "refusal",
    "role",
    "thinking_blocks",
    "tool_call_id",
    "tool_calls",
];

/// A conversation in Anthropic's form.
pub(super) struct Conversation {
    /// System texts, in their order.
    pub system: Vec<Value>,
    /// Turns of the user and the assistant.
    pub turns: Vec<Value>,
}

/// Translates `messages`, and the extension `system`.
pub(super) fn translate(body: &Map<String, Value>, dropped: &mut Vec<String>) -> Result<Conversation, BadRequest> {
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return Err(BadRequest::new("messages", "'messages' must be an array of messages."));
    };
    let mut system = content::texts(body.get("system").unwrap_or(&Value::Null), "system", dropped)?;
    let mut turns: Vec<Value> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        let Some(message) = message.as_object() else {
            return Err(BadRequest::new(path, "A message must be an object."));
        };
        let parts = message.get("content").unwrap_or(&Value::Null);
        let content_path = format!("{path}.content");
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        match role {
            "system" | "developer" => {
                let mut texts = content::texts(parts, &content_path, dropped)?;
                mark(&mut texts, message);
                system.extend(texts);
            }
            "user" => {
                let mut blocks = content::blocks(parts, &content_path, dropped)?;
                mark(&mut blocks, message);
                add_turn(&mut turns, "user", blocks);
            }
            "assistant" => {
                let mut blocks = assistant(message, &path, dropped)?;
                mark(&mut blocks, message);
                add_turn(&mut turns, "assistant", blocks);
            }
            "tool" | "function" => add_turn(&mut turns, "user", vec![tool_result(message, parts, &path, dropped)?]),
            _ => {
                let known = "'role' must be system, developer, user, assistant or tool.";
                return Err(BadRequest::new(format!("{path}.role"), known));
            }
        }
        note_lost(message, matches!(role, "tool" | "function"), dropped);
    }
    Ok(Conversation { system, turns })
}

/// Names the fields of a message that have no counterpart; empty ones say nothing and are not named.
fn note_lost(message: &Map<String, Value>, is_result: bool, dropped: &mut Vec<String>) {
    for (name, value) in message {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let known = TRANSLATED_FIELDS.contains(&name.as_str()) || (is_result && name == "name");
        if !known && !empty {
            note(dropped, &format!("messages[].{name}"));
        }
    }
}

/// Puts a message's own `cache_control` on its last block that may carry one.
fn mark(blocks: &mut [Value], message: &Map<String, Value>) {
    let Some(cache) = present(message, "cache_control") else { return };
    let takes = |block: &&mut Value| !matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"));
    if let Some(block) = blocks.iter_mut().rfind(takes) {
        block["cache_control"] = cache.clone();
    }
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

fn assistant(message: &Map<String, Value>, path: &str, dropped: &mut Vec<String>) -> Result<Vec<Value>, BadRequest> {
    let mut blocks = THINKING.iter().map(|name| thinking(message.get(*name))).find(|blocks| !blocks.is_empty());
    let reasoning = message.get("reasoning_content").and_then(Value::as_str).unwrap_or_default();
    if blocks.is_none() && !reasoning.is_empty() {
        // Anthropic takes no thinking without its own signature.
        note(dropped, "messages[].reasoning_content");
    }
    let mut blocks = blocks.take().unwrap_or_default();
    let parts = message.get("content").unwrap_or(&Value::Null);
    blocks.extend(content::blocks(parts, &format!("{path}.content"), dropped)?);
    if let Some(refusal) = message.get("refusal").and_then(Value::as_str).filter(|refusal| !refusal.is_empty()) {
        blocks.push(json!({"type": "text", "text": refusal}));
    }
    for (at, call) in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let path = format!("{path}.tool_calls[{at}]");
        let Some(id) = call.get("id").and_then(Value::as_str) else {
            return Err(BadRequest::new(format!("{path}.id"), "A tool call must have an id."));
        };
        let function = call.get("function").unwrap_or(&Value::Null);
        let mut block = tool_use(id, function, &format!("{path}.function"))?;
        if let Some(cache) = call.get("cache_control") {
            block["cache_control"] = cache.clone();
        }
        blocks.push(block);
    }
    // The form before tool calls: one function, answered by name.
    if let Some(function) = present(message, "function_call") {
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        blocks.push(tool_use(name, function, &format!("{path}.function_call"))?);
    }
    Ok(blocks)
}

/// The thinking blocks among those that a message carries, without the place that streams give them.
fn thinking(carried: Option<&Value>) -> Vec<Value> {
    let signed = |block: &&Value| match block["type"].as_str() {
        Some("thinking") => block["signature"].is_string(),
        Some("redacted_thinking") => true,
        _ => false,
    };
    let mut blocks: Vec<Value> =
        carried.and_then(Value::as_array).into_iter().flatten().filter(signed).cloned().collect();
    for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
        block.shift_remove("index");
    }
    blocks
}

fn tool_use(id: &str, function: &Value, path: &str) -> Result<Value, BadRequest> {
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(BadRequest::new(format!("{path}.name"), "A tool call must name its function."));
    };
    let input = arguments(function.get("arguments"), &format!("{path}.arguments"))?;
    Ok(json!({"type": "tool_use", "id": tool_id(id), "name": name, "input": input}))
}

/// Arguments are JSON text with OpenAI and an object with Anthropic.
fn arguments(arguments: Option<&Value>, path: &str) -> Result<Value, BadRequest> {
    let text = match arguments {
        None | Some(Value::Null) => return Ok(json!({})),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(json!({})),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(value) => Some(value.clone()),
    };
    let message = "A tool call's arguments must be JSON text of an object.";
    text.filter(Value::is_object).ok_or_else(|| BadRequest::new(path, message))
}

/// An id that Anthropic takes (letters, digits, `_` and `-`); other vendors' calls may stand in a conversation.
fn tool_id(id: &str) -> String {
    id.chars().map(|char| if char.is_ascii_alphanumeric() || "_-".contains(char) { char } else { '_' }).collect()
}

fn tool_result(
    message: &Map<String, Value>,
    parts: &Value,
    path: &str,
    dropped: &mut Vec<String>,
) -> Result<Value, BadRequest> {
    let id = ["tool_call_id", "name"].iter().find_map(|name| message.get(*name)?.as_str());
    let Some(id) = id else {
        let path = format!("{path}.tool_call_id");
        return Err(BadRequest::new(path, "A tool message must name the call that it answers."));
    };
    let mut result = json!({"type": "tool_result", "tool_use_id": tool_id(id)});
    result["content"] = match parts {
        Value::String(text) => json!(text),
        parts => Value::Array(content::blocks(parts, &format!("{path}.content"), dropped)?),
    };
    for name in ["is_error", "cache_control"] {
        if let Some(value) = present(message, name) {
            result[name] = value.clone();
        }
    }
    Ok(result)
}
