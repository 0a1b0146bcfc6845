//! A chat request as Ollama takes it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{messages, present};
use crate::{BadRequest, VendorRequest};

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
const UNCHANGED_FIELDS: [&str; 6] = ["keep_alive", "think", "truncate", "shift", "logprobs", "top_logprobs"];

/// Fields that are translated below.
const TRANSLATED_FIELDS: [&str; 11] = [
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
];

/// Translates a chat request.
///
/// # Errors
/// Where Ollama's format cannot express it; the message names the field.
pub fn chat_request(body: &Map<String, Value>, model: &str) -> Result<VendorRequest, BadRequest> {
    if present(body, "n").and_then(Value::as_f64).is_some_and(|n| n > 1.0) {
        return Err(BadRequest::new("n", "Ollama answers one choice: leave 'n' out or set it to 1."));
    }
    let mut dropped = Vec::new();
    let mut out = Map::new();
    out.insert("model".to_owned(), json!(model));
    out.insert("messages".to_owned(), messages::translate(body.get("messages"), &mut dropped)?);
    // Ollama streams unless told otherwise.
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    out.insert("stream".to_owned(), json!(stream));
    let options = options(body)?;
    if !options.is_empty() {
        out.insert("options".to_owned(), Value::Object(options));
    }
    for name in UNCHANGED_FIELDS {
        if let Some(value) = present(body, name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    think(body, &mut out, &mut dropped);
    tools(body, &mut out, &mut dropped)?;
    format(body, &mut out, &mut dropped)?;
    let known = |name: &str| {
        UNCHANGED_FIELDS.contains(&name)
            || TRANSLATED_FIELDS.contains(&name)
            || OPTIONS.iter().any(|(theirs, _)| *theirs == name)
    };
    dropped.extend(body.keys().filter(|name| present(body, name).is_some() && !known(name)).cloned());
    let body = Bytes::from(Value::Object(out).to_string());
    Ok(VendorRequest { path: "/api/chat".to_owned(), headers: Vec::new(), body, dropped_params: dropped })
}

/// Ollama's `options`: those that the client gave as an extension, and OpenAI's parameters over them.
fn options(body: &Map<String, Value>) -> Result<Map<String, Value>, BadRequest> {
    let mut options = match present(body, "options") {
        None => Map::new(),
        Some(Value::Object(options)) => options.clone(),
        Some(_) => return Err(BadRequest::new("options", "'options' must be an object of Ollama's options.")),
    };
    for (theirs, ours) in OPTIONS {
        if let Some(value) = present(body, theirs) {
            options.insert(ours.to_owned(), value.clone());
        }
    }
    let stop = match present(body, "stop") {
        None => return Ok(options),
        Some(text @ Value::String(_)) => json!([text]),
        Some(list @ Value::Array(_)) => list.clone(),
        Some(_) => return Err(BadRequest::new("stop", "'stop' must be a text or an array of texts.")),
    };
    options.insert("stop".to_owned(), stop);
    Ok(options)
}

/// OpenAI's efforts as Ollama's levels, of which it refuses all but low, medium, high and max; its own `think` goes first.
fn think(body: &Map<String, Value>, out: &mut Map<String, Value>, dropped: &mut Vec<String>) {
    let Some(effort) = present(body, "reasoning_effort").filter(|_| !out.contains_key("think")) else { return };
    let think = match effort.as_str() {
        Some("none") => json!(false),
        Some("minimal") => json!("low"),
        // "max" is refused by older servers, which know "high".
        Some("xhigh") => json!("high"),
        Some("low" | "medium" | "high" | "max") => effort.clone(),
        _ => {
            dropped.push("reasoning_effort".to_owned());
            return;
        }
    };
    out.insert("think".to_owned(), think);
}

/// Ollama always chooses by itself: "none" is said by sending no tools, any other choice is lost.
fn tools(body: &Map<String, Value>, out: &mut Map<String, Value>, dropped: &mut Vec<String>) -> Result<(), BadRequest> {
    let choice = present(body, "tool_choice");
    if choice.is_some_and(|choice| !matches!(choice.as_str(), Some("none" | "auto"))) {
        dropped.push("tool_choice".to_owned());
    }
    let Some(tools) = present(body, "tools").filter(|_| choice.and_then(Value::as_str) != Some("none")) else {
        return Ok(());
    };
    let Some(list) = tools.as_array() else {
        return Err(BadRequest::new("tools", "'tools' must be an array."));
    };
    if let Some(at) = list.iter().position(|tool| tool["type"] != "function") {
        return Err(BadRequest::new(format!("tools[{at}].type"), "A tool must be of the type 'function'."));
    }
    out.insert("tools".to_owned(), tools.clone());
    Ok(())
}

fn format(
    body: &Map<String, Value>,
    out: &mut Map<String, Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let Some(format) = present(body, "response_format") else { return Ok(()) };
    let schema = &format["json_schema"]["schema"];
    let ours = match format["type"].as_str() {
        Some("text") => return Ok(()),
        Some("json_schema") if schema.is_object() => schema.clone(),
        Some("json_schema") => {
            dropped.push("response_format".to_owned());
            json!("json")
        }
        Some("json_object") => json!("json"),
        _ => {
            let message = "'response_format.type' must be text, json_object or json_schema.";
            return Err(BadRequest::new("response_format.type", message));
        }
    };
    out.insert("format".to_owned(), ours);
    Ok(())
}
