//! A target's parameters on a client's body.

use bytes::Bytes;
use gateway_wire::BadRequest;
use gateway_wire::json_object::JsonObject;
use serde_json::Value;

use super::{Target, drop_path};

/// A body with a target's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetBody {
    /// The JSON text; the client's own bytes where nothing changes.
    pub body: Bytes,
    /// The items of `drop_params` that took something out, told in `x-gateway-dropped-params` (I6).
    pub dropped: Vec<String>,
}

/// The body with the target's parameters: defaults where the client has none, overrides, then drops. The model is left
/// as it is: which one a target means is known only with its provider.
///
/// # Errors
/// Where a path of `drop_params` leads into a value with text that is not valid, such as half a surrogate pair.
pub fn apply(body: &JsonObject, target: &Target) -> Result<TargetBody, BadRequest> {
    let defaults = target.default_params.iter().filter(|(name, _)| body.get(name).is_none());
    // A default for what is overridden as well would be set twice.
    let defaults = defaults.filter(|(name, _)| !target.override_params.contains_key(*name));
    let params = defaults.chain(&target.override_params).filter(|(name, _)| *name != "model");
    let set: Vec<(String, String)> = params.map(|(name, value)| (name.clone(), value.to_string())).collect();
    let set: Vec<(&str, &str)> = set
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| body.get(name) != Some(*value))
        .collect();
    if set.is_empty() {
        return without(body, &target.drop_params);
    }
    without(&body.with(&set, &[]), &target.drop_params)
}

/// The body without what some paths of `drop_params` name.
///
/// # Errors
/// Those of [`apply`].
pub fn without(body: &JsonObject, drop_params: &[String]) -> Result<TargetBody, BadRequest> {
    let mut set: Vec<(String, String)> = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    let mut dropped = Vec::new();
    for item in drop_params {
        let Some(path) = drop_path::segments(item) else { continue };
        let Some((name, rest)) = path.split_first() else { continue };
        let new = set.iter().position(|(other, _)| other == name);
        if rest.is_empty() {
            new.map(|at| set.swap_remove(at));
            if body.get(name).is_some() {
                dropped.push(item.clone());
            }
            removed.push(name.clone());
            continue;
        }
        // Only the one value is built as a tree, so that the rest of the body keeps its bytes.
        let text = new.and_then(|at| set.get(at)).map(|(_, text)| text.as_str());
        let Some(text) = text.or_else(|| body.get(name)).filter(|_| !removed.contains(name)) else { continue };
        let mut tree: Value = serde_json::from_str(text)
            .map_err(|error| BadRequest::new(name.as_str(), format!("'{name}' is not valid JSON: {error}.")))?;
        if drop_path::remove(&mut tree, rest) {
            dropped.push(item.clone());
            new.map(|at| set.swap_remove(at));
            set.push((name.clone(), tree.to_string()));
        }
    }
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
    Ok(TargetBody { body: body.edited(&set, &removed), dropped })
}

/// The body alone of [`apply`].
///
/// # Errors
/// Those of [`apply`].
pub fn apply_params(body: &JsonObject, target: &Target) -> Result<Bytes, BadRequest> {
    apply(body, target).map(|applied| applied.body)
}
