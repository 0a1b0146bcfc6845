//! `addPrefix`: a text of the operator in front of a message.

use gateway_guard::checks::{AddPrefix, Subject};
use gateway_wire::json_object::{JsonObject, json_string};
use serde_json::{Value, json};

use super::body::RequestFacts;
use super::{Policy, Rule, Tally};

/// The body with the prefixes that the policy adds; none where it adds none.
pub(super) fn add(
    body: &JsonObject,
    policy: &Policy,
    facts: &RequestFacts<'_>,
    tally: &mut Tally,
) -> Option<JsonObject> {
    let mut edited: Option<JsonObject> = None;
    for (at, (_, check)) in policy.checks().enumerate() {
        let Rule::Text(rule) = &check.rule else { continue };
        let Some(prefix) = rule.check.add_prefix() else { continue };
        let mut result = rule.check.run(&Subject::default());
        match with_prefix(edited.as_ref().unwrap_or(body), prefix, facts) {
            Some(changed) => edited = Some(changed),
            None => result.transformed = None,
        }
        tally.note(at, result);
    }
    edited
}

fn with_prefix(body: &JsonObject, prefix: &AddPrefix, facts: &RequestFacts<'_>) -> Option<JsonObject> {
    let is_operator = matches!(prefix.role.as_str(), "system" | "developer");
    if is_operator && facts.request_type == Some("messages") {
        return beside(body, "system", prefix);
    }
    if is_operator && facts.request_type == Some("createModelResponse") {
        return beside(body, "instructions", prefix);
    }
    let name = ["messages", "input", "prompt"].into_iter().find(|name| body.get(name).is_some())?;
    let mut turns: Value = serde_json::from_str(body.get(name)?).ok()?;
    let is_changed = match &mut turns {
        Value::String(text) if prefix.role == "user" => put_before(text, prefix),
        Value::Array(items) => into_turns(items, prefix),
        _ => false,
    };
    is_changed.then(|| body.with(&[(name, &turns.to_string())], &[]))
}

/// Puts the prefix into the field in which an operator speaks.
fn beside(body: &JsonObject, name: &str, prefix: &AddPrefix) -> Option<JsonObject> {
    let text = match body.read::<Value>(name).ok().flatten() {
        None => json_string(&prefix.prefix),
        Some(_) if prefix.only_if_empty => return None,
        Some(Value::String(mut text)) => {
            put_before(&mut text, prefix);
            json_string(&text)
        }
        Some(Value::Array(mut blocks)) => {
            blocks.insert(0, json!({"type": "text", "text": prefix.prefix}));
            Value::Array(blocks).to_string()
        }
        Some(_) => return None,
    };
    Some(body.with(&[(name, &text)], &[]))
}

fn into_turns(turns: &mut Vec<Value>, prefix: &AddPrefix) -> bool {
    let is_of_role = |turn: &Value| turn.get("role").is_some_and(|role| *role == prefix.role);
    let found = turns.iter().position(is_of_role);
    match found {
        Some(_) if prefix.only_if_empty => return false,
        Some(at) if prefix.add_to_existing => {
            return match turns.get_mut(at).and_then(|turn| turn.get_mut("content")) {
                Some(Value::String(text)) => put_before(text, prefix),
                Some(Value::Array(parts)) => match parts.iter_mut().find_map(|part| part.get_mut("text")) {
                    Some(Value::String(text)) => put_before(text, prefix),
                    _ => false,
                },
                _ => false,
            };
        }
        _ => turns.insert(found.unwrap_or(0), json!({"role": prefix.role, "content": prefix.prefix})),
    }
    true
}

fn put_before(text: &mut String, prefix: &AddPrefix) -> bool {
    text.insert_str(0, &prefix.prefix);
    true
}
