//! Tools and the choice among them.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::draft::Draft;
use crate::BadRequest;
use crate::clients::messages::form::CacheControl;
use crate::common::schema::for_anthropic;
use crate::common::tool_ids::{TOOL_NAME, check_names, flat_name};
use crate::common::{
    Block, BlockKind, Conversation, Family, JsonText, Tool, ToolChoice, ToolDefinition, ToolKind, custom_description,
    custom_schema,
};
use crate::json_object::JsonObject;

/// Adds `tools` and `tool_choice`; gives whether a tool is forced.
pub(super) fn translate(draft: &mut Draft<'_>) -> Result<bool, BadRequest> {
    let conversation = draft.conversation;
    check_names(conversation, &TOOL_NAME)?;
    let found = if draft.is_native { HashSet::new() } else { references(conversation) };
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for (at, item) in conversation.tools.iter().enumerate() {
        if is_search_for_tools(&item.definition) {
            draft.note("tools[].tool_search");
        } else if is_offered(item, conversation, draft.is_native, &found) {
            tools.push(tool(item, &format!("tools[{at}]"), draft)?);
        }
    }
    let mut choice = choice(draft);
    if tools.is_empty() {
        if choice.as_ref().is_some_and(|choice| choice["type"] != "auto" && choice["type"] != "none") {
            draft.note("tool_choice");
        }
        return Ok(false);
    }
    draft.set("tools", &tools);
    if conversation.parallel_tool_calls == Some(false) {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = json!(true);
        }
    }
    let Some(choice) = choice else { return Ok(false) };
    draft.set("tool_choice", &choice);
    Ok(choice["type"] == "any" || choice["type"] == "tool")
}

/// Whether a tool is OpenAI's own search for tools: those that wait for it are offered from the beginning.
fn is_search_for_tools(definition: &ToolDefinition) -> bool {
    matches!(definition, ToolDefinition::Hosted { kind, family: Family::OpenAi, .. } if kind == "tool_search")
}

/// The deferred tools that the talk names.
fn references(conversation: &Conversation) -> HashSet<&str> {
    let mut found = HashSet::new();
    let mut waiting: Vec<&Block> = conversation.turns.iter().flat_map(|turn| &turn.blocks).collect();
    while let Some(block) = waiting.pop() {
        match &block.kind {
            BlockKind::ToolReference(name) => {
                found.insert(name.as_str());
            }
            BlockKind::ToolResult(result) => waiting.extend(&result.blocks),
            _ => {}
        }
    }
    found
}

/// Whether a tool is told: not those outside of the choice, nor deferred ones that nothing named yet.
fn is_offered(tool: &Tool, conversation: &Conversation, is_native: bool, found: &HashSet<&str>) -> bool {
    let (name, namespace) = match &tool.definition {
        ToolDefinition::Client { name, namespace, is_deferred, .. } => {
            let flat = flat_name(namespace.as_deref(), name);
            if *is_deferred && !is_native && !found.contains(name.as_str()) && !found.contains(flat.as_ref()) {
                return false;
            }
            (Some(name.as_str()), namespace.as_deref())
        }
        ToolDefinition::Hosted { name, kind, .. } => (name.as_deref().or(Some(kind)), None),
    };
    match &conversation.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => name.is_some_and(|name| {
            let flat = flat_name(namespace, name);
            names.iter().any(|allowed| allowed == name || *allowed == flat)
        }),
        _ => true,
    }
}

fn choice(draft: &mut Draft<'_>) -> Option<Value> {
    let choice = match draft.conversation.tool_choice.as_ref()? {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        _ if !draft.abilities.forced_tools => {
            draft.note("tool_choice");
            json!({"type": "auto"})
        }
        ToolChoice::Required | ToolChoice::Allowed { .. } => json!({"type": "any"}),
        ToolChoice::Tool(name, namespace) => {
            json!({"type": "tool", "name": TOOL_NAME.name(namespace.as_deref(), name)})
        }
    };
    Some(choice)
}

/// A tool as it is told.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Client(Box<Client<'a>>),
    Raw(&'a JsonText),
    Mapped(Value),
}

