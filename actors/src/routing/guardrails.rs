//! Guardrails in all their spellings: the short form, Portkey's hooks, its shorthand, and ids of stored ones.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ConfigError;
use super::fields::{Fields, Findings, join, snake_case};
use crate::guardrails::{Action, Check, Guardrail, GuardrailFloor, Reach, Rule, RuleError, Side};

/// Guardrails that one list may hold.
const MAX_GUARDRAILS: usize = 64;

const SHORT: &[&str] = &[
    "type",
    "action",
    "threshold",
    "thresholds",
    "categories",
    "engine",
    "timeout_ms",
    "on_error",
    "media",
    "tools",
    "id",
    "parameters",
];

/// The parameters that the short form has beside its type.
const LIFTED: [&str; 8] =
    ["threshold", "thresholds", "categories", "engine", "timeout_ms", "on_error", "media", "tools"];

/// The types of the short form: the check that each is, and what can be done with what it finds.
const TYPES: &[(&str, &str, &[Action])] = &[
    ("pii_detection", "portkey.pii", &[Action::Deny, Action::Redact, Action::Tokenize, Action::Flag]),
    ("content_safety", "portkey.moderateContent", &[Action::Deny, Action::Flag]),
    ("prompt_injection", "gateway.promptInjection", &[Action::Deny, Action::Flag]),
];

/// Checks that one guardrail may hold.
const MAX_CHECKS: usize = 64;

/// The parameters of the checks that are this gateway's own.
const PARAMETERS: &[(&str, &[&str])] = &[
    ("portkey.pii", &["categories", "redact", "tokenize", "not", "engine", "timeout_ms", "on_error", "timeout"]),
    (
        "portkey.moderateContent",
        &["categories", "threshold", "thresholds", "engine", "timeout_ms", "on_error", "timeout"],
    ),
    ("gateway.promptInjection", &["threshold", "engine", "timeout_ms", "on_error", "timeout"]),
];

const HOOK: &[&str] =
    &["type", "id", "name", "async", "sequential", "deny", "checks", "on_fail", "on_success", "guardrail_version_id"];
const CHECK: &[&str] = &["id", "parameters", "is_enabled", "fail_on_error", "name"];

/// A node's guardrails; `None` where it says nothing, so that it inherits.
pub(super) struct Lists {
    pub input: Option<Vec<Arc<Guardrail>>>,
    pub output: Option<Vec<Arc<Guardrail>>>,
}

/// Reads a node's guardrails; what this gateway does not have is noted under `place`.
pub(super) fn read(fields: &Fields<'_>, place: &str, found: &mut Findings) -> Lists {
    let mut lists = Lists { input: None, output: None };
    refuse_misspelt(fields, found);
    if let Some(object) = fields.object("guardrails", found) {
        let sides = Fields::new(&fields.at("guardrails"), object, &[&["input", "output"]], found);
        for name in sides.names().filter(|name| !matches!(*name, "input" | "output")) {
            found.error(sides.at(name), "is unknown: 'guardrails' has 'input' and 'output'");
        }
        lists.input = list(&sides, "input", found, |item, path, found| short(item, path, Side::Input, found));
        lists.output = list(&sides, "output", found, |item, path, found| short(item, path, Side::Output, found));
        for (name, side) in [("input", &lists.input), ("output", &lists.output)] {
            if side.iter().flatten().any(|guardrail| is_unsupported(guardrail)) {
                found.unsupported.push(join(place, &format!("guardrails.{name}")));
            }
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
            let side = if is_input { Side::Input } else { Side::Output };
            let guardrail = hook(item, path, !name.ends_with("hooks"), side, found)?;
            Some(Guardrail { mutates: guardrail.mutates || mutates, ..guardrail })
        };
        let Some(more) = list(fields, name, found, hook) else { continue };
        if more.iter().any(|guardrail| is_unsupported(guardrail)) {
            found.unsupported.push(join(place, name));
        }
        let side = if is_input { &mut lists.input } else { &mut lists.output };
        side.get_or_insert_default().extend(more);
    }
    lists
}

/// Refuses fields that were to be guardrails: a client would take its texts for guarded.
fn refuse_misspelt(fields: &Fields<'_>, found: &mut Findings) {
    for name in ["default_input_guardrails", "default_output_guardrails"].into_iter().filter(|name| fields.knows(name))
    {
        if fields.get(name).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
            found.error(fields.at(name), "is not supported: use 'guardrails', which has 'input' and 'output'");
        }
    }
    for name in fields.names().filter(|name| !fields.knows(name)) {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
        let letters = letters.to_ascii_lowercase();
        if ["guardrail", "requesthook", "putmutator"].iter().any(|word| letters.contains(word)) {
            found
                .error(fields.at(name), "is unknown: guardrails stand in 'guardrails', which has 'input' and 'output'");
        }
    }
}

