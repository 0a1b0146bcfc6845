//! Tools and the choice among them, read.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::blocks::{CacheControl, list, raw_text};
use super::read::{bad, field};
use crate::BadRequest;
use crate::common::{CacheMark, Conversation, Family, JsonText, Tool, ToolChoice, ToolDefinition, ToolKind};
use crate::json_object::JsonObject;

/// Fields of a client's tool that the common form has a place for.
const KNOWN: [&str; 7] = ["type", "name", "description", "input_schema", "strict", "defer_loading", "cache_control"];

/// Reads `tools` and `tool_choice`.
pub(super) fn read(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    if let Some(raw) = body.get("tools").filter(|raw| *raw != "null") {
        let items = list(raw).ok_or_else(|| BadRequest::new("tools", "'tools' must be an array of tools."))?;
        let items = items.into_iter().enumerate();
        conversation.tools =
            items.map(|(at, item)| tool(item, &format!("tools[{at}]"))).collect::<Result<_, BadRequest>>()?;
    }
    let Some(choice) = field::<Choice>(body, "tool_choice", "an object with a 'type'")? else { return Ok(()) };
    conversation.parallel_tool_calls = (choice.disable_parallel_tool_use == Some(true)).then_some(false);
    conversation.tool_choice = Some(match (choice.kind.as_str(), choice.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Tool(name, None),
        ("tool", None) => return Err(BadRequest::new("tool_choice.name", "'tool_choice' must name a tool.")),
        _ => return Err(BadRequest::new("tool_choice.type", "'tool_choice.type' must be auto, any, none or tool.")),
    });
    Ok(())
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

fn tool(raw: &RawValue, path: &str) -> Result<Tool, BadRequest> {
    let parsed = JsonObject::parse(Bytes::copy_from_slice(raw.get().as_bytes()));
    let fields = parsed.map_err(|_| BadRequest::new(path, "A tool must be an object."))?;
    let text = |name: &str| {
        fields.read::<String>(name).map_err(|_| BadRequest::new(format!("{path}.{name}"), "This must be a text."))
    };
    let name = text("name")?;
    if let Some(kind) = text("type")?.filter(|kind| kind != "custom") {
        // Tools that Anthropic runs, and those whose schema is built into its models.
        let definition = ToolDefinition::Hosted { kind, name, raw: raw.into(), family: Family::Anthropic };
        return Ok(Tool { definition, cache: None });
    }
    let name = name.filter(|name| !name.is_empty());
    let flag = |name: &str| {
        fields.read::<bool>(name).map_err(|_| BadRequest::new(format!("{path}.{name}"), "This must be true or false."))
    };
    let cache: Option<CacheControl> =
        fields.read("cache_control").map_err(|error| bad(format!("{path}.cache_control"), &error))?;
    let definition = ToolDefinition::Client {
        kind: ToolKind::Function,
        name: name.ok_or_else(|| BadRequest::new(format!("{path}.name"), "A tool must have a name."))?,
        namespace: None,
        description: text("description")?,
        schema: schema(&fields, path)?,
        strict: flag("strict")?,
        is_deferred: flag("defer_loading")?.unwrap_or(false),
        rest: rest(&fields, path)?,
    };
    Ok(Tool { definition, cache: cache.map(CacheMark::from) })
}

fn schema(fields: &JsonObject, path: &str) -> Result<Option<JsonText>, BadRequest> {
    match fields.get("input_schema") {
        None | Some("null") => Ok(None),
        Some(raw) if raw.starts_with('{') => raw_text(raw, path).map(Some),
        Some(_) => {
            let message = "'input_schema' must be a JSON schema of an object.";
            Err(BadRequest::new(format!("{path}.input_schema"), message))
        }
    }
}

fn rest(fields: &JsonObject, path: &str) -> Result<Vec<(String, JsonText)>, BadRequest> {
    let unknown = fields.fields().filter(|(name, value)| !KNOWN.contains(name) && *value != "null");
    unknown.map(|(name, value)| Ok((name.to_owned(), raw_text(value, path)?))).collect()
}
