//! Tools: functions as they are, all other kinds as functions that do the same.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::Shape;
use super::content::cache_control;
use super::messages::note;
use crate::BadRequest;
use crate::clients::chat::FAMILY;
use crate::clients::chat::object::Object;
use crate::common::tool_ids::{TOOL_NAME, check_names, flat_name};
use crate::common::{
    Block, BlockKind, Conversation, JsonText, Tool, ToolChoice, ToolDefinition, ToolKind, custom_description,
    custom_schema,
};

/// The name by which the vendor knows a tool.
pub(super) fn told_name<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    TOOL_NAME.name(namespace, name)
}

/// Adds `tools`, `tool_choice` and `parallel_tool_calls` to a request.
pub(super) fn tools(
    conversation: &Conversation,
    shape: Shape<'_>,
    body: &mut Object,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    check_names(conversation, &TOOL_NAME)?;
    let referenced = referenced(conversation);
    // Vendors that know no choice of several tools are offered those alone.
    let allowed = match &conversation.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !shape.is_chat => Some(names),
        _ => None,
    };
    let mut told = Vec::new();
    for (at, tool) in conversation.tools.iter().enumerate() {
        if is_offered(&tool.definition, &referenced, allowed) {
            told.extend(self::tool(tool, at, conversation, shape, dropped)?);
        }
    }
    if told.is_empty() {
        if !matches!(conversation.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None)) {
            note(dropped, "tool_choice");
        }
        return Ok(());
    }
    body.list("tools", &told);
    if let Some(choice) = &conversation.tool_choice {
        body.set("tool_choice", self::choice(choice, conversation, shape));
    }
    body.set_some("parallel_tool_calls", conversation.parallel_tool_calls);
    Ok(())
}

/// The tools that the history says were found.
fn referenced(conversation: &Conversation) -> HashSet<&str> {
    fn names<'a>(blocks: &'a [Block], out: &mut HashSet<&'a str>) {
        for block in blocks {
            match &block.kind {
                BlockKind::ToolReference(name) => _ = out.insert(name),
                BlockKind::ToolResult(result) => names(&result.blocks, out),
                _ => {}
            }
        }
    }
    let mut out = HashSet::new();
    conversation.turns.iter().for_each(|turn| names(&turn.blocks, &mut out));
    out
}

fn is_offered(definition: &ToolDefinition, referenced: &HashSet<&str>, allowed: Option<&Vec<String>>) -> bool {
    let ToolDefinition::Client { name, namespace, is_deferred, .. } = definition else { return true };
    let flat = flat_name(namespace.as_deref(), name);
    let is_found = !is_deferred || referenced.contains(name.as_str()) || referenced.contains(&*flat);
    is_found && allowed.is_none_or(|names| names.iter().any(|allowed| allowed == name || *allowed == *flat))
}

fn tool(
    tool: &Tool,
    at: usize,
    conversation: &Conversation,
    shape: Shape<'_>,
    dropped: &mut Vec<String>,
) -> Result<Option<String>, BadRequest> {
    let mut told = Object::default();
    match &tool.definition {
        ToolDefinition::Hosted { kind, name, raw, family } => {
            if *family == FAMILY && shape.is_chat {
                return Ok(Some(raw.as_str().to_owned()));
            }
            return hosted(kind, name.as_deref(), at, conversation, dropped).map(|()| None);
        }
        ToolDefinition::Client { kind: ToolKind::Custom, name, description, schema, .. } if shape.is_chat => {
            let mut custom = Object::default();
            custom.set("name", name);
            custom.set_some("description", description.as_ref());
            custom.set_some("format", schema.as_ref());
            told.set("type", "custom");
            told.raw("custom", &custom.end());
        }
        definition @ ToolDefinition::Client { rest, .. } => {
            if !shape.has_extensions() {
                rest.iter().for_each(|(name, _)| note(dropped, &format!("tools[].{name}")));
            }
            told.set("type", "function");
            told.raw("function", &function(definition, shape));
        }
    }
    if tool.cache.is_some() && shape.has_extensions() {
        told.set("cache_control", cache_control(tool.cache));
    }
    Ok(Some(told.end()))
}

