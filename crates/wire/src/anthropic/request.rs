//! A chat request as Anthropic takes it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::model::{Abilities, abilities};
use super::{messages, thinking, tools};
use crate::{BadRequest, VendorRequest};

/// Fields that pass as they are: a shared one, and Anthropic's own as extensions.
const UNCHANGED_FIELDS: [&str; 9] = [
    "stream",
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "speed",
    "stop_sequences",
];

/// Fields that are translated, or (`stream_options`) are the gateway's to act on.
const TRANSLATED_FIELDS: [&str; 23] = [
    "function_call",
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "service_tier",
    "stop",
    "stream_options",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
];

/// Translates a chat request.
///
/// # Errors
/// Where Anthropic's format cannot express it; the message names the field.
pub fn chat_request(body: &Map<String, Value>, model: &str) -> Result<VendorRequest, BadRequest> {
    if present(body, "n").is_some_and(|n| n.as_u64() != Some(1)) {
        return Err(BadRequest::new("n", "Anthropic answers one choice: leave 'n' out or set it to 1."));
    }
    let abilities = abilities(model);
    let mut dropped = Vec::new();
    let mut out = Map::new();
    out.insert("model".to_owned(), json!(model));
    let conversation = messages::translate(body, &mut dropped)?;
    let mut system = conversation.system;
    for name in UNCHANGED_FIELDS {
        if let Some(value) = present(body, name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    response_format(body, &mut out, &mut system, &mut dropped)?;
    if !system.is_empty() {
        out.insert("system".to_owned(), Value::Array(system));
    }
    out.insert("messages".to_owned(), Value::Array(conversation.turns));
    tools::translate(body, &mut out, &mut dropped)?;
    thinking::translate(body, abilities, &mut out, &mut dropped)?;
    sampling(body, abilities, &mut out, &mut dropped)?;
    stop(body, &mut out)?;
    user(body, &mut out, &mut dropped);
    service_tier(body, &mut out, &mut dropped);
    let known = |name: &str| UNCHANGED_FIELDS.contains(&name) || TRANSLATED_FIELDS.contains(&name);
    dropped.extend(body.keys().filter(|name| !known(name) && present(body, name).is_some()).cloned());
    let body = Bytes::from(Value::Object(out).to_string());
    Ok(VendorRequest { path: "/v1/messages".to_owned(), headers: Vec::new(), body, dropped_params: dropped })
}

/// A field that is there and not null.
pub(super) fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

/// Temperature, `top_p` and the extension `top_k`, as far as the model takes them.
fn sampling(
    body: &Map<String, Value>,
    abilities: Abilities,
    out: &mut Map<String, Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    // While thinking, Anthropic takes no temperature but 1, no `top_p` below 0.95 and no `top_k`.
    let thinks = out.get("thinking").is_some_and(|thinking| thinking["type"] != "disabled");
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = present(body, name) else { continue };
        let Some(number) = value.as_f64() else {
            return Err(BadRequest::new(name, format!("'{name}' must be a number.")));
        };
        let refused = match name {
            "temperature" => thinks && number != 1.0,
            "top_p" => thinks && number < 0.95,
            _ => thinks,
        };
        if abilities.fixed_sampling || refused {
            dropped.push(name.to_owned());
        } else if name == "temperature" && number > 1.0 {
            // OpenAI's scale ends at 2, Anthropic's at 1.
            dropped.push("temperature>1".to_owned());
            out.insert(name.to_owned(), json!(1));
        } else {
            out.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}

fn stop(body: &Map<String, Value>, out: &mut Map<String, Value>) -> Result<(), BadRequest> {
    let sequences = match present(body, "stop") {
        None => return Ok(()),
        Some(text @ Value::String(_)) => json!([text]),
        Some(list @ Value::Array(_)) => list.clone(),
        Some(_) => return Err(BadRequest::new("stop", "'stop' must be a text or an array of texts.")),
    };
    out.insert("stop_sequences".to_owned(), sequences);
    Ok(())
}

/// The end user, by which Anthropic finds abuse; other metadata has no counterpart.
fn user(body: &Map<String, Value>, out: &mut Map<String, Value>, dropped: &mut Vec<String>) {
    let metadata = present(body, "metadata");
    let own = metadata.and_then(|metadata| metadata.get("user_id")).filter(|user| user.is_string());
    let user = ["safety_identifier", "user"].iter().find_map(|name| present(body, name)).or(own);
    if let Some(user) = user {
        out.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    let lost = metadata.and_then(Value::as_object).is_some_and(|fields| fields.keys().any(|name| name != "user_id"));
    if lost {
        dropped.push("metadata".to_owned());
    }
}

fn service_tier(body: &Map<String, Value>, out: &mut Map<String, Value>, dropped: &mut Vec<String>) {
    let Some(tier) = present(body, "service_tier") else { return };
    match tier.as_str() {
        // Anthropic's "auto" takes priority capacity where the account has some.
        Some("auto" | "priority") => out.insert("service_tier".to_owned(), json!("auto")),
        Some("default" | "standard_only") => out.insert("service_tier".to_owned(), json!("standard_only")),
        _ => {
            dropped.push("service_tier".to_owned());
            None
        }
    };
}

/// A JSON schema has a counterpart in `output_config.format`
/// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>); "some JSON object" has none and is asked
/// for in words.
fn response_format(
    body: &Map<String, Value>,
    out: &mut Map<String, Value>,
    system: &mut Vec<Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let Some(format) = present(body, "response_format") else { return Ok(()) };
    let schema = format.get("json_schema").and_then(|schema| schema.get("schema")).filter(|schema| schema.is_object());
    match (format.get("type").and_then(Value::as_str), schema) {
        (Some("text"), _) => {}
        (Some("json_schema"), Some(schema)) => {
            set_output(out, "format", json!({"type": "json_schema", "schema": schema}))?;
        }
        (Some("json_schema" | "json_object"), _) => {
            system.push(json!({"type": "text", "text": "Answer with one JSON object and nothing else."}));
            dropped.push("response_format".to_owned());
        }
        _ => {
            let message = "'response_format.type' must be text, json_object or json_schema.";
            return Err(BadRequest::new("response_format.type", message));
        }
    }
    Ok(())
}

/// Sets a field of `output_config`, beside those that the client gave.
pub(super) fn set_output(out: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), BadRequest> {
    match out.entry("output_config").or_insert_with(|| json!({})) {
        Value::Object(config) => {
            config.entry(name).or_insert(value);
            Ok(())
        }
        _ => Err(BadRequest::new("output_config", "'output_config' must be an object.")),
    }
}
