//! Tools and the choice among them.

use super::super::fields::{self, Fields};
use super::parts;
use crate::BadRequest;
use crate::common::{Conversation, Family, JsonText, Tool, ToolChoice, ToolDefinition, ToolKind};

/// Fields of a function that are read; others stand in its `rest`.
const KNOWN: [&str; 8] =
    ["cache_control", "defer_loading", "description", "input_schema", "name", "parameters", "strict", "type"];

/// Reads `tools`, `functions` and the choice among them.
pub(super) fn read(body: &Fields<'_>, conversation: &mut Conversation) -> Result<(), BadRequest> {
    for (at, item) in list(body, "tools")?.into_iter().enumerate() {
        conversation.tools.push(tool(item, &format!("tools[{at}]"))?);
    }
    for (at, item) in list(body, "functions")?.into_iter().enumerate() {
        let function = Fields::of(item).unwrap_or_default();
        let definition = function_tool(&function, &format!("functions[{at}]"))?;
        conversation.tools.push(Tool { definition, cache: parts::cache(&function) });
    }
    conversation.parallel_tool_calls = body.read("parallel_tool_calls");
    let named = ["tool_choice", "function_call"].iter().find_map(|name| Some((*name, body.get(name)?)));
    if let Some((field, json)) = named {
        conversation.tool_choice = Some(choice(field, json)?);
        // Anthropic's form has the wish for one call at a time in it.
        let alone = Fields::of(json).and_then(|choice| choice.read("disable_parallel_tool_use"));
        conversation.parallel_tool_calls = alone.map(|alone: bool| !alone).or(conversation.parallel_tool_calls);
    }
    Ok(())
}

fn list<'a>(body: &Fields<'a>, name: &str) -> Result<Vec<&'a str>, BadRequest> {
    let Some(json) = body.get(name) else { return Ok(Vec::new()) };
    fields::list(json).ok_or_else(|| BadRequest::new(name, format!("'{name}' must be an array.")))
}

fn tool(item: &str, path: &str) -> Result<Tool, BadRequest> {
    let fields = Fields::of(item).unwrap_or_default();
    let kind = fields.text("type");
    let inner = |name: &str| fields.object(name).unwrap_or_default();
    let (definition, function) = match kind.as_deref() {
        Some("function") => {
            let function = inner("function");
            (function_tool(&function, &format!("{path}.function"))?, function)
        }
        Some("custom") if fields.object("custom").is_some() => {
            (custom_tool(&inner("custom"), &format!("{path}.custom"))?, Fields::default())
        }
        // Anthropic's form of a tool that the client runs.
        None | Some("custom") if fields.text("name").is_some() => (function_tool(&fields, path)?, Fields::default()),
        Some(kind) => (hosted(kind, &fields, item, path)?, Fields::default()),
        None => return Err(BadRequest::new(format!("{path}.type"), "A tool must be of the type 'function'.")),
    };
    Ok(Tool { definition, cache: parts::cache(&fields).or_else(|| parts::cache(&function)) })
}

/// A tool that a vendor runs: Anthropic's have a name, those of compatible vendors have none.
fn hosted(kind: &str, fields: &Fields<'_>, item: &str, path: &str) -> Result<ToolDefinition, BadRequest> {
    let raw = JsonText::parse(item).map_err(|_| BadRequest::new(path, "A tool must be an object."))?;
    let name = fields.text("name");
    let is_anthropics = name.is_some() || kind == "mcp_toolset";
    let family = if is_anthropics { Family::Anthropic } else { super::super::FAMILY };
    Ok(ToolDefinition::Hosted { kind: kind.to_owned(), name, raw, family })
}

fn function_tool(function: &Fields<'_>, path: &str) -> Result<ToolDefinition, BadRequest> {
    let missing = || BadRequest::new(format!("{path}.name"), "A function must have a name.");
    let name = function.text("name").ok_or_else(missing)?;
    let schema = match ["parameters", "input_schema"].iter().find_map(|name| function.json(name)) {
        Some(schema) if !schema.is_object() => {
            let path = format!("{path}.parameters");
            return Err(BadRequest::new(path, "A function's parameters must be a JSON schema of an object."));
        }
        schema => schema,
    };
    let rest = function.iter().filter(|(name, _)| !KNOWN.contains(name));
    Ok(ToolDefinition::Client {
        kind: ToolKind::Function,
        name,
        namespace: None,
        description: function.text("description"),
        schema,
        strict: function.read("strict"),
        is_deferred: function.read("defer_loading").unwrap_or(false),
        rest: rest.filter_map(|(name, json)| Some((name.to_owned(), JsonText::parse(json).ok()?))).collect(),
    })
}

fn custom_tool(custom: &Fields<'_>, path: &str) -> Result<ToolDefinition, BadRequest> {
    let missing = || BadRequest::new(format!("{path}.name"), "A custom tool must have a name.");
    Ok(ToolDefinition::Client {
        kind: ToolKind::Custom,
        name: custom.text("name").ok_or_else(missing)?,
        namespace: None,
        description: custom.text("description"),
        schema: custom.json("format"),
        strict: None,
        is_deferred: false,
        rest: Vec::new(),
    })
}

fn choice(field: &str, json: &str) -> Result<ToolChoice, BadRequest> {
    let choice = Fields::of(json).unwrap_or_default();
    let word = fields::text(json).or_else(|| choice.text("type"));
    Ok(match word.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any" | "required") => ToolChoice::Required,
        Some("allowed_tools") => {
            let inner = choice.object("allowed_tools");
            let allowed = inner.as_ref().unwrap_or(&choice);
            let names = allowed.list("tools").unwrap_or_default();
            let names = names.into_iter().filter_map(|item| named(&Fields::of(item)?)).collect();
            ToolChoice::Allowed { required: allowed.text("mode").as_deref() == Some("required"), names }
        }
        _ => {
            let message = format!("'{field}' must be auto, none, required, or name a function.");
            ToolChoice::Tool(named(&choice).ok_or_else(|| BadRequest::new(field, message))?, None)
        }
    })
}

/// The tool that an object names, wherever its name stands.
fn named(object: &Fields<'_>) -> Option<String> {
    let inner = ["function", "custom"].iter().find_map(|kind| object.object(kind)?.text("name"));
    inner.or_else(|| object.text("name"))
}