/// A tool of another vendor's own: a search beside others can be missed and is told as lost, all else is refused.
fn hosted(
    kind: &str,
    name: Option<&str>,
    at: usize,
    conversation: &Conversation,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let is_forced = match &conversation.tool_choice {
        Some(ToolChoice::Tool(chosen, _)) => chosen == name.unwrap_or(kind),
        Some(ToolChoice::Required) => conversation.tools.len() == 1,
        _ => false,
    };
    // Tools that wait for the vendor's search for tools are offered from the beginning.
    let can_be_missed = kind.starts_with("web_search") || kind == "tool_search";
    if can_be_missed && !is_forced && conversation.tools.len() > 1 {
        note(dropped, &format!("tools.{}", name.unwrap_or(kind)));
        return Ok(());
    }
    let message = format!("The provider of this model has no tool of the type '{kind}': leave it out.");
    Err(BadRequest::new(format!("tools[{at}].type"), message))
}

fn function(definition: &ToolDefinition, shape: Shape<'_>) -> String {
    let ToolDefinition::Client { kind, name, namespace, description, schema, strict, rest, .. } = definition else {
        return "{}".to_owned();
    };
    let mut function = Object::default();
    function.set("name", told_name(namespace.as_deref(), name));
    match kind {
        ToolKind::Custom => {
            function.set_some("description", custom_description(description.as_deref(), schema.as_ref()));
            function.set("parameters", custom_schema());
        }
        _ => {
            function.set_some("description", description.as_ref());
            match schema {
                Some(schema) => function.set("parameters", schema),
                None if shape.is_chat => {}
                None => function.set("parameters", own_schema(*kind)),
            }
        }
    }
    // "Not strict" is the default, and not all vendors know the field.
    function.set_some("strict", strict.filter(|strict| *strict || shape.is_chat));
    if shape.has_extensions() {
        rest.iter().for_each(|(name, value)| function.set(name, value));
    }
    function.end()
}

/// The arguments of tools whose schema is not told.
fn own_schema(kind: ToolKind) -> Value {
    match kind {
        ToolKind::Shell => json!({"type": "object", "required": ["command"], "properties": {
            "command": {"type": "array", "items": {"type": "string"}},
            "workdir": {"type": "string"}, "timeout_ms": {"type": "number"}}}),
        ToolKind::ToolSearch => json!({"type": "object", "required": ["query"], "properties": {
            "query": {"type": "string"}, "limit": {"type": "number"}}}),
        _ => json!({"type": "object", "properties": {}}),
    }
}

fn choice(choice: &ToolChoice, conversation: &Conversation, shape: Shape<'_>) -> Value {
    let named = |name: &str, namespace: Option<&str>| {
        let told = told_name(namespace, name);
        if shape.is_chat && is_custom(conversation, name) {
            json!({"type": "custom", "custom": {"name": told}})
        } else {
            json!({"type": "function", "function": {"name": told}})
        }
    };
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name, namespace) => named(name, namespace.as_deref()),
        ToolChoice::Allowed { required, names } => {
            let mode = if *required { "required" } else { "auto" };
            if !shape.is_chat {
                return json!(mode);
            }
            let tools: Vec<Value> = names.iter().map(|name| named(name, None)).collect();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
    }
}

fn is_custom(conversation: &Conversation, named: &str) -> bool {
    conversation.tools.iter().any(
        |tool| matches!(&tool.definition, ToolDefinition::Client { kind: ToolKind::Custom, name, .. } if name == named),
    )
}

/// The schema that an answer must follow.
pub(super) fn schema_format(
    name: Option<&str>,
    description: Option<&str>,
    schema: &JsonText,
    strict: Option<bool>,
) -> String {
    let mut inner = Object::default();
    // The format insists on a name.
    inner.set("name", name.unwrap_or("answer"));
    inner.set_some("description", description);
    inner.set_some("strict", strict);
    inner.set("schema", schema);
    let mut format = Object::default();
    format.set("type", "json_schema");
    format.raw("json_schema", &inner.end());
    format.end()
}