/// Reads the guardrails that hold for every request.
///
/// # Errors
/// Everything that is wrong, or beyond this gateway, each with its path: `input[0].type`.
pub fn read_floor(input: &[Value], output: &[Value]) -> Result<GuardrailFloor, Vec<ConfigError>> {
    let mut found = Findings::default();
    let sides = json!({ "input": input, "output": output });
    let object = sides.as_object().cloned().unwrap_or_default();
    let fields = Fields::new("", &object, &[&["input", "output"]], &mut found);
    let mut side = |name: &str| {
        let side = if name == "input" { Side::Input } else { Side::Output };
        let items = list(&fields, name, &mut found, |item, path, found| short(item, path, side, found));
        let items = items.unwrap_or_default();
        for at in (0..items.len()).filter(|at| items.get(*at).is_some_and(|guardrail| is_unsupported(guardrail))) {
            found.error(format!("{name}[{at}]"), "is not supported");
        }
        items
    };
    let floor = GuardrailFloor { input: side("input"), output: side("output") };
    // Whoever misspells what holds for every request would believe that it holds.
    for warning in found.take_warnings() {
        let path = warning.split('\'').nth(1).unwrap_or_default().to_owned();
        found.error(path, format!("is wrong: {warning}"));
    }
    if found.errors.is_empty() { Ok(floor) } else { Err(found.errors) }
}

/// Whether a guardrail is one that is stored elsewhere, or has a check that this gateway does not have.
fn is_unsupported(guardrail: &Guardrail) -> bool {
    guardrail.checks.is_empty() || guardrail.checks.iter().any(|check| check.rule.is_unsupported())
}

fn list(
    fields: &Fields<'_>,
    name: &str,
    found: &mut Findings,
    read: impl Fn(&Value, &str, &mut Findings) -> Option<Guardrail>,
) -> Option<Vec<Arc<Guardrail>>> {
    let expected = format!("an array of at most {MAX_GUARDRAILS} guardrails");
    let items =
        fields.read(name, &expected, found, |value| value.as_array().filter(|list| list.len() <= MAX_GUARDRAILS))?;
    let at = |(at, item)| read(item, &fields.at(&format!("{name}[{at}]")), found);
    Some(items.iter().enumerate().filter_map(at).map(Arc::new).collect())
}

/// `{"type": "pii_detection", "action": "redact"}`.
fn short(item: &Value, path: &str, side: Side, found: &mut Findings) -> Option<Guardrail> {
    let Some(object) = item.as_object() else {
        found.error(path, "must be an object with a 'type'");
        return None;
    };
    if object.keys().any(|key| key == "checks" || key.contains('.')) {
        return hook(item, path, true, side, found);
    }
    let fields = Fields::new(path, object, &[SHORT], found);
    let kind =
        fields.get("type").and_then(Value::as_str).and_then(|kind| TYPES.iter().find(|(name, ..)| *name == kind));
    let Some((_, id, actions)) = kind else {
        let names: Vec<String> = TYPES.iter().map(|(name, ..)| format!("'{name}'")).collect();
        found.error(fields.at("type"), format!("must be one of {}", names.join(", ")));
        return None;
    };
    let mut parameters = fields.object("parameters", found).cloned().unwrap_or_default();
    for name in LIFTED {
        if let Some((_, value)) = object.iter().find(|(key, _)| snake_case(key) == name) {
            parameters.insert(name.to_owned(), value.clone());
        }
    }
    let actions: Vec<Action> =
        actions.iter().copied().filter(|action| side == Side::Input || *action != Action::Tokenize).collect();
    let expected: Vec<String> = actions.iter().map(|action| format!("'{}'", action.as_str())).collect();
    let expected = format!("one of {}", expected.join(", "));
    let action = fields.read("action", &expected, found, |value| {
        value.as_str()?.parse::<Action>().ok().filter(|action| actions.contains(action))
    });
    let action = action.unwrap_or(Action::Deny);
    // The action has the last word.
    for name in ["redact", "tokenize"] {
        if parameters.get(name).is_some_and(Value::is_boolean) {
            parameters.remove(name);
        }
    }
    match action {
        Action::Redact => drop(parameters.insert("redact".to_owned(), Value::Bool(true))),
        Action::Tokenize => drop(parameters.insert("tokenize".to_owned(), Value::Bool(true))),
        Action::Deny | Action::Flag => {}
    }
    let own_id = fields.text("id", found).map(str::to_owned);
    let place = |error: &RuleError| match &error.parameter {
        Some(name) if is_in(object, name) => fields.at(name),
        Some(name) => fields.at(&format!("parameters.{name}")),
        None => fields.at("type"),
    };
    let rule = rule((id, &parameters), (side, action == Action::Deny), place, found)?;
    let check = Check { id: (*id).to_owned(), parameters, fail_on_error: false, rule };
    Some(Guardrail {
        id: own_id,
        checks: vec![check],
        deny: action == Action::Deny,
        in_background: action == Action::Flag,
        sequential: false,
        mutates: false,
        on_fail: None,
        on_success: None,
    })
}

