//! How the answer is to be made, read.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::blocks::raw_text;
use super::read::field;
use crate::BadRequest;
use crate::common::{Conversation, Effort, JsonText, OutputFormat, Reasoning};
use crate::json_object::JsonObject;

/// Reads all fields but the talk and its tools.
pub(super) fn read(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    conversation.stream = field(body, "stream", "true or false")?.unwrap_or(false);
    conversation.service_tier = field(body, "service_tier", "a text")?;
    conversation.sampling.temperature = field(body, "temperature", "a number")?;
    conversation.sampling.top_p = field(body, "top_p", "a number")?;
    conversation.sampling.top_k = field(body, "top_k", "a whole number")?;
    conversation.sampling.stop = field(body, "stop_sequences", "an array of texts")?.unwrap_or_default();
    metadata(body, conversation)?;
    thinking(body, conversation)?;
    output(body, conversation)
}

fn metadata(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    let Some(mut metadata) = field::<Map<String, Value>>(body, "metadata", "an object")? else { return Ok(()) };
    match metadata.shift_remove("user_id") {
        Some(Value::String(user)) => conversation.identity.user = Some(user),
        None | Some(Value::Null) => {}
        Some(_) => return Err(BadRequest::new("metadata.user_id", "'metadata.user_id' must be a text.")),
    }
    conversation.metadata = (!metadata.is_empty()).then_some(metadata);
    Ok(())
}

#[derive(Deserialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: String,
    budget_tokens: Option<u64>,
    display: Option<String>,
}

fn thinking(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    let Some(thinking) = field::<Thinking>(body, "thinking", "an object with a 'type'")? else { return Ok(()) };
    let mut reasoning = Reasoning { summary: thinking.display, wants_token: true, ..Reasoning::default() };
    match thinking.kind.as_str() {
        "disabled" => reasoning.effort = Some(Effort::None),
        "adaptive" => reasoning.adaptive = true,
        "enabled" => {
            let message = "Thinking that is enabled needs 'budget_tokens'.";
            let budget = thinking.budget_tokens;
            let budget = budget.ok_or_else(|| BadRequest::new("thinking.budget_tokens", message))?;
            reasoning.budget_tokens = Some(budget);
        }
        // One that a later version of the API added.
        _ => {
            let raw = raw_text(body.get("thinking").unwrap_or("null"), "thinking")?;
            conversation.rest.push(("thinking".to_owned(), raw));
            return Ok(());
        }
    }
    conversation.reasoning = Some(reasoning);
    Ok(())
}

/// Reads `output_config`; what the common form has no place for is kept as it stands.
fn output(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    let mut others = Map::new();
    if let Some(raw) = body.get("output_config").filter(|raw| *raw != "null") {
        let parsed = JsonObject::parse(Bytes::copy_from_slice(raw.as_bytes()));
        let config = parsed.map_err(|_| BadRequest::new("output_config", "'output_config' must be an object."))?;
        for (name, value) in config.fields().filter(|(_, value)| *value != "null") {
            let is_taken = match name {
                "effort" => set_effort(value, conversation),
                "format" => set_format(value, "output_config.format", conversation)?,
                _ => false,
            };
            if !is_taken {
                others.insert(name.to_owned(), raw_text(value, "output_config")?.value());
            }
        }
    }
    if !others.is_empty() {
        conversation.rest.push(("output_config".to_owned(), JsonText::from(Value::Object(others))));
    }
    if let Some(raw) = body.get("output_format").filter(|raw| *raw != "null")
        && (conversation.output_format.is_some() || !set_format(raw, "output_format", conversation)?)
    {
        conversation.rest.push(("output_format".to_owned(), raw_text(raw, "output_format")?));
    }
    Ok(())
}

/// Takes in an effort whose word is known; beside thinking that is off it has no place.
fn set_effort(raw: &str, conversation: &mut Conversation) -> bool {
    let effort = serde_json::from_str::<String>(raw).ok().and_then(|word| Effort::from_word(&word));
    let effort = effort.filter(|effort| *effort > Effort::Minimal);
    let has_effort = conversation.reasoning.as_ref().is_some_and(|reasoning| reasoning.effort.is_some());
    if has_effort || effort.is_none() {
        return false;
    }
    let own = || Reasoning { wants_token: true, ..Reasoning::default() };
    conversation.reasoning.get_or_insert_with(own).effort = effort;
    true
}

fn set_format(raw: &str, path: &str, conversation: &mut Conversation) -> Result<bool, BadRequest> {
    #[derive(Deserialize)]
    struct Format {
        #[serde(rename = "type")]
        kind: String,
        schema: Option<JsonText>,
    }
    let format: Format = serde_json::from_str(raw)
        .map_err(|_| BadRequest::new(path, "A format must be an object with 'type' and 'schema'."))?;
    let schema = format.schema.filter(|schema| format.kind == "json_schema" && schema.is_object());
    let is_taken = schema.is_some();
    if let Some(schema) = schema {
        conversation.output_format =
            Some(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None });
    }
    Ok(is_taken)
}
