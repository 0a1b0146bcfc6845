//! Which engine a check asks, read from its parameters.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::settings::OnError;
use crate::guardrails::RuleError;

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