#[derive(Serialize)]
struct Client<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    input_schema: JsonText,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    defer_loading: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

fn tool<'a>(tool: &'a Tool, path: &str, draft: &mut Draft<'_>) -> Result<Told<'a>, BadRequest> {
    let ToolDefinition::Client { kind, name, namespace, description, schema, strict, is_deferred, rest } =
        &tool.definition
    else {
        return hosted(&tool.definition, path);
    };
    let is_native = draft.is_native;
    let is_text = *kind == ToolKind::Custom;
    // "Not strict" is the default, and models before structured outputs do not know the field.
    let mut strict = strict.filter(|strict| *strict || is_native).filter(|_| !is_text);
    if strict == Some(true) && !draft.abilities.structured {
        strict = None;
        draft.note("tools[].strict");
    }
    let given = schema.as_ref().filter(|_| !is_text);
    let mut own = Map::new();
    for (field, value) in rest {
        if is_native {
            own.insert(field.clone(), value.value());
        } else {
            draft.note(&format!("tools[].{field}"));
        }
    }
    let told = if is_text { custom_description(description.as_deref(), schema.as_ref()).map(Cow::Owned) } else { None };
    Ok(Told::Client(Box::new(Client {
        name: TOOL_NAME.name(namespace.as_deref(), name),
        description: told.or(description.as_deref().filter(|_| !is_text).map(Cow::Borrowed)),
        input_schema: match given {
            _ if is_text => custom_schema(),
            None => JsonText::from(json!({"type": "object", "properties": {}})),
            Some(schema) if is_native => schema.clone(),
            Some(schema) => input_schema(schema, strict == Some(true), path)?,
        },
        strict,
        defer_loading: *is_deferred && is_native,
        rest: own,
        cache_control: tool.cache.map(CacheControl::from),
    })))
}

/// A schema as Anthropic takes it, which insists on the type.
fn input_schema(schema: &JsonText, is_strict: bool, path: &str) -> Result<JsonText, BadRequest> {
    let bad = || {
        let message = "A function's parameters must be a JSON schema of an object.";
        BadRequest::new(format!("{path}.function.parameters"), message)
    };
    let object = JsonObject::parse(Bytes::copy_from_slice(schema.as_str().as_bytes())).map_err(|_| bad())?;
    let schema = if object.get("type").is_some() {
        schema.clone()
    } else {
        let typed = object.edited(&[("type", "\"object\"")], &[]);
        std::str::from_utf8(&typed).ok().and_then(|text| JsonText::parse(text).ok()).ok_or_else(bad)?
    };
    Ok(if is_strict { for_anthropic(&schema) } else { schema })
}

/// A tool that a vendor runs: Anthropic's own, and OpenAI's web search, which it has too.
fn hosted<'a>(definition: &'a ToolDefinition, path: &str) -> Result<Told<'a>, BadRequest> {
    match definition {
        ToolDefinition::Hosted { raw, family: Family::Anthropic, .. } => Ok(Told::Raw(raw)),
        ToolDefinition::Hosted { kind, raw, .. } if kind.starts_with("web_search") => {
            Ok(Told::Mapped(web_search(&raw.value())))
        }
        ToolDefinition::Hosted { kind, .. } => {
            let message =
                format!("Anthropic has no tool of the type '{kind}': leave it out or choose another provider.");
            Err(BadRequest::new(format!("{path}.type"), message))
        }
        ToolDefinition::Client { .. } => Err(BadRequest::new(path, "This tool cannot be told.")),
    }
}

fn web_search(tool: &Value) -> Value {
    let mut told = json!({"type": "web_search_20250305", "name": "web_search"});
    let domains = tool.get("filters").and_then(|filters| filters.get("allowed_domains"));
    if let Some(domains) = domains.filter(|domains| domains.as_array().is_some_and(|list| !list.is_empty())) {
        told["allowed_domains"] = domains.clone();
    }
    if let Some(location) = tool.get("user_location").and_then(Value::as_object) {
        let mut place = location.clone();
        place.retain(|_, value| !value.is_null());
        place.insert("type".to_owned(), json!("approximate"));
        told["user_location"] = Value::Object(place);
    }
    told
}
