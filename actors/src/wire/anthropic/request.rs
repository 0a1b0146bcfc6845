//! A chat request as Anthropic takes it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{messages, tools};
use crate::wire::{BadRequest, VendorRequest};

/// Anthropic needs a bound on the answer; OpenAI's clients rarely give one.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Fields that pass as they are: shared ones, and Anthropic's own as extensions.
const SAME: [&str; 9] = [
    "stream",
    "top_p",
    "top_k",
    "thinking",
    "container",
    "context_management",
    "mcp_servers",
    "inference_geo",
    "output_config",
];

/// Fields that are translated below.
const TRANSLATED: [&str; 19] = [
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "user",
    "safety_identifier",
    "reasoning_effort",
    "response_format",
    "service_tier",
    "n",
    "stream_options",
    "metadata",
];

/// Translates a chat request.
///
/// # Errors
/// Where Anthropic's format cannot express it; the message names the field.
pub fn chat_request(body: &Map<String, Value>, model: &str) -> Result<VendorRequest, BadRequest> {
    let mut dropped = Vec::new();
    if body.get("n").and_then(Value::as_u64).is_some_and(|n| n > 1) {
        return Err(BadRequest::new("n", "Anthropic answers one choice: leave 'n' out or set it to 1."));
    }
    let (system, turns) = messages::translate(body.get("messages"))?;
    let mut out = Map::new();
    out.insert("model".to_owned(), json!(model));
    if !system.is_empty() {
        out.insert("system".to_owned(), Value::Array(system));
    }
    out.insert("messages".to_owned(), Value::Array(turns));
    let bound = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.get(*name)?.as_u64());
    let mut max_tokens = bound.unwrap_or(DEFAULT_MAX_TOKENS);
    for name in SAME {
        if let Some(value) = present(body, name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(budget) = thinking_budget(body) {
        // Thinking is part of the answer's bound, which must leave room for the answer itself.
        if max_tokens <= budget {
            max_tokens = budget + bound.unwrap_or(DEFAULT_MAX_TOKENS);
        }
        out.insert("thinking".to_owned(), json!({"type": "enabled", "budget_tokens": budget}));
    }
    out.insert("max_tokens".to_owned(), json!(max_tokens));
    if let Some(temperature) = present(body, "temperature").and_then(Value::as_f64) {
        if out.get("thinking").is_some_and(|thinking| thinking["type"] != "disabled") {
            // Anthropic refuses any temperature but 1 while thinking.
            dropped.push("temperature".to_owned());
        } else if temperature > 1.0 {
            // OpenAI's scale ends at 2, Anthropic's at 1.
            dropped.push("temperature (over 1)".to_owned());
            out.insert("temperature".to_owned(), json!(1));
        } else if let Some(value) = body.get("temperature") {
            out.insert("temperature".to_owned(), value.clone());
        }
    }
    match present(body, "stop") {
        Some(Value::String(text)) => {
            out.insert("stop_sequences".to_owned(), json!([text]));
        }
        Some(list @ Value::Array(_)) => {
            out.insert("stop_sequences".to_owned(), list.clone());
        }
        _ => {}
    }
    tools::translate(body, &mut out, &mut dropped)?;
    if let Some(user) = ["safety_identifier", "user"].iter().find_map(|name| present(body, name)?.as_str()) {
        out.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    if present(body, "metadata").is_some() {
        dropped.push("metadata".to_owned());
    }
    response_format(body, &mut out, &mut dropped);
    match present(body, "service_tier").and_then(Value::as_str) {
        Some(tier @ ("auto" | "standard_only")) => {
            out.insert("service_tier".to_owned(), json!(tier));
        }
        Some("default") => {
            out.insert("service_tier".to_owned(), json!("standard_only"));
        }
        Some(_) => dropped.push("service_tier".to_owned()),
        None => {}
    }
    let untranslated = body.keys().filter(|name| present(body, name).is_some());
    let unknown = untranslated.filter(|name| !SAME.contains(&name.as_str()) && !TRANSLATED.contains(&name.as_str()));
    dropped.extend(unknown.cloned());
    let body = Bytes::from(Value::Object(out).to_string());
    Ok(VendorRequest { path: "/v1/messages".to_owned(), headers: Vec::new(), body, dropped_params: dropped })
}

/// A field that is there and not null.
pub(super) fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

/// `reasoning_effort` as a budget of thinking tokens; an explicit `thinking` wins.
fn thinking_budget(body: &Map<String, Value>) -> Option<u64> {
    if present(body, "thinking").is_some() {
        return None;
    }
    match present(body, "reasoning_effort")?.as_str()? {
        // 1024 is the least that Anthropic takes.
        "minimal" | "low" => Some(1024),
        "medium" => Some(4096),
        "high" => Some(16_384),
        "xhigh" | "max" => Some(32_768),
        _ => None,
    }
}

/// A JSON schema has a counterpart in `output_config.format`; "some JSON" has none and is asked for in words.
fn response_format(body: &Map<String, Value>, out: &mut Map<String, Value>, dropped: &mut Vec<String>) {
    let Some(format) = present(body, "response_format") else { return };
    match format.get("type").and_then(Value::as_str) {
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|schema| schema.get("schema")).cloned();
            let config = out.entry("output_config").or_insert_with(|| json!({}));
            if let (Some(config), Some(schema)) = (config.as_object_mut(), schema) {
                config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
            }
        }
        Some("json_object") => {
            let words = json!({"type": "text", "text": "Answer with one JSON object and nothing else."});
            if let Some(system) = out.entry("system").or_insert_with(|| json!([])).as_array_mut() {
                system.push(words);
            }
            dropped.push("response_format (asked for in words)".to_owned());
        }
        _ => {}
    }
}
