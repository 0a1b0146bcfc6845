//! A chat request as Ollama takes it.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::wire::{BadRequest, VendorRequest};

/// OpenAI's names of what Ollama keeps in `options`.
const OPTIONS: [(&str, &str); 9] = [
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("seed", "seed"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("max_tokens", "num_predict"),
    ("max_completion_tokens", "num_predict"),
];

/// Fields that pass as they are: shared ones, and Ollama's own as extensions.
const SAME: [&str; 4] = ["keep_alive", "think", "logprobs", "top_logprobs"];

/// Fields that are translated below.
const TRANSLATED: [&str; 12] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "n",
    "stop",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning_effort",
    "options",
    "metadata",
];

/// Translates a chat request.
///
/// # Errors
/// Where Ollama's format cannot express it; the message names the field.
pub fn chat_request(body: &Map<String, Value>, model: &str) -> Result<VendorRequest, BadRequest> {
    if body.get("n").and_then(Value::as_u64).is_some_and(|n| n > 1) {
        return Err(BadRequest::new("n", "Ollama answers one choice: leave 'n' out or set it to 1."));
    }
    let mut dropped = Vec::new();
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let mut out = Map::new();
    out.insert("model".to_owned(), json!(model));
    out.insert("messages".to_owned(), messages(body.get("messages"))?);
    // Ollama streams unless told otherwise.
    out.insert("stream".to_owned(), json!(stream));
    let mut options = body.get("options").and_then(Value::as_object).cloned().unwrap_or_default();
    let present = |name: &str| body.get(name).filter(|value| !value.is_null());
    for (theirs, ours) in OPTIONS {
        if let Some(value) = present(theirs) {
            options.insert(ours.to_owned(), value.clone());
        }
    }
    match present("stop") {
        Some(Value::String(text)) => {
            options.insert("stop".to_owned(), json!([text]));
        }
        Some(list) => {
            options.insert("stop".to_owned(), list.clone());
        }
        None => {}
    }
    if !options.is_empty() {
        out.insert("options".to_owned(), Value::Object(options));
    }
    for name in SAME {
        if let Some(value) = present(name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(effort) = present("reasoning_effort").and_then(Value::as_str)
        && !out.contains_key("think")
    {
        let think = if effort == "none" { json!(false) } else { json!(effort) };
        out.insert("think".to_owned(), think);
    }
    let no_tools = present("tool_choice").and_then(Value::as_str) == Some("none");
    match present("tools") {
        Some(tools) if !no_tools => {
            out.insert("tools".to_owned(), tools.clone());
        }
        _ => {}
    }
    if present("tool_choice").is_some_and(|choice| !matches!(choice.as_str(), Some("none" | "auto"))) {
        dropped.push("tool_choice".to_owned());
    }
    if let Some(format) = present("response_format") {
        match format["type"].as_str() {
            Some("json_object") => {
                out.insert("format".to_owned(), json!("json"));
            }
            Some("json_schema") => {
                out.insert("format".to_owned(), format["json_schema"]["schema"].clone());
            }
            _ => {}
        }
    }
    let known = |name: &str| {
        SAME.contains(&name) || TRANSLATED.contains(&name) || OPTIONS.iter().any(|(theirs, _)| *theirs == name)
    };
    dropped.extend(body.keys().filter(|name| present(name).is_some() && !known(name)).cloned());
    let body = Bytes::from(Value::Object(out).to_string());
    Ok(VendorRequest { path: "/api/chat".to_owned(), headers: Vec::new(), body, dropped_params: dropped })
}

fn messages(messages: Option<&Value>) -> Result<Value, BadRequest> {
    let Some(messages) = messages.and_then(Value::as_array) else {
        return Err(BadRequest::new("messages", "'messages' must be an array of messages."));
    };
    // Ollama names a tool result by its tool, OpenAI by its call.
    let mut tool_names: HashMap<String, Value> = HashMap::new();
    let mut out = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        let role = match message["role"].as_str() {
            Some("developer") => "system",
            Some(role @ ("system" | "user" | "assistant" | "tool")) => role,
            _ => {
                let known = "'role' must be system, developer, user, assistant or tool.";
                return Err(BadRequest::new(format!("{path}.role"), known));
            }
        };
        let (text, images) = content(&message["content"], &format!("{path}.content"))?;
        let mut translated = json!({"role": role, "content": text});
        if !images.is_empty() {
            translated["images"] = json!(images);
        }
        if let Some(reasoning) = message["reasoning_content"].as_str() {
            translated["thinking"] = json!(reasoning);
        }
        if let Some(calls) = message["tool_calls"].as_array() {
            let mut translated_calls = Vec::with_capacity(calls.len());
            for (at, call) in calls.iter().enumerate() {
                let function = &call["function"];
                let arguments = arguments(function, &format!("{path}.tool_calls[{at}].function.arguments"))?;
                if let Some(id) = call["id"].as_str() {
                    tool_names.insert(id.to_owned(), function["name"].clone());
                }
                translated_calls.push(json!({"function": {"name": function["name"], "arguments": arguments}}));
            }
            translated["tool_calls"] = Value::Array(translated_calls);
        }
        if role == "tool"
            && let Some(name) = message["tool_call_id"].as_str().and_then(|id| tool_names.get(id))
        {
            translated["tool_name"] = name.clone();
        }
        out.push(translated);
    }
    Ok(Value::Array(out))
}

fn arguments(function: &Value, path: &str) -> Result<Value, BadRequest> {
    match &function["arguments"] {
        Value::Null => Ok(json!({})),
        Value::String(text) if text.trim().is_empty() => Ok(json!({})),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => Err(BadRequest::new(path, "A tool call's arguments must be JSON text of an object.")),
        },
        object @ Value::Object(_) => Ok(object.clone()),
        _ => Err(BadRequest::new(path, "A tool call's arguments must be JSON text of an object.")),
    }
}

/// A content's text, and its images as base64.
fn content(content: &Value, path: &str) -> Result<(String, Vec<String>), BadRequest> {
    let parts = match content {
        Value::Null => return Ok((String::new(), Vec::new())),
        Value::String(text) => return Ok((text.clone(), Vec::new())),
        Value::Array(parts) => parts,
        _ => return Err(BadRequest::new(path, "A message's content must be a text or an array of parts.")),
    };
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        match part["type"].as_str() {
            Some("text") => texts.push(part["text"].as_str().unwrap_or_default()),
            Some("image_url") => {
                let url = part["image_url"]["url"].as_str().unwrap_or_default();
                let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
                let Some((_, data)) = data else {
                    let message = "Ollama takes images as data: the URL must be 'data:TYPE;base64,DATA'.";
                    return Err(BadRequest::new(format!("{path}[{at}].image_url.url"), message));
                };
                images.push(data.to_owned());
            }
            _ => return Err(BadRequest::new(format!("{path}[{at}].type"), "A part must be text or image_url.")),
        }
    }
    Ok((texts.join("\n"), images))
}
