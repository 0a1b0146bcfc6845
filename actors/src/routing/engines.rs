//! Whether the engines that guardrails name are there, and can do what is asked of them.

use std::collections::BTreeMap;

use super::ConfigError;
use crate::guardrails::{Check, EngineType, Guardrail, GuardrailFloor};

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
    use serde_json::{Value, json};

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
