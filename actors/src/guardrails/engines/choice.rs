//! Which engine a check asks, read from its parameters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::settings::{EngineType, OnError};
use crate::guardrails::{Check, Guardrail, GuardrailFloor, RuleError};
use crate::routing::ConfigError;

/// The engine that is built in.
const LOCAL: &str = "local";

/// The longest time that a guardrail may give an engine, in milliseconds.
pub const MAX_TIMEOUT_MS: u64 = 60_000;

/// The outside engine of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineChoice {
    /// Its name in the configuration.
    pub engine: Arc<str>,
    /// Whether the built-in detectors look as well.
    pub with_local: bool,
    /// The check's own time limit.
    pub timeout: Option<Duration>,
    /// What the check comes to without a verdict, where it says so itself.
    pub on_error: Option<OnError>,
    /// Where the config names the engine.
    pub place: String,
}

impl EngineChoice {
    /// Reads the parameters; none where the built-in engine alone is asked.
    pub fn read(parameters: &Map<String, Value>, errors: &mut Vec<RuleError>) -> Option<Self> {
        let wrong = "must be 'local', the name of a [guardrails.engines.NAME] section, or 'local+NAME'";
        let choice = match parameters.get("engine") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_str().map(parse) {
                Some(Ok(choice)) => choice,
                _ => {
                    errors.push(RuleError::new("engine", wrong));
                    return None;
                }
            },
        };
        let timeout = parameters.get("timeout_ms").filter(|value| !value.is_null());
        let on_error = parameters.get("on_error").filter(|value| !value.is_null());
        let Some((engine, with_local)) = choice else {
            for (name, _) in
                [("timeout_ms", timeout), ("on_error", on_error)].iter().filter(|(_, value)| value.is_some())
            {
                errors.push(RuleError::new(*name, "must be left out where no outside 'engine' is asked"));
            }
            return None;
        };
        let timeout = timeout.and_then(|value| {
            let millis = value.as_u64().filter(|millis| (1..=MAX_TIMEOUT_MS).contains(millis));
            if millis.is_none() {
                let message = format!("must be a whole number from 1 to {MAX_TIMEOUT_MS}");
                errors.push(RuleError::new("timeout_ms", message));
            }
            millis.map(Duration::from_millis)
        });
        let on_error = on_error.and_then(|value| {
            let on_error = serde_json::from_value(value.clone()).ok();
            if on_error.is_none() {
                errors.push(RuleError::new("on_error", "must be 'deny' or 'allow'"));
            }
            on_error
        });
        Some(Self { engine, with_local, timeout, on_error, place: "engine".to_owned() })
    }
}

/// An engine's name, and whether the built-in one is asked too; nothing where that one alone is.
fn parse(text: &str) -> Result<Option<(Arc<str>, bool)>, ()> {
    if text == LOCAL {
        return Ok(None);
    }
    let (name, with_local) = match text.split_once('+') {
        Some((LOCAL, name)) => (name, true),
        Some(_) => return Err(()),
        None => (text, false),
    };
    if is_engine_name(name) { Ok(Some((name.into(), with_local))) } else { Err(()) }
}

/// Whether an engine can have this name.
pub fn is_engine_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !name.is_empty() && name != LOCAL && name.len() <= 64 && name.chars().all(is_plain)
}

/// Tells which guardrails ask an engine that is not configured, or that cannot do what they ask for.
pub fn check_engines(guardrails: &GuardrailFloor, known: &BTreeMap<String, EngineType>) -> Vec<ConfigError> {
    let all = guardrails.input.iter().chain(&guardrails.output);
    all.flat_map(|guardrail| problems(guardrail, known)).collect()
}

fn problems(guardrail: &Guardrail, known: &BTreeMap<String, EngineType>) -> Vec<ConfigError> {
    let problem = |check: &Check| {
        let choice = check.rule.engine()?;
        let name = &*choice.engine;
        let message = match known.get(name) {
            None => format!("names '{name}', and there is no section [guardrails.engines.{name}]"),
            Some(kind) if kind.fits(&check.rule) => return None,
            Some(kind) => format!("names '{name}' of the type {}, which does no {}", kind.as_str(), check.rule.kind()),
        };
        Some(ConfigError { path: choice.place.clone(), message })
    };
    guardrail.checks.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routing::read_floor;

    fn paths(guardrail: Value) -> Vec<String> {
        let known = [("pres", EngineType::Presidio), ("mod", EngineType::Moderations), ("lg", EngineType::LlamaGuard)];
        let known = known.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let read = read_floor(&[guardrail], &[]);
        let errors = read.map_or_else(|errors| errors, |floor| check_engines(&floor, &known));
        errors.into_iter().map(|error| error.path).collect()
    }

    /// D8: an engine that cannot do what a guardrail asks of it is told with its path.
    #[test]
    fn d8_engines_that_do_not_fit_are_told() {
        let fits =
            [("pii_detection", vec!["pres"]), ("content_safety", vec!["mod", "lg"]), ("prompt_injection", vec!["lg"])];
        for (kind, fitting) in fits {
            for name in ["pres", "mod", "lg"] {
                for engine in [name.to_owned(), format!("local+{name}")] {
                    let told = paths(json!({"type": kind, "engine": engine}));
                    let is_fine = fitting.contains(&name);
                    assert_eq!(told.is_empty(), is_fine, "{kind} {engine}: {told:?}");
                    assert!(is_fine || told == ["input[0].engine"], "{told:?}");
                }
            }
            assert!(paths(json!({"type": kind, "engine": "local"})).is_empty());
            for engine in
                [json!("other"), json!("local+other"), json!("mod+local"), json!("local+"), json!(1), json!("A")]
            {
                assert_eq!(paths(json!({"type": kind, "engine": engine})), ["input[0].engine"], "{engine}");
            }
        }
    }

    /// D8: limits of an engine that cannot be are told with their path.
    #[test]
    fn d8_wrong_limits_are_told() {
        let with = |name: &str, value: Value| paths(json!({"type": "content_safety", "engine": "mod", name: value}));
        assert!(with("timeout_ms", json!(200)).is_empty() && with("on_error", json!("allow")).is_empty());
        for value in [json!(0), json!(60_001), json!("1"), json!(1.5)] {
            assert_eq!(with("timeout_ms", value), ["input[0].timeout_ms"]);
        }
        assert_eq!(with("on_error", json!("pass")), ["input[0].on_error"]);
        let local = json!({"type": "content_safety", "timeout_ms": 5, "on_error": "deny"});
        assert_eq!(paths(local), ["input[0].timeout_ms", "input[0].on_error"]);
        for action in ["redact", "tokenize"] {
            let open = json!({"type": "pii_detection", "action": action, "engine": "pres", "on_error": "allow"});
            assert_eq!(paths(open), ["input[0].on_error"], "what was not checked is not sent");
        }
    }
}
