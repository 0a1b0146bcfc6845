//! Guardrails in all their spellings: the short form, Portkey's hooks, its shorthand, and ids of stored ones.

use serde_json::{Map, Value, json};

use super::fields::{Fields, Findings, join, snake_case};

/// Guardrails that one list may hold.
const MAX_GUARDRAILS: usize = 64;

const SHORT: &[&str] = &["type", "action", "threshold", "categories", "id", "parameters"];
const HOOK: &[&str] =
    &["type", "id", "name", "async", "sequential", "deny", "checks", "on_fail", "on_success", "guardrail_version_id"];
const CHECK: &[&str] = &["id", "parameters", "is_enabled", "fail_on_error", "name"];

/// What a config wants done with a request or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// Its id; one without checks is stored at the gateway under this id.
    pub id: Option<String>,
    /// The checks, all of which must hold.
    pub checks: Vec<Check>,
    /// Whether a failed check refuses the request or the answer (446); else it is only told (246).
    pub deny: bool,
    /// Whether the checks run beside the request, without holding it up (`async`, Portkey's default).
    pub in_background: bool,
    /// Whether the checks run one after the other.
    pub sequential: bool,
    /// Whether it changes the text rather than judging it (`mutator`).
    pub mutates: bool,
    /// The feedback that follows a failure.
    pub on_fail: Option<Value>,
    /// The feedback that follows a success.
    pub on_success: Option<Value>,
}

/// One check of a guardrail.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Which check, with its family: `default.regexMatch`, `portkey.pii`.
    pub id: String,
    /// Its parameters.
    pub parameters: Map<String, Value>,
    /// Whether an error of the check itself fails the guardrail.
    pub fail_on_error: bool,
}

/// A node's guardrails; `None` where it says nothing, so that it inherits.
pub(super) struct Lists {
    pub input: Option<Vec<Guardrail>>,
    pub output: Option<Vec<Guardrail>>,
}

/// Reads a node's guardrails; those asked for are noted under `place`.
pub(super) fn read(fields: &Fields<'_>, place: &str, found: &mut Findings) -> Lists {
    let mut lists = Lists { input: None, output: None };
    if let Some(object) = fields.object("guardrails", found) {
        let sides = Fields::new(&fields.at("guardrails"), object, &[&["input", "output"]], found);
        lists.input = list(&sides, "input", found, short);
        lists.output = list(&sides, "output", found, short);
        if [&lists.input, &lists.output].into_iter().flatten().any(|list| !list.is_empty()) {
            found.unsupported.push(join(place, "guardrails"));
        }
    }
    let side_of = [
        ("input_guardrails", true),
        ("before_request_hooks", true),
        ("input_mutators", true),
        ("output_guardrails", false),
        ("after_request_hooks", false),
        ("output_mutators", false),
    ];
    for (name, is_input) in side_of {
        let mutates = name.ends_with("mutators");
        let hook = |item: &Value, path: &str, found: &mut Findings| {
            let guardrail = hook(item, path, !name.ends_with("hooks"), found)?;
            Some(Guardrail { mutates: guardrail.mutates || mutates, ..guardrail })
        };
        let Some(more) = list(fields, name, found, hook) else { continue };
        if !more.is_empty() {
            found.unsupported.push(join(place, name));
        }
        let side = if is_input { &mut lists.input } else { &mut lists.output };
        side.get_or_insert_default().extend(more);
    }
    lists
}

fn list(
    fields: &Fields<'_>,
    name: &str,
    found: &mut Findings,
    read: impl Fn(&Value, &str, &mut Findings) -> Option<Guardrail>,
) -> Option<Vec<Guardrail>> {
    let expected = format!("an array of at most {MAX_GUARDRAILS} guardrails");
    let items =
        fields.read(name, &expected, found, |value| value.as_array().filter(|list| list.len() <= MAX_GUARDRAILS))?;
    let at = |(at, item)| read(item, &fields.at(&format!("{name}[{at}]")), found);
    Some(items.iter().enumerate().filter_map(at).collect())
}

/// `{"type": "pii_detection", "action": "redact"}`.
fn short(item: &Value, path: &str, found: &mut Findings) -> Option<Guardrail> {
    let Some(object) = item.as_object() else {
        found.error(path, "must be an object with a 'type'");
        return None;
    };
    let fields = Fields::new(path, object, &[SHORT], found);
    let id = match fields.get("type").and_then(Value::as_str) {
        Some("pii_detection") => Some("portkey.pii"),
        Some("content_safety") => Some("portkey.moderateContent"),
        _ => {
            found.error(fields.at("type"), "must be 'pii_detection' or 'content_safety'");
            None
        }
    };
    let mut parameters = fields.object("parameters", found).cloned().unwrap_or_default();
    if let Some(threshold) = fields.fraction("threshold", 0.0, 1.0, found) {
        parameters.insert("threshold".to_owned(), Value::from(threshold));
    }
    if let Some(categories) = fields.texts("categories", found) {
        parameters.insert("categories".to_owned(), Value::from(categories));
    }
    let actions = if id == Some("portkey.moderateContent") { "'deny' or 'flag'" } else { "'deny', 'redact' or 'flag'" };
    let action = fields.read("action", actions, found, |value| {
        value.as_str().filter(|action| actions.contains(&format!("'{action}'")))
    });
    if action == Some("redact") {
        parameters.insert("redact".to_owned(), Value::Bool(true));
    }
    let own_id = fields.text("id", found).map(str::to_owned);
    let check = Check { id: id?.to_owned(), parameters, fail_on_error: false };
    Some(Guardrail {
        id: own_id,
        checks: vec![check],
        deny: !matches!(action, Some("redact" | "flag")),
        in_background: action == Some("flag"),
        sequential: false,
        mutates: false,
        on_fail: None,
        on_success: None,
    })
}

