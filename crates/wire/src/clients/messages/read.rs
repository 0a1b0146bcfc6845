//! Requests of the Messages API, read.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::blocks::{self, list};
use super::{settings, tools};
use crate::BadRequest;
use crate::common::{Block, BlockKind, Conversation, Family, JsonText, Role, Turn};
use crate::json_object::JsonObject;
use crate::surrogates::replace_lone;

/// Fields that the common form has a place for.
const KNOWN: [&str; 17] = [
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "type",
];

/// Reads a request; one whose tokens are to be counted needs no bound.
pub(super) fn conversation(body: &JsonObject, needs_bound: bool) -> Result<Conversation, BadRequest> {
    let repaired;
    let body = match replace_lone(body.text()) {
        Cow::Borrowed(_) => body,
        Cow::Owned(text) => {
            let parsed = JsonObject::parse(Bytes::from(text));
            repaired = parsed.map_err(|error| BadRequest { param: None, message: error.to_string() })?;
            &repaired
        }
    };
    let mut conversation = Conversation {
        model: required(body, "model", "a text")?,
        system: system(body)?,
        turns: turns(body)?,
        rest_family: Some(Family::Anthropic),
        ..Conversation::default()
    };
    conversation.max_output_tokens = field(body, "max_tokens", "a whole number")?;
    if needs_bound && conversation.max_output_tokens.is_none() {
        return Err(BadRequest::new("max_tokens", "'max_tokens' is required: give the most tokens of the answer."));
    }
    tools::read(body, &mut conversation)?;
    settings::read(body, &mut conversation)?;
    for (name, value) in body.fields() {
        let is_known = KNOWN.contains(&name) || conversation.rest.iter().any(|(known, _)| known == name);
        if !is_known && value != "null" {
            conversation.rest.push((name.to_owned(), JsonText::parse(value).map_err(|error| bad(name, &error))?));
        }
    }
    Ok(conversation)
}

/// A field that may be absent.
pub(super) fn field<T: DeserializeOwned>(body: &JsonObject, name: &str, what: &str) -> Result<Option<T>, BadRequest> {
    body.read(name).map_err(|_| BadRequest::new(name, format!("'{name}' must be {what}.")))
}

fn required<T: DeserializeOwned>(body: &JsonObject, name: &str, what: &str) -> Result<T, BadRequest> {
    field(body, name, what)?.ok_or_else(|| BadRequest::new(name, format!("'{name}' is required: give {what}.")))
}

pub(super) fn bad(path: impl Into<String>, error: &serde_json::Error) -> BadRequest {
    BadRequest::new(path, format!("This is not in the form of the Messages API: {error}."))
}

/// The instructions: a text, or blocks of text.
fn system(body: &JsonObject) -> Result<Vec<Block>, BadRequest> {
    let Some(raw) = body.get("system").filter(|raw| *raw != "null") else { return Ok(Vec::new()) };
    let blocks = blocks::content(raw, "system")?;
    if blocks.iter().any(|block| !matches!(block.kind, BlockKind::Text { .. })) {
        return Err(BadRequest::new("system", "'system' must be a text or an array of text blocks."));
    }
    Ok(blocks)
}

#[derive(Deserialize)]
struct Message<'a> {
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

fn turns(body: &JsonObject) -> Result<Vec<Turn>, BadRequest> {
    let raw = body.get("messages").filter(|raw| *raw != "null");
    let raw = raw.ok_or_else(|| BadRequest::new("messages", "'messages' is required: give an array of messages."))?;
    let messages = list(raw).ok_or_else(|| BadRequest::new("messages", "'messages' must be an array of messages."))?;
    if messages.is_empty() {
        return Err(BadRequest::new("messages", "'messages' must hold at least one message."));
    }
    messages.iter().enumerate().map(|(at, raw)| turn(raw, &format!("messages[{at}]"))).collect()
}

fn turn(raw: &RawValue, path: &str) -> Result<Turn, BadRequest> {
    let message: Message<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(path, &error))?;
    let role = match message.role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            return Err(BadRequest::new(format!("{path}.role"), "'role' must be user, assistant or system."));
        }
    };
    let path = format!("{path}.content");
    let content = message.content.ok_or_else(|| BadRequest::new(path.as_str(), "A message must have content."))?;
    Ok(Turn::new(role, blocks::content(content.get(), &path)?))
}
