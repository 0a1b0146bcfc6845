//! Messages: images beside the text, arguments as objects, tool results named by their tool.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::BadRequest;

/// Fields of a message that are translated; `name` only where it says which tool answers.
const TRANSLATED_FIELDS: [&str; 6] = ["content", "reasoning_content", "refusal", "role", "tool_call_id", "tool_calls"];

/// Translates `messages`; fields without a counterpart are named in `dropped`.
pub(super) fn translate(messages: Option<&Value>, dropped: &mut Vec<String>) -> Result<Value, BadRequest> {
    let Some(messages) = messages.and_then(Value::as_array) else {
        return Err(BadRequest::new("messages", "'messages' must be an array of messages."));
    };
    // Ollama names a tool result by its tool, OpenAI by its call.
    let mut tool_names: HashMap<&str, &Value> = HashMap::new();
    let mut out = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        let Some(message) = message.as_object() else {
            return Err(BadRequest::new(path, "A message must be an object."));
        };
        let text_of = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let role = match text_of("role") {
            Some("developer") => "system",
            Some(role @ ("system" | "user" | "assistant" | "tool")) => role,
            _ => {
                let known = "'role' must be system, developer, user, assistant or tool.";
                return Err(BadRequest::new(format!("{path}.role"), known));
            }
        };
        let (mut text, images) = content(message.get("content"), &format!("{path}.content"))?;
        if let Some(refusal) = text_of("refusal") {
            text.push_str(refusal);
        }
        let mut translated = json!({"role": role, "content": text});
        if !images.is_empty() {
            translated["images"] = json!(images);
        }
        if let Some(reasoning) = text_of("reasoning_content") {
            translated["thinking"] = json!(reasoning);
        }
        let mut calls = Vec::new();
        for (at, call) in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let (call, id, name) = tool_call(call, &format!("{path}.tool_calls[{at}]"))?;
            calls.push(call);
            if let Some(id) = id {
                tool_names.insert(id, name);
            }
        }
        if !calls.is_empty() {
            translated["tool_calls"] = Value::Array(calls);
        }
        if role == "tool" {
            let id = text_of("tool_call_id");
            if let Some(id) = id {
                translated["tool_call_id"] = json!(id);
            }
            let name = id.and_then(|id| tool_names.get(id).copied()).or_else(|| message.get("name"));
            if let Some(name) = name.filter(|name| name.is_string()) {
                translated["tool_name"] = name.clone();
            }
        }
        note_lost(message, role == "tool", dropped);
        out.push(translated);
    }
    Ok(Value::Array(out))
}

/// Names the fields of a message that have no counterpart (I6); empty ones say nothing and are not named.
fn note_lost(message: &Map<String, Value>, is_result: bool, dropped: &mut Vec<String>) {
    for (name, value) in message {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let known = TRANSLATED_FIELDS.contains(&name.as_str()) || (is_result && name == "name");
        let note = format!("messages[].{name}");
        if !known && !empty && !dropped.contains(&note) {
            dropped.push(note);
        }
    }
}

/// A call in Ollama's form, its id and the name of its function.
fn tool_call<'a>(call: &'a Value, path: &str) -> Result<(Value, Option<&'a str>, &'a Value), BadRequest> {
    let function = &call["function"];
    let name = &function["name"];
    if !name.is_string() {
        return Err(BadRequest::new(format!("{path}.function.name"), "A tool call must name its function."));
    }
    let arguments = arguments(&function["arguments"], &format!("{path}.function.arguments"))?;
    let mut translated = json!({"function": {"name": name, "arguments": arguments}});
    let id = call["id"].as_str();
    if let Some(id) = id {
        translated["id"] = json!(id);
    }
    Ok((translated, id, name))
}

/// Arguments are JSON text with OpenAI and an object with Ollama.
fn arguments(arguments: &Value, path: &str) -> Result<Value, BadRequest> {
    let read = match arguments {
        Value::Null => return Ok(json!({})),
        Value::String(text) if text.trim().is_empty() => return Ok(json!({})),
        Value::String(text) => serde_json::from_str(text).ok(),
        value => Some(value.clone()),
    };
    let message = "A tool call's arguments must be JSON text of an object.";
    read.filter(Value::is_object).ok_or_else(|| BadRequest::new(path, message))
}

/// A content's text, and its images as base64.
fn content(content: Option<&Value>, path: &str) -> Result<(String, Vec<String>), BadRequest> {
    let parts = match content {
        None | Some(Value::Null) => return Ok((String::new(), Vec::new())),
        Some(Value::String(text)) => return Ok((text.clone(), Vec::new())),
        Some(Value::Array(parts)) => parts,
        Some(_) => return Err(BadRequest::new(path, "A message's content must be a text or an array of parts.")),
    };
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        match part["type"].as_str() {
            Some(kind @ ("text" | "refusal")) => {
                let path = format!("{path}[{at}].{kind}");
                texts.push(part[kind].as_str().ok_or_else(|| BadRequest::new(path, "A part's text must be a text."))?);
            }
            Some("image_url") => {
                let url = part["image_url"]["url"].as_str().unwrap_or_default();
                let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
                let Some((_, data)) = data else {
                    let message = "Ollama takes images as data: the URL must be 'data:TYPE;base64,DATA'.";
                    return Err(BadRequest::new(format!("{path}[{at}].image_url.url"), message));
                };
                images.push(data.to_owned());
            }
            _ => {
                let message = "Ollama takes text and images: a part must be 'text' or 'image_url'.";
                return Err(BadRequest::new(format!("{path}[{at}].type"), message));
            }
        }
    }
    Ok((texts.join("\n"), images))
}
