//! Checks of the request itself: its model, its type and its metadata.

use serde_json::{Map, Value, json};

use super::params::{Operator, Params, bad, texts};
use super::{BadCheck, Outcome, Subject};

/// `modelWhitelist` and `modelRules`: the model is among those that the metadata allows, or else the default ones.
pub(super) struct Models {
    defaults: Vec<String>,
    rules: Vec<ModelRule>,
}

/// Models for requests whose metadata has one of some values under a key.
struct ModelRule {
    key: String,
    values: Vec<String>,
    models: Vec<String>,
}

/// `allowedRequestTypes`.
pub(super) struct RequestTypes {
    allowed: Vec<String>,
    blocked: Vec<String>,
}

/// `requiredMetadataKeys`.
pub(super) struct MetadataKeys {
    keys: Vec<String>,
    operator: Operator,
}

impl Models {
    pub(super) fn read_whitelist(params: &Params<'_>) -> Result<Self, BadCheck> {
        let defaults = params.get("models").map(|models| texts(models, "models")).transpose()?.unwrap_or_default();
        let mut rules = Vec::new();
        if let Some(items) = params.get("metadataRules") {
            let items = items.as_array().ok_or_else(|| bad("metadataRules", "Must be a list of rules."))?;
            for (number, item) in items.iter().enumerate() {
                rules.push(read_rule(item, &format!("metadataRules[{number}]"))?);
            }
        }
        if defaults.is_empty() && rules.is_empty() {
            return Err(bad("models", "The parameter is missing."));
        }
        Ok(Self { defaults, rules })
    }

    pub(super) fn read_rules(params: &Params<'_>) -> Result<Self, BadCheck> {
        let config = params.required("rules")?;
        let config = config.as_object().ok_or_else(|| bad("rules", "Must be an object."))?;
        let defaults =
            config.get("defaults").map(|models| texts(models, "rules.defaults")).transpose()?.unwrap_or_default();
        let mut rules = Vec::new();
        if let Some(keys) = config.get("metadata") {
            let keys = keys.as_object().ok_or_else(|| bad("rules.metadata", "Must be an object."))?;
            for (key, values) in keys {
                let path = format!("rules.metadata.{key}");
                let values = values.as_object().ok_or_else(|| bad(&path, "Must be an object of lists of models."))?;
                for (value, models) in values {
                    let models = texts(models, &format!("{path}.{value}"))?;
                    rules.push(ModelRule { key: key.clone(), values: vec![value.clone()], models });
                }
            }
        }
        if defaults.is_empty() && rules.is_empty() {
            return Err(bad("rules", "Needs `defaults` or `metadata`."));
        }
        Ok(Self { defaults, rules })
    }

    pub(super) fn run(&self, subject: &Subject<'_>) -> Outcome {
        let Some(model) = subject.model else { return Outcome::error("The request has no model.") };
        let matching: Vec<&ModelRule> = self.rules.iter().filter(|rule| rule.matches(subject.metadata)).collect();
        let by_rules: Vec<&String> = matching.iter().flat_map(|rule| &rule.models).collect();
        let allowed: Vec<&String> = if by_rules.is_empty() { self.defaults.iter().collect() } else { by_rules };
        if allowed.is_empty() {
            return Outcome::error("No rule fits the metadata, and there are no default models.");
        }
        let holds = allowed.iter().any(|allowed| *allowed == model);
        let is = if holds { "is" } else { "is not" };
        let mode = if matching.is_empty() { "base_models" } else { "metadata_rules" };
        let explanation = format!("The model {is} in the list.");
        Outcome::new(holds, explanation, json!({"requestedModel": model, "allowedModels": allowed, "mode": mode}))
    }
}

fn read_rule(item: &Value, path: &str) -> Result<ModelRule, BadCheck> {
    let field = |name: &str| item.get(name).ok_or_else(|| bad(format!("{path}.{name}"), "The field is missing."));
    let key = field("metadataKey")?.as_str().ok_or_else(|| bad(format!("{path}.metadataKey"), "Must be a string."))?;
    Ok(ModelRule {
        key: key.to_owned(),
        values: texts(field("values")?, &format!("{path}.values"))?,
        models: texts(field("models")?, &format!("{path}.models"))?,
    })
}

impl ModelRule {
    fn matches(&self, metadata: Option<&Map<String, Value>>) -> bool {
        let is_value = |value: &Value| match value {
            Value::String(text) => self.values.contains(text),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
            other => self.values.contains(&other.to_string()),
        };
        match metadata.and_then(|metadata| metadata.get(&self.key)) {
            Some(Value::Array(values)) => values.iter().any(is_value),
            Some(value) => is_value(value),
            None => false,
        }
    }
}

impl RequestTypes {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        let types = Self { allowed: read_types(params, "allowedTypes")?, blocked: read_types(params, "blockedTypes")? };
        if types.allowed.is_empty() && types.blocked.is_empty() {
            return Err(bad("allowedTypes", "Give `allowedTypes` or `blockedTypes`."));
        }
        if types.allowed.iter().any(|allowed| types.blocked.contains(allowed)) {
            return Err(bad("blockedTypes", "A type is in `allowedTypes` as well: remove it from one of them."));
        }
        Ok(types)
    }

    pub(super) fn run(&self, subject: &Subject<'_>) -> Outcome {
        let Some(kind) = subject.request_type else { return Outcome::error("The request has no type.") };
        let is_in = |types: &[String]| types.iter().any(|named| named == kind);
        let holds = !is_in(&self.blocked) && (self.allowed.is_empty() || is_in(&self.allowed));
        let is = if holds { "is" } else { "is not" };
        let details = json!({"currentRequestType": kind, "allowedTypes": self.allowed, "blockedTypes": self.blocked});
        Outcome::new(holds, format!("The type of the request {is} allowed."), details)
    }
}

/// A list of types, which may come as a text with commas.
fn read_types(params: &Params<'_>, name: &str) -> Result<Vec<String>, BadCheck> {
    let Some(value) = params.get(name) else { return Ok(Vec::new()) };
    match value.as_str() {
        Some(types) => Ok(types.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect()),
        None => texts(value, name),
    }
}

impl MetadataKeys {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        Ok(Self { keys: params.required_texts("metadataKeys")?, operator: params.operator()? })
    }

    pub(super) fn run(&self, subject: &Subject<'_>) -> Outcome {
        let is_there = |key: &&String| subject.metadata.is_some_and(|metadata| metadata.contains_key(key.as_str()));
        let (found, missing): (Vec<&String>, Vec<&String>) = self.keys.iter().partition(is_there);
        let holds = self.operator.holds(found.len(), self.keys.len());
        let explanation = format!("The metadata has {} of {} keys.", found.len(), self.keys.len());
        let details = json!({
            "operator": self.operator.as_str(),
            "found_metadata_keys": found,
            "missing_metadata_keys": missing,
        });
        Outcome::new(holds, explanation, details)
    }
}
