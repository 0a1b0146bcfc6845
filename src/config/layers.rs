//! Merges three layers into one configuration and reports every problem at once.

use std::collections::HashMap;

use gateway_actors::secret::Secret;
use toml::{Table, Value};

use super::{Config, Problem, check, outbound, renamed};

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
    let mut file = parse(file.unwrap_or_default(), &mut problems);
    renamed::refuse_in_file(&mut file, &mut problems);
    merge(&mut tree, file);
    // In a fixed order, so that problems are always told in the same one.
    let mut variables: Vec<(&String, &String)> = environment.iter().collect();
    variables.sort();
    let mut texts = Texts::new();
    let mut ignored = Vec::new();
    for (name, value) in variables {
        if let Some(path) = name.strip_prefix("GATEWAY_").filter(|path| path.contains("__")) {
            let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
            if let Some(problem) = renamed::refused_variable(name, &path) {
                problems.push(problem);
                continue;
            }
            let path = actual_path(&tree, &path);
            set(&mut tree, &path, value);
            texts.insert(path, value.clone());
        } else if name.starts_with("GATEWAY_") && !OWN_VARIABLES.contains(&name.as_str()) {
            ignored.push(name.as_str());
        }
    }
    let mut config = deserialize(tree, texts, &mut problems);
    if !ignored.is_empty() {
        // Kubernetes sets such variables in every container beside a service named `gateway`.
        config.warnings.push(format!(
            "ignored variables: {}; a key of the configuration has two underscores after its section, such as \
             GATEWAY_SERVER__LISTEN",
            ignored.join(", ")
        ));
    }
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
    config.proxies = outbound::rules(&config.proxy, environment, &mut problems, &mut config.warnings);
    config.cache.semantic.proxies = config.proxies.clone();
    check::check(&config, &mut problems);
    check::warn(&mut config);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// The text of each value that the environment sets, by its path.
type Texts = HashMap<Vec<String>, String>;

fn parse(text: &str, problems: &mut Vec<Problem>) -> Table {
    text.parse().unwrap_or_else(|error: toml::de::Error| {
        // The parser's own text quotes the line, which may hold a secret (H1).
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let message = without_values(error.message());
        problems.push(Problem::new("", format!("not valid TOML at line {line}, column {column}: {message}")));
        Table::new()
    })
}

/// An error's text without the text values that it quotes, which may be secrets (H1).
fn without_values(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, quoted)) = rest.split_once("string \"") {
        out.push_str(before);
        out.push_str("a string");
        // The closing quote is the last one: the value may hold others.
        rest = quoted.rfind('"').and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    }
    out + rest
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

/// The path of a key as the tree spells it: a shell's variables have no dashes, so `AZURE_OPENAI` means `azure-openai`
/// where there is no `azure_openai`.
fn actual_path(tree: &Table, path: &[String]) -> Vec<String> {
    let mut level = Some(tree);
    let actual = path.iter().map(|name| {
        let keys = level.filter(|table| !table.contains_key(name)).into_iter().flat_map(Table::keys);
        let dashed = keys.into_iter().find(|key| key.replace('-', "_") == *name);
        let name = dashed.unwrap_or(name).clone();
        level = level.and_then(|table| table.get(&name)).and_then(Value::as_table);
        name
    });
    actual.collect()
}

/// Sets one value from the environment. It is a text, as variables are, and becomes a literal of TOML where a text does
/// not fit (see [`deserialize`]); routing configs take any type, so that there a literal goes first.
fn set(tree: &mut Table, path: &[String], text: &str) {
    let Some((last, sections)) = path.split_last() else { return };
    let mut table = tree;
    for name in sections {
        let inner = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
        if !inner.is_table() {
            *inner = Value::Table(Table::new());
        }
        let Value::Table(inner) = inner else { return };
        table = inner;
    }
    let is_config = path.first().is_some_and(|section| section == "configs");
    let value = literal(text).filter(|_| is_config).unwrap_or_else(|| Value::String(text.to_owned()));
    table.insert(last.clone(), value);
}

fn literal(text: &str) -> Option<Value> {
    format!("v = {text}").parse::<Table>().ok()?.remove("v")
}

/// Deserialises a tree. A text of the environment that does not fit is read as a literal of TOML; any other value that
/// does not fit is told, taken out, and the rest is tried again, so that every problem is told at once.
fn deserialize(mut tree: Table, mut texts: Texts, problems: &mut Vec<Problem>) -> Config {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(Value::Table(tree.clone())) {
            Ok(config) => return config,
            Err(error) => error,
        };
        let mut path: Vec<String> = error.path().iter().map(|segment| segment.to_string()).collect();
        let message = without_values(error.into_inner().message());
        if let Some(value) = texts.remove(&path).and_then(|text| literal(&text))
            && let Some(place) = at(&mut tree, &path)
            && *place != value
        {
            *place = value;
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

fn at<'a>(tree: &'a mut Table, path: &[String]) -> Option<&'a mut Value> {
    let (last, sections) = path.split_last()?;
    let table = sections.iter().try_fold(tree, |table, name| table.get_mut(name)?.as_table_mut())?;
    table.get_mut(last)
}

/// Takes a value out of a tree; tells whether there was one.
pub(super) fn remove(tree: &mut Table, path: &[String]) -> bool {
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