/// One of Portkey's: a hook with `checks`, a shorthand whose other keys are checks, or the id of a stored one.
fn hook(item: &Value, path: &str, may_be_short: bool, found: &mut Findings) -> Option<Guardrail> {
    let object = match item {
        Value::String(id) if !id.is_empty() && may_be_short => {
            return Some(Guardrail { id: Some(id.clone()), ..bare() });
        }
        Value::Object(object) => object,
        _ => {
            found.error(path, "must be an object of checks");
            return None;
        }
    };
    let is_long = !may_be_short || object.contains_key("checks");
    let (lifted, checks): (Map<String, Value>, Map<String, Value>) = object
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .partition(|(key, _)| is_long || HOOK.contains(&snake_case(key).as_ref()));
    let fields = Fields::new(path, &lifted, &[HOOK], found);
    let checks = if is_long { long_checks(&fields, found) } else { short_checks(&checks, path, found) };
    let kind = fields.read("type", "'guardrail' or 'mutator'", found, |value| {
        value.as_str().filter(|kind| matches!(*kind, "guardrail" | "mutator"))
    });
    let id = fields.text("id", found).map(str::to_owned);
    let has_checks = is_long && fields.get("checks").and_then(Value::as_array).is_some_and(|checks| !checks.is_empty());
    if checks.is_empty() && has_checks {
        // All of them are switched off, or wrong and told so.
        return None;
    }
    if checks.is_empty() && id.is_none() {
        found.error(fields.at("checks"), "must be an array of objects with an 'id'");
        return None;
    }
    Some(Guardrail {
        id,
        checks,
        deny: fields.flag("deny", found).unwrap_or(false),
        in_background: fields.flag("async", found).unwrap_or(true),
        sequential: fields.flag("sequential", found).unwrap_or(false),
        mutates: kind == Some("mutator"),
        on_fail: fields.object("on_fail", found).cloned().map(Value::Object),
        on_success: fields.object("on_success", found).cloned().map(Value::Object),
    })
}

fn long_checks(fields: &Fields<'_>, found: &mut Findings) -> Vec<Check> {
    let items = fields.read("checks", "an array of objects with an 'id'", found, Value::as_array);
    let mut checks = Vec::new();
    for (at, item) in items.into_iter().flatten().enumerate() {
        let path = fields.at(&format!("checks[{at}]"));
        let Some(object) = item.as_object() else {
            found.error(path, "must be an object with an 'id'");
            continue;
        };
        let check = Fields::new(&path, object, &[CHECK], found);
        if check.get("id").is_none() {
            found.error(check.at("id"), "must name a check, such as 'default.regexMatch'");
        }
        let parameters = check.object("parameters", found).cloned().unwrap_or_default();
        let fail_on_error = check.flag("fail_on_error", found).unwrap_or(false);
        let is_enabled = check.flag("is_enabled", found).unwrap_or(true);
        if let Some(id) = check.text("id", found).filter(|_| is_enabled) {
            checks.push(Check { id: with_family(id), parameters, fail_on_error });
        }
    }
    checks
}

fn short_checks(object: &Map<String, Value>, path: &str, found: &mut Findings) -> Vec<Check> {
    let check = |(key, value): (&String, &Value)| {
        let parameters = match value {
            Value::Object(parameters) => parameters.clone(),
            Value::Null => Map::new(),
            _ => {
                found.error(join(path, key), "must be an object of parameters");
                return None;
            }
        };
        Some(Check { id: with_family(key), parameters, fail_on_error: false })
    };
    object.iter().filter_map(check).collect()
}

fn with_family(id: &str) -> String {
    if id.contains('.') { id.to_owned() } else { format!("default.{id}") }
}

fn bare() -> Guardrail {
    Guardrail {
        id: None,
        checks: Vec::new(),
        deny: false,
        in_background: true,
        sequential: false,
        mutates: false,
        on_fail: None,
        on_success: None,
    }
}

impl Guardrail {
    pub(super) fn to_json(&self) -> Value {
        let check = |check: &Check| json!({"id": check.id, "parameters": check.parameters, "fail_on_error": check.fail_on_error});
        let kind = if self.mutates { "mutator" } else { "guardrail" };
        json!({"type": kind, "id": self.id, "async": self.in_background, "sequential": self.sequential,
            "deny": self.deny, "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "on_fail": self.on_fail, "on_success": self.on_success})
    }
}
