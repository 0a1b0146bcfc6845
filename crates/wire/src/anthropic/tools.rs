//! Tools and the choice among them.

use serde_json::{Map, Value, json};

use super::request::present;
use crate::BadRequest;

/// Adds `tools` and `tool_choice` to a request.
pub(super) fn translate(
    body: &Map<String, Value>,
    out: &mut Map<String, Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let mut tools = Vec::new();
    for (at, item) in list(body, "tools")?.iter().enumerate() {
        tools.push(tool(item, &format!("tools[{at}]"))?);
    }
    for (at, function) in list(body, "functions")?.iter().enumerate() {
        tools.push(function_tool(function, &format!("functions[{at}]"))?);
    }
    let mut choice = choice(body)?;
    if tools.is_empty() {
        if choice.is_some_and(|choice| choice["type"] != "auto" && choice["type"] != "none") {
            dropped.push("tool_choice".to_owned());
        }
        return Ok(());
    }
    out.insert("tools".to_owned(), Value::Array(tools));
    if present(body, "parallel_tool_calls") == Some(&Value::Bool(false)) {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = json!(true);
        }
    }
    if let Some(choice) = choice {
        out.insert("tool_choice".to_owned(), choice);
    }
    Ok(())
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], BadRequest> {
    match present(body, name) {
        None => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(BadRequest::new(name, format!("'{name}' must be an array."))),
    }
}

fn choice(body: &Map<String, Value>) -> Result<Option<Value>, BadRequest> {
    let Some((field, choice)) =
        ["tool_choice", "function_call"].iter().find_map(|name| Some((*name, present(body, name)?)))
    else {
        return Ok(None);
    };
    let choice = match choice.as_str().or_else(|| choice.get("type")?.as_str()) {
        Some(word @ ("auto" | "none" | "any")) => {
            let mut choice = if choice.is_object() { choice.clone() } else { json!({}) };
            choice["type"] = json!(word);
            choice
        }
        Some("required") => json!({"type": "any"}),
        _ => {
            let name = choice.get("function").unwrap_or(choice).get("name").filter(|name| name.is_string());
            let message = format!("'{field}' must be auto, none, required, or name a function.");
            json!({"type": "tool", "name": name.ok_or_else(|| BadRequest::new(field, message))?})
        }
    };
    Ok(Some(choice))
}

fn tool(item: &Value, path: &str) -> Result<Value, BadRequest> {
    match item.get("type").and_then(Value::as_str) {
        Some("function") => {
            let mut tool = function_tool(item.get("function").unwrap_or(&Value::Null), &format!("{path}.function"))?;
            if let Some(cache) = item.get("cache_control") {
                tool["cache_control"] = cache.clone();
            }
            Ok(tool)
        }
        // Anthropic's own tools (web search, code execution …) pass as they are.
        Some("mcp_toolset") => Ok(item.clone()),
        _ if item.get("name").is_some_and(Value::is_string) => Ok(item.clone()),
        _ => Err(BadRequest::new(format!("{path}.type"), "A tool must be of the type 'function'.")),
    }
}

fn function_tool(function: &Value, path: &str) -> Result<Value, BadRequest> {
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(BadRequest::new(format!("{path}.name"), "A function must have a name."));
    };
    let schema = match function.get("parameters") {
        None | Some(Value::Null) => json!({"type": "object", "properties": {}}),
        Some(Value::Object(schema)) => {
            // Anthropic insists on the type.
            let mut schema = schema.clone();
            schema.entry("type").or_insert_with(|| json!("object"));
            Value::Object(schema)
        }
        Some(_) => {
            let path = format!("{path}.parameters");
            return Err(BadRequest::new(path, "A function's parameters must be a JSON schema of an object."));
        }
    };
    let mut tool = json!({"name": name, "input_schema": schema});
    for field in ["description", "strict", "cache_control"] {
        // "Not strict" is the default, and models before structured outputs do not know the field.
        if let Some(value) = function.get(field).filter(|value| !value.is_null() && **value != Value::Bool(false)) {
            tool[field] = value.clone();
        }
    }
    Ok(tool)
}
