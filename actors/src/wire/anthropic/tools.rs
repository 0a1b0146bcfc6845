//! Tools and the choice among them.

use serde_json::{Map, Value, json};

use super::request::present;
use crate::wire::BadRequest;

/// Adds `tools` and `tool_choice` to a request.
pub(super) fn translate(
    body: &Map<String, Value>,
    out: &mut Map<String, Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let mut tools = Vec::new();
    if let Some(list) = present(body, "tools") {
        let Some(list) = list.as_array() else {
            return Err(BadRequest::new("tools", "'tools' must be an array of tools."));
        };
        for (at, item) in list.iter().enumerate() {
            tools.push(tool(item, &format!("tools[{at}]"))?);
        }
    }
    for (at, function) in present(body, "functions").and_then(Value::as_array).into_iter().flatten().enumerate() {
        tools.push(function_tool(function, &format!("functions[{at}]"))?);
    }
    let has_tools = !tools.is_empty();
    if has_tools {
        out.insert("tools".to_owned(), Value::Array(tools));
    }
    let choice = present(body, "tool_choice").or_else(|| present(body, "function_call"));
    let mut choice = match choice {
        None => None,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Some(json!({"type": "auto"})),
            "none" => Some(json!({"type": "none"})),
            "required" | "any" => Some(json!({"type": "any"})),
            _ => {
                let message = "'tool_choice' must be auto, none, required, or name a function.";
                return Err(BadRequest::new("tool_choice", message));
            }
        },
        Some(object) => {
            let name = object.get("function").unwrap_or(object).get("name");
            let name = name.ok_or_else(|| BadRequest::new("tool_choice", "'tool_choice' must name a function."))?;
            Some(json!({"type": "tool", "name": name}))
        }
    };
    if present(body, "parallel_tool_calls") == Some(&Value::Bool(false)) && has_tools {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = json!(true);
        }
    }
    match choice {
        Some(choice) if has_tools => {
            out.insert("tool_choice".to_owned(), choice);
        }
        Some(_) => dropped.push("tool_choice".to_owned()),
        None => {}
    }
    Ok(())
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
        _ if item.get("name").is_some() => Ok(item.clone()),
        _ => Err(BadRequest::new(format!("{path}.type"), "A tool must be of the type 'function'.")),
    }
}

fn function_tool(function: &Value, path: &str) -> Result<Value, BadRequest> {
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(BadRequest::new(format!("{path}.name"), "A function must have a name."));
    };
    let schema = function.get("parameters").filter(|schema| !schema.is_null()).cloned();
    let schema = schema.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut tool = json!({"name": name, "input_schema": schema});
    for field in ["description", "strict", "cache_control"] {
        if let Some(value) = function.get(field).filter(|value| !value.is_null()) {
            tool[field] = value.clone();
        }
    }
    Ok(tool)
}
