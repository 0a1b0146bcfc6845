//! Tools and the choice among them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::fields::{object, raw_list};
use crate::BadRequest;
use crate::common::tool_ids::flat_name;
use crate::common::{Family, JsonText, Tool, ToolChoice, ToolDefinition, ToolKind};

/// The tools of a request, in the order in which they first stood.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The tools.
    pub list: Vec<Tool>,
    /// What namespaces are for.
    pub namespaces: Vec<(String, String)>,
    /// Where the tool of a flat name stands, and its own name.
    places: HashMap<String, (usize, Option<String>, String)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Defined<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    output_schema: Option<&'a RawValue>,
    strict: Option<bool>,
    execution: Option<String>,
    environment: Option<Environment>,
    /// The form of chat completions, which some clients send all the same.
    #[serde(borrow)]
    function: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Environment {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Tools {
    /// Adds a list of definitions; gives the names under which targets without namespaces know them.
    ///
    /// # Errors
    /// Where one is no tool, or two would have the same name.
    pub fn add_list(&mut self, list: &str, path: &str) -> Result<Vec<String>, BadRequest> {
        let mut names = Vec::new();
        for (at, raw) in raw_list(list, path)?.into_iter().enumerate() {
            self.add(raw, None, &format!("{path}[{at}]"), &mut names)?;
        }
        Ok(names)
    }

    fn add(
        &mut self,
        raw: &RawValue,
        namespace: Option<&str>,
        path: &str,
        names: &mut Vec<String>,
    ) -> Result<(), BadRequest> {
        let defined: Defined<'_> = object(raw.get(), path)?;
        let kind = defined.kind.clone().unwrap_or_else(|| "function".to_owned());
        match kind.as_str() {
            "function" => match defined.function {
                Some(inner) => self.client(ToolKind::Function, object(inner.get(), path)?, namespace, path, names),
                None => self.client(ToolKind::Function, defined, namespace, path, names),
            },
            "custom" => self.client(ToolKind::Custom, defined, namespace, path, names),
            "namespace" => self.namespace(&defined, path, names),
            "tool_search" if defined.execution.as_deref() == Some("client") => {
                self.client(ToolKind::ToolSearch, built_in("tool_search", defined), None, path, names)
            }
            "local_shell" | "apply_patch" => self.client(ToolKind::Shell, built_in(&kind, defined), None, path, names),
            "shell" if !runs_in_container(&defined) => {
                self.client(ToolKind::Shell, built_in(&kind, defined), None, path, names)
            }
            _ => {
                let definition = ToolDefinition::Hosted { name: None, raw: raw.into(), family: Family::OpenAi, kind };
                self.list.push(Tool { definition, cache: None });
                Ok(())
            }
        }
    }

    fn namespace(&mut self, defined: &Defined<'_>, path: &str, names: &mut Vec<String>) -> Result<(), BadRequest> {
        let name = named(defined.name.as_deref(), path)?;
        if !self.namespaces.iter().any(|(known, _)| *known == name) {
            self.namespaces.push((name.clone(), defined.description.clone().unwrap_or_default()));
        }
        let path = format!("{path}.tools");
        for (at, raw) in raw_list(defined.tools.map_or("[]", RawValue::get), &path)?.into_iter().enumerate() {
            self.add(raw, Some(&name), &format!("{path}[{at}]"), names)?;
        }
        Ok(())
    }

    /// Adds a tool that the client runs; one that stands there already is replaced, since histories repeat them.
    fn client(
        &mut self,
        kind: ToolKind,
        defined: Defined<'_>,
        namespace: Option<&str>,
        path: &str,
        names: &mut Vec<String>,
    ) -> Result<(), BadRequest> {
        let name = named(defined.name.as_deref(), path)?;
        let flat = flat_name(namespace, &name).into_owned();
        names.push(flat.clone());
        let own = (namespace.map(str::to_owned), name.clone());
        let raw = if kind == ToolKind::Custom { defined.format } else { defined.parameters };
        let output = defined.output_schema.filter(|raw| raw.get() != "null");
        let rest = output.map(|raw| ("output_schema".to_owned(), JsonText::from(raw)));
        let definition = ToolDefinition::Client {
            schema: raw.map(JsonText::from).or_else(|| schema_of(kind, &name)),
            kind,
            name,
            namespace: own.0.clone(),
            description: defined.description,
            strict: defined.strict,
            // Tools that wait for a search of the vendor's are simply offered.
            is_deferred: false,
            rest: rest.into_iter().collect(),
        };
        let tool = Tool { definition, cache: None };
        match self.places.get(&flat) {
            Some((at, known, bare)) if (known, bare) == (&own.0, &own.1) => {
                if let Some(known) = self.list.get_mut(*at) {
                    *known = tool;
                }
                Ok(())
            }
            Some(_) => {
                let message = format!("Two tools would have the name '{flat}': rename one of them.");
                Err(BadRequest::new(format!("{path}.name"), message))
            }
            None => {
                self.places.insert(flat, (self.list.len(), own.0, own.1));
                self.list.push(tool);
                Ok(())
            }
        }
    }
}

fn named(name: Option<&str>, path: &str) -> Result<String, BadRequest> {
    let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
    name.ok_or_else(|| BadRequest::new(format!("{path}.name"), format!("'{path}.name' is missing.")))
}

/// A tool whose name is its type; the words tell models that were not trained with it what it does.
fn built_in<'a>(kind: &str, defined: Defined<'a>) -> Defined<'a> {
    let words = match kind {
        "local_shell" => "Runs a command on the user's machine and gives its output.",
        "shell" => "Runs shell commands on the user's machine and gives their output.",
        "apply_patch" => "Creates, updates or deletes one file; 'diff' is in the V4A format, without file headers.",
        _ => "Searches for further tools; those found can be called afterwards.",
    };
    let description = defined.description.or_else(|| Some(words.to_owned()));
    Defined { name: Some(kind.to_owned()), description, ..defined }
}

