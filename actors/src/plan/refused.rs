//! What a config may ask for and a gateway may not, or not yet, do: noted with its path, for the caller to decide.

use serde_json::Value;

use super::fields::{Fields, Findings, join};

const CACHE: [&str; 7] = ["mode", "ttl", "max_age", "threshold", "namespace", "read", "write"];
const SEED_GUARD: [&str; 6] = ["type", "action", "threshold", "categories", "id", "parameters"];

/// The longest a cached answer may live, in seconds (90 days, Portkey's bound).
const LONGEST_TTL: u64 = 7_776_000;

/// Checks and notes a node's cache, guardrails, credentials and host.
pub(super) fn note(fields: &Fields<'_>, place: &str, found: &mut Findings) {
    if cache(fields, found) {
        found.unsupported.push(join(place, "cache"));
    }
    if seed_guardrails(fields, found) {
        found.unsupported.push(join(place, "guardrails"));
    }
    for name in ["input_guardrails", "output_guardrails", "before_request_hooks", "after_request_hooks"] {
        if guardrails(fields, name, found) {
            found.unsupported.push(join(place, name));
        }
    }
    for name in ["api_key", "virtual_key"] {
        if fields.get(name).is_some() {
            found.credentials.push(join(place, name));
        }
    }
    if fields.text("custom_host", found).is_some() {
        found.custom_hosts.push(join(place, "custom_host"));
    }
}

/// Whether a node asks for a cache.
fn cache(fields: &Fields<'_>, found: &mut Findings) -> bool {
    let modes = "'simple' or 'semantic'";
    let object = match fields.get("cache") {
        None => return false,
        Some(Value::String(mode)) if mode == "simple" || mode == "semantic" => return true,
        Some(Value::Object(object)) => object,
        Some(_) => {
            found.error(fields.at("cache"), format!("must be {modes}, or an object with a 'mode'"));
            return false;
        }
    };
    let cache = Fields::new(&fields.at("cache"), object, &CACHE, found);
    match cache.get("mode").and_then(Value::as_str) {
        Some("simple" | "semantic") => {}
        _ => found.error(cache.at("mode"), format!("must be {modes}")),
    }
    for name in ["ttl", "max_age"] {
        if cache.number(name, 1, LONGEST_TTL, found).is_some_and(|seconds| seconds < 60) {
            found.warn(format!("'{}' is under a minute", cache.at(name)));
        }
    }
    cache.read("threshold", "a number from 0.8 to 1", found, |value| {
        value.as_f64().filter(|threshold| (0.8..=1.0).contains(threshold))
    });
    cache.text("namespace", found);
    cache.flag("read", found);
    cache.flag("write", found);
    true
}

/// Whether a node asks for guardrails in the short form.
fn seed_guardrails(fields: &Fields<'_>, found: &mut Findings) -> bool {
    let Some(object) = fields.object("guardrails", found) else { return false };
    let sides = Fields::new(&fields.at("guardrails"), object, &["input", "output"], found);
    let mut any = false;
    for side in ["input", "output"] {
        let Some(list) = sides.read(side, "an array of guardrails", found, Value::as_array) else { continue };
        for (at, item) in list.iter().enumerate() {
            let path = sides.at(&format!("{side}[{at}]"));
            let Some(item) = item.as_object() else {
                found.error(path, "must be an object with a 'type'");
                continue;
            };
            let guard = Fields::new(&path, item, &SEED_GUARD, found);
            if guard.text("type", found).is_none() && guard.get("type").is_none() {
                found.error(guard.at("type"), "must name a guardrail, such as 'pii_detection'");
            }
            guard.read("action", "'deny', 'redact' or 'flag'", found, |value| {
                matches!(value.as_str()?, "deny" | "redact" | "flag").then_some(())
            });
            guard.read("threshold", "a number from 0 to 1", found, |value| {
                value.as_f64().filter(|threshold| (0.0..=1.0).contains(threshold))
            });
            any = true;
        }
    }
    any
}

/// Whether a node asks for guardrails in one of Portkey's forms: hooks, shorthand objects, or ids of stored ones.
fn guardrails(fields: &Fields<'_>, name: &str, found: &mut Findings) -> bool {
    let Some(list) = fields.read(name, "an array", found, Value::as_array) else { return false };
    for (at, item) in list.iter().enumerate() {
        let path = fields.at(&format!("{name}[{at}]"));
        match item {
            Value::String(id) if !id.is_empty() && name.ends_with("guardrails") => {}
            Value::Object(guard) => {
                if let Some(checks) = guard.get("checks") {
                    let well_formed = checks
                        .as_array()
                        .is_some_and(|checks| checks.iter().all(|check| check.get("id").is_some_and(Value::is_string)));
                    if !well_formed {
                        found.error(join(&path, "checks"), "must be an array of objects with an 'id'");
                    }
                } else if name.ends_with("hooks") {
                    found.error(join(&path, "checks"), "must be an array of objects with an 'id'");
                }
                if guard.get("deny").is_some_and(|deny| !deny.is_boolean()) {
                    found.error(join(&path, "deny"), "must be true or false");
                }
            }
            _ => found.error(path, "must be an object of checks"),
        }
    }
    !list.is_empty()
}
