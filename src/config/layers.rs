//! From three layers to one configuration, with every problem told at once.

use std::collections::HashMap;

use gateway_actors::secret::Secret;
use toml::{Table, Value};

use super::{Config, Problem, check};

/// The providers that come with the gateway.
const PROVIDERS: &str = include_str!("../../config/providers.toml");

/// Variables that belong to the gateway without naming a key of the configuration.
const OWN_VARIABLES: [&str; 4] =
    ["GATEWAY_ADMIN_TOKEN", "GATEWAY_ALERT_WEBHOOK_TOKEN", "GATEWAY_MASTER_KEY", "GATEWAY_CONFIG"];

/// Reads a configuration: the built-in catalogue, under the text of a file, under the environment.
///
/// # Errors
/// Every problem there is, with its path.
pub fn load(file: Option<&str>, environment: &HashMap<String, String>) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut tree = Table::new();
    tree.insert("providers".to_owned(), Value::Table(parse(PROVIDERS, &mut problems)));
    merge(&mut tree, parse(file.unwrap_or_default(), &mut problems));
    // In a fixed order, so that problems are always told in the same one.
    let mut variables: Vec<(&String, &String)> = environment.iter().collect();
    variables.sort();
    for (name, value) in variables {
        if let Some(path) = name.strip_prefix("GATEWAY_").filter(|path| path.contains("__")) {
            let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
            set(&mut tree, &path, value);
        } else if name.starts_with("GATEWAY_") && !OWN_VARIABLES.contains(&name.as_str()) && !is_service_link(name) {
            let message = "names no key of the configuration: two underscores stand between a section and its key";
            problems.push(Problem::new(name, message));
        }
    }
    let mut config = deserialize(tree, &mut problems);
    // A line break at the end is what `$(cat FILE)` and the like leave.
    let text = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let secret = |name: &str| text(name).map(Secret::new);
    config.admin_token = secret("GATEWAY_ADMIN_TOKEN");
    config.master_key = secret("GATEWAY_MASTER_KEY");
    config.alert_webhook_token = secret("GATEWAY_ALERT_WEBHOOK_TOKEN");
    if let Some(url) = text("DATABASE_URL") {
        url.clone_into(&mut config.store.url);
    }
    if let Some(url) = text("REDIS_URL") {
        url.clone_into(&mut config.redis.url);
    }
    if let Some(url) = text("HF_ENDPOINT") {
        url.clone_into(&mut config.cache.semantic.hub);
    }
    let settings = config.providers.values();
    let named = settings.flat_map(|settings| [&settings.api_key_env, &settings.base_url_env]).flatten();
    config.provider_variables = named.filter_map(|name| Some((name.clone(), secret(name)?))).collect();
    check::check(&config, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// What Kubernetes sets in every container beside a service named `gateway` or `gateway-…`.
fn is_service_link(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| name.ends_with(end))
        || ["_SERVICE_PORT_", "_PORT_"].iter().any(|part| name.contains(part))
}

fn parse(text: &str, problems: &mut Vec<Problem>) -> Table {
    text.parse().unwrap_or_else(|error: toml::de::Error| {
        problems.push(Problem::new("", format!("not valid TOML: {error}")));
        Table::new()
    })
}

/// Lays one table over another; tables merge, all else is replaced.
fn merge(under: &mut Table, over: Table) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}

/// Sets one value from the environment; text that is no TOML literal stands for itself.
fn set(tree: &mut Table, path: &[String], text: &str) {
    let Some((name, rest)) = path.split_first() else { return };
    // A shell's variables have no dashes: `AZURE_OPENAI` means `azure-openai` where there is no `azure_openai`.
    let dashed = tree.keys().find(|key| key.replace('-', "_") == *name).cloned();
    let name = if tree.contains_key(name) { name.clone() } else { dashed.unwrap_or_else(|| name.clone()) };
    if rest.is_empty() {
        let literal = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        tree.insert(name, literal.unwrap_or_else(|| Value::String(text.to_owned())));
        return;
    }
    let inner = tree.entry(name).or_insert_with(|| Value::Table(Table::new()));
    if !inner.is_table() {
        *inner = Value::Table(Table::new());
    }
    if let Value::Table(inner) = inner {
        set(inner, rest, text);
    }
}

/// Deserialises a tree. A value that does not fit is told, taken out, and the rest is tried again, so that every
/// problem is told at once.
fn deserialize(mut tree: Table, problems: &mut Vec<Problem>) -> Config {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(Value::Table(tree.clone())) {
            Ok(config) => return config,
            Err(error) => error,
        };
        let mut path: Vec<String> = error.path().iter().map(|segment| segment.to_string()).collect();
        let message = error.into_inner().message().to_owned();
        if let Some(text) = as_text(&mut tree, &path, &message) {
            *text = Value::String(text.to_string());
            continue;
        }
        if let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next())
            && path.last().map(String::as_str) != Some(unknown)
        {
            path.push(unknown.to_owned());
        }
        problems.push(Problem::new(path.join("."), message));
        // What cannot be taken out by itself goes with what it stands in.
        while !path.is_empty() && !remove(&mut tree, &path) {
            path.pop();
        }
        if path.is_empty() {
            return Config::default();
        }
    }
}

/// A plain value where a text was wanted: `123` from the environment is as good as `"123"`.
fn as_text<'a>(tree: &'a mut Table, path: &[String], message: &str) -> Option<&'a mut Value> {
    if !message.contains("expected a string") {
        return None;
    }
    let (last, parents) = path.split_last()?;
    let mut table = tree;
    for name in parents {
        table = table.get_mut(name)?.as_table_mut()?;
    }
    let value = table.get_mut(last)?;
    matches!(value, Value::Integer(_) | Value::Float(_) | Value::Boolean(_)).then_some(value)
}

fn remove(tree: &mut Table, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return tree.remove(name).is_some();
    }
    tree.get_mut(name).and_then(Value::as_table_mut).is_some_and(|inner| remove(inner, rest))
}

/// The effective configuration as a TOML tree; for comparing a file with the defaults.
///
/// # Errors
/// Where a value has no form in TOML.
#[cfg(test)]
pub(super) fn tree_of(config: &Config) -> Result<Table, toml::ser::Error> {
    Table::try_from(config)
}