fn runs_in_container(defined: &Defined<'_>) -> bool {
    let kind = defined.environment.as_ref().and_then(|environment| environment.kind.as_deref());
    kind.is_some_and(|kind| kind.starts_with("container"))
}

/// The schema of the tools that have none of their own.
fn schema_of(kind: ToolKind, name: &str) -> Option<JsonText> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let number = json!({"type": "integer"});
    let (properties, required) = match (kind, name) {
        (ToolKind::ToolSearch, _) => (json!({"query": text}), json!(["query"])),
        (ToolKind::Shell, "local_shell") => {
            (json!({"command": texts, "working_directory": text, "timeout_ms": number}), json!(["command"]))
        }
        (ToolKind::Shell, "shell") => {
            (json!({"commands": texts, "timeout_ms": number, "max_output_length": number}), json!(["commands"]))
        }
        (ToolKind::Shell, _) => {
            let kinds = json!({"type": "string", "enum": ["create_file", "update_file", "delete_file"]});
            (json!({"type": kinds, "path": text, "diff": text}), json!(["type", "path"]))
        }
        _ => return None,
    };
    Some(json!({"type": "object", "properties": properties, "required": required}).into())
}

/// Reads `tool_choice`.
///
/// # Errors
/// Where it is no choice.
pub(super) fn choice(text: &str) -> Result<ToolChoice, BadRequest> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Chosen {
        #[serde(rename = "type")]
        kind: Option<String>,
        name: Option<String>,
        namespace: Option<String>,
        mode: Option<String>,
        tools: Vec<Chosen>,
    }
    let wrong = || BadRequest::new("tool_choice", "'tool_choice' must be auto, none, required or an object of a tool.");
    if let Ok(word) = serde_json::from_str::<String>(text) {
        return match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(wrong()),
        };
    }
    let chosen: Chosen = object(text, "tool_choice").map_err(|_| wrong())?;
    let flat = |tool: Chosen| {
        let name = tool.name.or(tool.kind)?;
        Some(flat_name(tool.namespace.as_deref(), &name).into_owned())
    };
    match chosen.kind.as_deref() {
        Some("allowed_tools") => {
            let required = chosen.mode.as_deref() == Some("required");
            Ok(ToolChoice::Allowed { required, names: chosen.tools.into_iter().filter_map(flat).collect() })
        }
        Some("function" | "custom") => Ok(ToolChoice::Tool(chosen.name.ok_or_else(wrong)?, chosen.namespace)),
        // Tools that are known by their type.
        Some(kind) => Ok(ToolChoice::Tool(chosen.name.unwrap_or_else(|| kind.to_owned()), chosen.namespace)),
        None => Err(wrong()),
    }
}
