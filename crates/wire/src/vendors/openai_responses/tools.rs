//! Tools and the choice among them.

use serde::Serialize;
use serde_json::{Value, json};

use super::parts::Dropped;
use crate::BadRequest;
use crate::common::tool_ids::{TOOL_NAME, check_names, flat_name};
use crate::common::{
    Conversation, Family, JsonText, ToolChoice, ToolDefinition, ToolKind, custom_description, custom_schema,
};

#[derive(Serialize)]
struct Function<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: JsonText,
    /// A required field here, and true where it is left out; other formats mean false.
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a JsonText>,
}

#[derive(Serialize)]
struct Other<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a JsonText>,
}

#[derive(Serialize)]
struct Namespace<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    tools: Vec<JsonText>,
}

/// The definitions of the tools.
///
/// # Errors
/// Where the vendor has no such tool, or two would have one name.
pub(super) fn definitions(
    conversation: &Conversation,
    functions_only: bool,
    dropped: &mut Dropped,
) -> Result<Vec<JsonText>, BadRequest> {
    check_names(conversation, &TOOL_NAME)?;
    let mut out: Vec<JsonText> = Vec::with_capacity(conversation.tools.len());
    let mut spaces: Vec<(usize, Namespace<'_>)> = Vec::new();
    for (at, tool) in conversation.tools.iter().enumerate() {
        let definition = &tool.definition;
        match definition {
            // Offered once a search has found them (J16).
            ToolDefinition::Client { name, is_deferred: true, .. } if !conversation.refers_to_tool(name) => {}
            ToolDefinition::Client { namespace: Some(space), .. } if !functions_only => {
                let told = client(definition, false);
                match spaces.iter_mut().find(|(_, known)| known.name == space) {
                    Some((_, known)) => known.tools.push(told),
                    None => {
                        spaces.push((out.len(), namespace(conversation, space, told)));
                        // Its place, until all its tools are known.
                        out.push(Value::Null.into());
                    }
                }
            }
            ToolDefinition::Client { .. } => out.push(client(definition, functions_only)),
            ToolDefinition::Hosted { kind, raw, family, .. } => {
                out.extend(hosted(kind, raw, *family, at, functions_only, dropped)?);
            }
        }
    }
    for (at, space) in spaces {
        if let Some(place) = out.get_mut(at) {
            *place = JsonText::of(&space);
        }
    }
    Ok(out)
}

fn namespace<'a>(conversation: &'a Conversation, name: &'a str, first: JsonText) -> Namespace<'a> {
    let known = conversation.namespaces.iter().find(|(known, _)| known == name);
    let description = known.map_or(name, |(_, description)| description.as_str());
    Namespace { r#type: "namespace", name, description, tools: vec![first] }
}

fn client(definition: &ToolDefinition, functions_only: bool) -> JsonText {
    let ToolDefinition::Client { kind, name, namespace, description, schema, strict, rest, .. } = definition else {
        return Value::Null.into();
    };
    let given = rest.iter().find(|(name, _)| name == "output_schema" && !functions_only);
    let output_schema = given.map(|(_, schema)| schema);
    let description = description.as_deref();
    let space = namespace.as_deref().filter(|_| functions_only);
    let told = TOOL_NAME.name(space, name);
    let function = |description: Option<&str>, parameters: Option<JsonText>| {
        let parameters = parameters.unwrap_or_else(|| json!({"type": "object", "properties": {}}).into());
        let strict = strict.unwrap_or(false);
        JsonText::of(&Function { r#type: "function", name: &told, description, parameters, strict, output_schema })
    };
    let other = Other { r#type: name, execution: None, name: None, description: None, format: None, parameters: None };
    match (kind, functions_only) {
        (ToolKind::Custom, true) => {
            let words = custom_description(description, schema.as_ref());
            function(words.as_deref(), Some(custom_schema()))
        }
        (ToolKind::Function, _) | (_, true) => function(description, schema.clone()),
        (ToolKind::Custom, false) => {
            let format = schema.as_ref();
            JsonText::of(&Other { r#type: "custom", name: Some(&told), description, format, ..other })
        }
        (ToolKind::ToolSearch, false) => {
            let parameters = schema.as_ref();
            JsonText::of(&Other { execution: Some("client"), description, parameters, ..other })
        }
        (ToolKind::Shell, false) => JsonText::of(&other),
    }
}

/// A tool that a vendor runs itself: OpenAI's own as they stand, a search of the web of another vendor as OpenAI's.
fn hosted(
    kind: &str,
    raw: &JsonText,
    family: Family,
    at: usize,
    functions_only: bool,
    dropped: &mut Dropped,
) -> Result<Option<JsonText>, BadRequest> {
    let is_search = kind.starts_with("web_search");
    match family {
        // Codex offers it with every request, so that refusing would end all of them.
        Family::OpenAi if functions_only && (is_search || kind == "tool_search") => {
            dropped.add(&format!("tools.{kind}"));
            Ok(None)
        }
        Family::OpenAi => Ok(Some(raw.clone())),
        _ if is_search && !functions_only => Ok(Some(web_search(raw))),
        _ => {
            let message = format!("The tool '{kind}' runs at another vendor alone: leave it out.");
            Err(BadRequest::new(format!("tools[{at}]"), message))
        }
    }
}

fn web_search(raw: &JsonText) -> JsonText {
    let own = raw.value();
    let mut tool = json!({"type": "web_search"});
    if let Some(fields) = tool.as_object_mut() {
        if let Some(domains) = own.get("allowed_domains").filter(|domains| domains.is_array()) {
            fields.insert("filters".to_owned(), json!({"allowed_domains": domains}));
        }
        if let Some(place) = own.get("user_location").filter(|place| place.is_object()) {
            fields.insert("user_location".to_owned(), place.clone());
        }
    }
    tool.into()
}

/// Which tool has to be called.
pub(super) fn choice(conversation: &Conversation, functions_only: bool) -> Option<Value> {
    Some(match conversation.tool_choice.as_ref()? {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name, namespace) => {
            reference(conversation, &flat_name(namespace.as_deref(), name), functions_only)
        }
        ToolChoice::Allowed { required, names } => {
            let tools: Vec<Value> = names.iter().map(|name| reference(conversation, name, functions_only)).collect();
            json!({"type": "allowed_tools", "mode": if *required { "required" } else { "auto" }, "tools": tools})
        }
    })
}

/// The words by which a choice names a tool.
fn reference(conversation: &Conversation, flat: &str, functions_only: bool) -> Value {
    for tool in &conversation.tools {
        match &tool.definition {
            ToolDefinition::Client { kind, name, namespace, .. } => {
                let space = namespace.as_deref();
                if flat_name(space, name) != flat && name != flat {
                    continue;
                }
                if functions_only {
                    return json!({"type": "function", "name": TOOL_NAME.name(space, name)});
                }
                let mut told = match kind {
                    ToolKind::Function => json!({"type": "function", "name": TOOL_NAME.fit(name)}),
                    ToolKind::Custom => json!({"type": "custom", "name": TOOL_NAME.fit(name)}),
                    ToolKind::ToolSearch | ToolKind::Shell => json!({"type": name}),
                };
                if let (Some(space), Some(fields)) = (space, told.as_object_mut()) {
                    fields.insert("namespace".to_owned(), json!(space));
                }
                return told;
            }
            ToolDefinition::Hosted { kind, name, family, .. } if kind == flat || name.as_deref() == Some(flat) => {
                let kind = if *family == Family::OpenAi { kind } else { "web_search" };
                return json!({"type": kind});
            }
            ToolDefinition::Hosted { .. } => {}
        }
    }
    json!({"type": "function", "name": TOOL_NAME.fit(flat)})
}
