//! The header's text: JSON, base64 of JSON, or the slug of a saved config.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use gateway_wire::names;
use serde_json::{Map, Value};

use super::fields::Findings;
use super::node::{check_root, read_node};
use super::{ConfigError, Plan, PlanReading, Target};

/// The largest header that is read, in bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// What a config header says.
#[derive(Debug)]
pub enum ConfigHeader {
    /// A config of its own.
    Inline(Box<PlanReading>),
    /// The slug of a saved config.
    Slug(String),
}

/// Reads the header's bytes, which are UTF-8 (or escaped by `\uXXXX`), never Latin-1.
///
/// # Errors
/// Everything that is wrong, each with its path.
pub fn parse(header: &[u8]) -> Result<ConfigHeader, Vec<ConfigError>> {
    let fail = |message: &str| Err(vec![ConfigError { path: "config".to_owned(), message: message.to_owned() }]);
    if header.len() > MAX_HEADER_BYTES {
        return fail("must be at most 64 KiB long");
    }
    let Ok(text) = std::str::from_utf8(header) else { return fail("must be UTF-8") };
    let text = text.trim();
    let json = if text.starts_with('{') {
        text.to_owned()
    } else if let Some(json) = base64_json(text) {
        json
    } else if is_slug(text) {
        return Ok(ConfigHeader::Slug(text.to_owned()));
    } else {
        return fail("must be a JSON object, base64 of one, or the slug of a saved config");
    };
    match serde_json::from_str::<Value>(&json) {
        Ok(_) if let Err(bad) = names::check_doubled(json.as_bytes()) => Err(vec![ConfigError {
            path: bad.param.unwrap_or_default(),
            message: "is given twice: give it once".to_owned(),
        }]),
        Ok(value) => parse_value(&value).map(|parsed| ConfigHeader::Inline(Box::new(parsed))),
        Err(error) => fail(&format!("is not valid JSON: {error}")),
    }
}

/// Reads a config that is a JSON value already.
///
/// # Errors
/// Everything that is wrong, each with its path.
pub fn parse_value(value: &Value) -> Result<PlanReading, Vec<ConfigError>> {
    let mut found = Findings::default();
    check_root(value, &mut found);
    let root = read_node(value, "", "config", &Target::default(), 1, &mut found);
    let metadata = metadata(value, &mut found);
    let warnings = found.take_warnings();
    let Findings { errors, unsupported, credentials, custom_hosts, .. } = found;
    match root {
        Some((root, Target { cache, input_guardrails, output_guardrails, .. })) if errors.is_empty() => {
            let plan = Plan {
                cache,
                input_guardrails,
                output_guardrails,
                metadata,
                root,
                unsupported,
                credentials,
                custom_hosts,
                fingerprint: OnceLock::new(),
            };
            Ok(PlanReading { plan, warnings })
        }
        _ => Err(errors),
    }
}

fn metadata(value: &Value, found: &mut Findings) -> Map<String, Value> {
    match value.get("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => {
            found.error("metadata", "must be an object");
            Map::new()
        }
    }
}

fn base64_json(text: &str) -> Option<String> {
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let decoded = engines.iter().find_map(|engine| engine.decode(text).ok())?;
    String::from_utf8(decoded).ok().filter(|json| json.trim_start().starts_with('{'))
}

fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 200 && text.bytes().all(plain)
}
