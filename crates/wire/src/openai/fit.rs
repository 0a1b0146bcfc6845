//! A chat client's body as a vendor takes it that is compatible with OpenAI but for some quirks; all else passes as it is.

use serde_json::{Map, Value};

use crate::BadRequest;
use crate::common::tool_ids::MISTRAL_ID;
use crate::json_object::JsonObject;
use crate::vendors::{OWN_FIELDS, Quirks};

/// The body with what the vendor refuses replaced or left out; with the fields that were left out.
///
/// # Errors
/// Where `messages` is no array of objects.
pub fn fitted(body: &JsonObject, quirks: &Quirks) -> Result<(JsonObject, Vec<String>), BadRequest> {
    let wrong = |_| BadRequest::new("messages", "'messages' must be an array of messages.");
    let mut messages: Vec<Map<String, Value>> = body.read("messages").map_err(wrong)?.unwrap_or_default();
    let mut dropped = Vec::new();
    for (at, message) in messages.iter_mut().enumerate() {
        role(at, message, quirks);
        if quirks.own_fields_refused {
            own_fields(message, &mut dropped);
        }
        if quirks.short_tool_ids {
            short_ids(message);
        }
    }
    let messages = Value::from_iter(messages.into_iter().map(Value::Object)).to_string();
    let mut set = vec![("messages", messages.as_str())];
    let mut removed = Vec::new();
    if quirks.no_empty_tools
        && body.get("tools").is_some_and(|tools| tools.split_whitespace().collect::<String>() == "[]")
    {
        removed.extend(["tools", "tool_choice"]);
    }
    if let (Some(false), Some(limit)) = (quirks.max_completion_tokens, body.get("max_completion_tokens")) {
        set.push(("max_tokens", limit));
        removed.push("max_completion_tokens");
    }
    Ok((body.with(&set, &removed), dropped))
}

/// The role in a word that the vendor knows.
fn role(at: usize, message: &mut Map<String, Value>, quirks: &Quirks) {
    let Some(Value::String(role)) = message.get_mut("role") else { return };
    if quirks.no_developer_role && role == "developer" {
        "system".clone_into(role);
    }
    if quirks.system_first_only && at > 0 && matches!(role.as_str(), "system" | "developer") {
        "user".clone_into(role);
    }
}

/// Leaves out fields that OpenAI's own API does not have.
fn own_fields(message: &mut Map<String, Value>, dropped: &mut Vec<String>) {
    for field in OWN_FIELDS {
        if message.shift_remove(field).is_some() && !dropped.iter().any(|known| known == field) {
            dropped.push(field.to_owned());
        }
    }
    for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(part) = part.as_object_mut() {
            part.shift_remove("cache_control");
        }
    }
}

/// The ids of calls as the vendor takes them, the same in each turn.
fn short_ids(message: &mut Map<String, Value>) {
    let fit = |id: &mut Value| {
        if let Value::String(text) = id {
            *text = MISTRAL_ID.fit(text).into();
        }
    };
    message.get_mut("tool_call_id").map(fit);
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        call.get_mut("id").map(fit);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn told(text: &'static str, quirks: &Quirks) -> (String, Vec<String>) {
        let body = JsonObject::parse(Bytes::from_static(text.as_bytes())).unwrap();
        assert!(quirks.concern(body.text()));
        let (body, dropped) = fitted(&body, quirks).unwrap();
        (String::from_utf8(body.text().to_vec()).unwrap(), dropped)
    }

    /// J12: what a vendor does not know stands for what it knows, and what is no business of its is left out.
    #[test]
    fn j12_quirks_change_only_what_they_concern() {
        let text = r#"{"n":2,"messages":[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"assistant","reasoning_content":"r","tool_calls":[{"id":"call_1","type":"function"}]},{"role":"tool","tool_call_id":"call_1","content":"x"}]}"#;
        let quirks = Quirks { no_developer_role: true, own_fields_refused: true, ..Quirks::default() };
        let (body, dropped) = told(text, &quirks);
        assert_eq!(
            body,
            r#"{"n":2,"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function"}]},{"role":"tool","tool_call_id":"call_1","content":"x"}]}"#
        );
        assert_eq!(dropped, ["reasoning_content"]);
        let (body, _) = told(text, &Quirks { short_tool_ids: true, ..Quirks::default() });
        let id = MISTRAL_ID.fit("call_1");
        assert_eq!((id.len(), body.matches(&*id).count()), (9, 2), "{body}");
        let (body, _) = told(text, &Quirks { system_first_only: true, ..Quirks::default() });
        assert!(body.contains(r#"{"role":"user","content":"b"}"#), "{body}");
    }

    #[test]
    fn fields_of_the_body_are_renamed_or_left_out() {
        let text = r#"{"messages":[],"max_completion_tokens":5,"tools":[ ]}"#;
        let quirks = Quirks { max_completion_tokens: Some(false), no_empty_tools: true, ..Quirks::default() };
        let (body, _) = told(text, &quirks);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, serde_json::json!({"messages": [], "max_tokens": 5}));
    }
}
