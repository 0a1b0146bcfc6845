//! A target's settings: its own, and those it takes over from the nodes above it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{Fields, Findings};
use super::{Target, cache, drop_path, guardrails, retry};
use crate::secret::Secret;

/// Client headers that are never forwarded: they frame the message, ask for an encoding that the gateway would have to
/// undo, or carry the gateway's own credentials.
const NEVER_FORWARDED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
];

/// The settings that are inherited, with the node's own on top.
pub(super) fn own_settings(fields: &Fields<'_>, place: &str, inherited: &Target, found: &mut Findings) -> Target {
    let mut target = inherited.clone();
    params(fields, &mut target, found);
    if let Some(policy) = retry::read(fields, found) {
        target.retry = policy;
    }
    if let Some(millis) = fields.number("request_timeout", 1, 86_400_000, found) {
        target.request_timeout = Some(Duration::from_millis(millis));
    }
    if let Some(names) = forward_headers(fields, found) {
        target.forward_headers = names;
    }
    if let Some(strict) = fields.flag("strict_open_ai_compliance", found) {
        target.strict = Some(strict);
    }
    for (name, header) in [("openai_organization", "openai-organization"), ("openai_project", "openai-project")] {
        if let Some(value) = fields.header_value(name, found) {
            target.headers.retain(|(other, _)| other != header);
            target.headers.push((header.to_owned(), value.to_owned()));
        }
    }
    let url = |value: &Value| {
        let text = value.as_str()?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        (!host.is_empty() && !text.contains(char::is_whitespace)).then(|| text.to_owned())
    };
    if let Some(host) = fields.read("custom_host", "an http or https URL", found, url) {
        target.custom_host = Some(host);
        found.custom_hosts.push(format!("{place}.custom_host"));
    }
    if let Some(rule) = cache::read(fields, found) {
        target.cache = rule;
    }
    let lists = guardrails::read(fields, place, found);
    target.input_guardrails = lists.input.unwrap_or(target.input_guardrails);
    target.output_guardrails = lists.output.unwrap_or(target.output_guardrails);
    target
}

/// What changes the client's body.
fn params(fields: &Fields<'_>, target: &mut Target, found: &mut Findings) {
    const FRAMING: &str = "cannot be changed: the client reads the framing it asked for";
    let model = fields.text("model", found);
    if let Some(params) = fields.object("override_params", found) {
        if params.contains_key("stream") {
            found.error(fields.at("override_params.stream"), FRAMING);
        }
        match params.get("model") {
            None => {}
            Some(Value::String(other)) if !other.is_empty() => {
                if let Some(model) = model.filter(|model| *model != other) {
                    let text = format!("'{model}' and override_params.model '{other}' differ: give one");
                    found.error(fields.at("model"), text);
                }
            }
            Some(_) => found.error(fields.at("override_params.model"), "must be a non-empty string"),
        }
        merge(&mut target.override_params, params);
    }
    if let Some(model) = model {
        target.override_params.insert("model".to_owned(), Value::from(model));
    }
    if let Some(params) = fields.object("default_params", found) {
        if params.contains_key("stream") {
            found.error(fields.at("default_params.stream"), FRAMING);
        }
        merge(&mut target.default_params, params);
    }
    if let Some(paths) = fields.texts("drop_params", found) {
        for (at, path) in paths.iter().enumerate() {
            let place = format!("drop_params[{at}]");
            match drop_path::segments(path) {
                None => found.error(fields.at(&place), "must be a name, or a path such as messages[*].name"),
                Some(path) if path.len() == 1 && path.iter().any(|name| name == "stream") => {
                    found.error(fields.at(&place), FRAMING);
                }
                Some(_) => {}
            }
        }
        target.drop_params = paths;
    }
}

fn forward_headers(fields: &Fields<'_>, found: &mut Findings) -> Option<Vec<String>> {
    let mut names = fields.texts("forward_headers", found)?;
    names.retain(|name| {
        if name.eq_ignore_ascii_case("x-portkey-forward-headers") {
            found.error(fields.at("forward_headers"), "may not contain x-portkey-forward-headers");
            return false;
        }
        let name = name.to_ascii_lowercase();
        let is_own = name.starts_with("x-portkey-") || name.starts_with("x-gateway-");
        let is_ours = NEVER_FORWARDED.contains(&name.as_str()) || is_own;
        if is_ours {
            found.warn(format!("the header '{name}' in '{}' is never forwarded", fields.at("forward_headers")));
        }
        !is_ours
    });
    Some(names)
}

/// A node without a strategy.
pub(super) fn leaf(fields: &Fields<'_>, place: &str, mut target: Target, found: &mut Findings) -> Target {
    place.clone_into(&mut target.path);
    target.name = fields.text("name", found).map(str::to_owned);
    target.api_key = fields.header_value("api_key", found).map(Secret::new);
    target.virtual_key = fields.header_value("virtual_key", found).map(Secret::new);
    // `provider: "@slug/model"` and `model: "@slug/model"` name both; `model: "@slug"` leaves the model to the client.
    let named = fields.text("provider", found).map(split_slug);
    if let Some((_, Some(model))) = named {
        target.override_params.entry("model").or_insert_with(|| Value::from(model));
    }
    target.provider = named.map(|(slug, _)| slug.to_lowercase());
    if let Some(text) = target.model().filter(|model| model.starts_with('@')).map(str::to_owned) {
        let (slug, model) = split_slug(&text);
        let slug = slug.to_lowercase();
        if target.provider.as_ref().is_some_and(|provider| *provider != slug) {
            found.error(fields.at("provider"), format!("differs from the provider '{slug}' of the model: give one"));
        }
        match model {
            Some(model) => target.override_params.insert("model".to_owned(), Value::from(model)),
            None => target.override_params.shift_remove("model"),
        };
        target.provider = Some(slug);
    }
    if target.provider.as_deref() == Some("") {
        found.error(fields.at("provider"), "must name a provider after the '@'");
    }
    if target.model() == Some("") {
        found.error(fields.at("model"), "must name a model after the '/'");
    }
    target
}

/// `@slug/model` as its slug and its model; the `@` and the model may be missing.
fn split_slug(text: &str) -> (&str, Option<&str>) {
    let text = text.strip_prefix('@').unwrap_or(text);
    text.split_once('/').map_or((text, None), |(slug, model)| (slug, Some(model)))
}

/// Notes credentials, wherever they stand.
pub(super) fn note_credentials(fields: &Fields<'_>, place: &str, found: &mut Findings) {
    for name in ["api_key", "virtual_key"] {
        if fields.get(name).is_some() {
            found.credentials.push(format!("{place}.{name}"));
        }
    }
}

fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        under.insert(name.clone(), value.clone());
    }
}
