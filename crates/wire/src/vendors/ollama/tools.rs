//! Tools: Ollama knows functions, and takes any name.

use std::borrow::Cow;

use serde::Serialize;

use super::request::note;
use crate::BadRequest;
use crate::common::tool_ids::{ANY_NAME, check_names};
use crate::common::{
    Conversation, Family, JsonText, ToolChoice, ToolDefinition, ToolKind, custom_description, custom_schema,
};

/// A tool as Ollama takes it.
#[derive(Serialize)]
pub(super) struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Cow<'a, JsonText>>,
}

/// The tools; none where the client gave none, or forbids to call any.
pub(super) fn of<'a>(
    conversation: &'a Conversation,
    dropped: &mut Vec<String>,
) -> Result<Option<Vec<Tool<'a>>>, BadRequest> {
    if conversation.tools.is_empty() || conversation.tool_choice == Some(ToolChoice::None) {
        return Ok(None);
    }
    check_names(conversation, &ANY_NAME)?;
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for (at, tool) in conversation.tools.iter().enumerate() {
        match &tool.definition {
            ToolDefinition::Client { .. } => tools.extend(client_tool(&tool.definition, conversation, dropped)),
            // Codex always offers a search of the web, and does without; tools that wait for a search for tools are offered
            // from the beginning.
            ToolDefinition::Hosted { kind, family: Family::OpenAi, .. }
                if kind.starts_with("web_search") || kind == "tool_search" =>
            {
                note(&format!("tools[].{kind}"), dropped);
            }
            ToolDefinition::Hosted { kind, .. } => {
                let message = format!("Ollama runs no tools itself: '{kind}' must be a function.");
                return Err(BadRequest::new(format!("tools[{at}].type"), message));
            }
        }
    }
    Ok((!tools.is_empty()).then_some(tools))
}

/// A tool that the client runs; none where it is not offered.
fn client_tool<'a>(
    definition: &'a ToolDefinition,
    conversation: &'a Conversation,
    dropped: &mut Vec<String>,
) -> Option<Tool<'a>> {
    let ToolDefinition::Client { kind, name, namespace, description, schema, strict, is_deferred, rest } = definition
    else {
        return None;
    };
    let is_allowed = match &conversation.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(name),
        _ => true,
    };
    if !is_allowed || (*is_deferred && !conversation.refers_to_tool(name)) {
        return None;
    }
    if *strict == Some(true) {
        note("tools[].strict", dropped);
    }
    rest.iter().for_each(|(name, _)| note(&format!("tools[].{name}"), dropped));
    let (description, parameters) = match kind {
        ToolKind::Custom => (
            custom_description(description.as_deref(), schema.as_ref()).map(Cow::Owned),
            Some(Cow::Owned(custom_schema())),
        ),
        _ => (description.as_deref().map(Cow::Borrowed), schema.as_ref().map(Cow::Borrowed)),
    };
    let name = ANY_NAME.name(namespace.as_deref(), name);
    Some(Tool { kind: "function", function: Function { name, description, parameters } })
}
