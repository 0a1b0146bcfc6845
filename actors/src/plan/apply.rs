//! A target's parameters on a client's body.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::Target;
use crate::wire::BadRequest;
use crate::wire::json_object::JsonObject;

/// The body with the target's parameters: defaults where the client has none, overrides, and drops. A target without
/// any leaves the bytes as they are.
///
/// # Errors
/// Where a path of `drop_params` needs the body as a tree, and it has text that is not valid.
pub fn apply_params(body: &JsonObject, target: &Target) -> Result<Bytes, BadRequest> {
    let defaults = target.default_params.iter().filter(|(name, _)| body.get(name).is_none());
    // The model is set in its final form later.
    let overrides = target.override_params.iter().filter(|(name, _)| *name != "model");
    let set: Vec<(&str, String)> =
        defaults.chain(overrides).map(|(name, value)| (name.as_str(), value.to_string())).collect();
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (plain, deep): (Vec<&str>, Vec<&str>) =
        target.drop_params.iter().map(String::as_str).partition(|name| !name.contains(['.', '[']));
    let body = body.edited(&set, &plain);
    if deep.is_empty() {
        return Ok(body);
    }
    let mut tree: Value = serde_json::from_slice(&body).map_err(|error| BadRequest {
        param: None,
        message: format!("The request body is not valid JSON: {error}."),
    })?;
    for path in deep {
        remove(&mut tree, &segments(path));
    }
    Ok(Bytes::from(tree.to_string()))
}

/// `messages[*].tools[0].name` as its names, indices and stars.
fn segments(path: &str) -> Vec<Cow<'_, str>> {
    let parts = path.split(['.', '[', ']']).filter(|part| !part.is_empty());
    parts.map(|part| Cow::Borrowed(part.trim_matches(['"', '\'']))).collect()
}

fn remove(value: &mut Value, path: &[Cow<'_, str>]) {
    let Some((name, rest)) = path.split_first() else { return };
    match value {
        Value::Object(object) if rest.is_empty() && name != "*" => {
            object.shift_remove(name.as_ref());
        }
        Value::Object(object) if rest.is_empty() => object.clear(),
        Value::Object(object) if name == "*" => object.values_mut().for_each(|inner| remove(inner, rest)),
        Value::Object(object) => {
            if let Some(inner) = object.get_mut(name.as_ref()) {
                remove(inner, rest);
            }
        }
        Value::Array(items) if name == "*" && rest.is_empty() => items.clear(),
        Value::Array(items) if name == "*" => items.iter_mut().for_each(|inner| remove(inner, rest)),
        Value::Array(items) => {
            let Ok(at) = name.parse::<usize>() else { return };
            if rest.is_empty() && at < items.len() {
                items.remove(at);
            } else if let Some(inner) = items.get_mut(at) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}