/// Whether an object has the field that a path begins with.
fn is_in(object: &Map<String, Value>, path: &str) -> bool {
    let name = path.split(['.', '[']).next().unwrap_or(path);
    object.keys().any(|key| snake_case(key) == name)
}

/// What a check does on its side, where its guardrail denies or not; what is wrong with it is told at its place.
fn rule(
    (id, parameters): (&str, &Map<String, Value>),
    of: (Side, bool),
    place: impl Fn(&RuleError) -> String,
    found: &mut Findings,
) -> Option<Rule> {
    let known = PARAMETERS.iter().find(|(known, _)| *known == id).map(|(_, known)| *known);
    if let Some(known) = known {
        for error in Reach::read(parameters, of.0).err().into_iter().flatten() {
            found.error(place(&error), error.message.clone());
        }
        let is_known = |name: &str| known.contains(&name) || Reach::PARAMETERS.contains(&name);
        for name in parameters.keys().filter(|name| !is_known(name)) {
            found.warn(format!("unknown key '{}'", place(&RuleError::unknown(name))));
        }
    }
    match Rule::read(id, parameters, of) {
        Ok(mut rule) => {
            rule.set_engine_place(place(&RuleError::new("engine", "")));
            Some(rule)
        }
        Err(errors) => {
            errors.iter().for_each(|error| found.error(place(error), error.message.clone()));
            None
        }
    }
}

/// One of Portkey's: a hook with `checks`, a shorthand whose other keys are checks, or the id of a stored one.
fn hook(item: &Value, path: &str, may_be_short: bool, side: Side, found: &mut Findings) -> Option<Guardrail> {
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
    let deny = fields.flag("deny", found);
    // Whoever says what a failure does waits for the verdict; Portkey's default is not to.
    let in_background = fields.flag("async", found).unwrap_or(deny.is_none());
    let deny = deny.unwrap_or(false);
    let denies = deny && !in_background;
    if deny && in_background {
        found.warn(format!("'{}' denies nothing, as it is async", join(path, "deny")));
    }
    let checks = match is_long {
        true => long_checks(&fields, (side, denies), found),
        false => short_checks(&checks, path, (side, denies), found),
    };
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
        deny,
        in_background,
        sequential: fields.flag("sequential", found).unwrap_or(false),
        mutates: kind == Some("mutator"),
        on_fail: fields.object("on_fail", found).cloned().map(Value::Object),
        on_success: fields.object("on_success", found).cloned().map(Value::Object),
    })
}

fn long_checks(fields: &Fields<'_>, of: (Side, bool), found: &mut Findings) -> Vec<Check> {
    let expected = format!("an array of at most {MAX_CHECKS} objects with an 'id'");
    let items =
        fields.read("checks", &expected, found, |value| value.as_array().filter(|list| list.len() <= MAX_CHECKS));
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
        if let Some(id) = check.text("id", found).filter(|_| is_enabled).map(with_family) {
            let place = |error: &RuleError| match &error.parameter {
                Some(name) => check.at(&format!("parameters.{name}")),
                None => check.at("id"),
            };
            if let Some(rule) = rule((&id, &parameters), of, place, found) {
                checks.push(Check { id, parameters, fail_on_error, rule });
            }
        }
    }
    checks
}

fn short_checks(object: &Map<String, Value>, path: &str, of: (Side, bool), found: &mut Findings) -> Vec<Check> {
    if object.len() > MAX_CHECKS {
        found.error(path, format!("must have at most {MAX_CHECKS} checks"));
        return Vec::new();
    }
    let check = |(key, value): (&String, &Value)| {
        let parameters = match value {
            Value::Object(parameters) => parameters.clone(),
            Value::Null => Map::new(),
            _ => {
                found.error(join(path, key), "must be an object of parameters");
                return None;
            }
        };
        let (id, place) = (with_family(key), join(path, key));
        let place = |error: &RuleError| match &error.parameter {
            Some(name) => join(&place, name),
            None => place.clone(),
        };
        let rule = rule((&id, &parameters), of, place, found)?;
        Some(Check { id, parameters, fail_on_error: false, rule })
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
