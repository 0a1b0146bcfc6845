//! From which score on content is unsafe, or an instruction.

use gateway_guard::safety::{Categories, Category, Thresholds};
use serde_json::{Map, Value};

use super::engines::EngineChoice;
use super::rule::RuleError;

/// The threshold where a config names none.
const DEFAULT_THRESHOLD: f64 = 0.8;

/// What a check on content safety does.
#[derive(Clone, Debug, PartialEq)]
pub struct SafetyRule {
    /// The threshold of each category that counts.
    limits: Vec<(Category, f64)>,
    /// The same, ready for use.
    pub(super) thresholds: Thresholds,
    /// The outside engine that scores.
    pub(super) engine: Option<EngineChoice>,
}

/// What a check on prompt injection does.
#[derive(Clone, Debug, PartialEq)]
pub struct InjectionRule {
    /// The score from which on a text is one.
    pub threshold: f64,
    /// The outside engine that scores.
    pub(super) engine: Option<EngineChoice>,
}

impl SafetyRule {
    /// Reads the parameters.
    pub(super) fn read(parameters: &Map<String, Value>) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let engine = EngineChoice::read(parameters, &mut errors);
        let threshold = threshold(parameters, &mut errors);
        let mut limits: Vec<(Category, f64)> = match parameters.get("categories") {
            None => Category::all().map(|category| (category, threshold)).collect(),
            Some(Value::Array(items)) if !items.is_empty() => {
                let mut limits = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    match item.as_str().and_then(|name| name.parse().ok()) {
                        Some(category) => limits.push((category, threshold)),
                        None => errors.push(RuleError::new(format!("categories[{at}]"), unknown())),
                    }
                }
                limits
            }
            Some(_) => {
                errors.push(RuleError::new("categories", "must be a non-empty array of categories"));
                Vec::new()
            }
        };
        match parameters.get("thresholds") {
            None => {}
            Some(Value::Object(own)) => {
                for (name, value) in own {
                    let place = format!("thresholds.{name}");
                    match (name.parse::<Category>(), fraction(value)) {
                        (Ok(category), Some(limit)) => {
                            limits.retain(|(known, _)| *known != category);
                            limits.push((category, limit));
                        }
                        (Err(()), _) => errors.push(RuleError::new(place, unknown())),
                        (_, None) => errors.push(RuleError::new(place, "must be a number from 0 to 1")),
                    }
                }
            }
            Some(_) => errors.push(RuleError::new("thresholds", "must be an object of categories and numbers")),
        }
        match thresholds(&limits) {
            Some(thresholds) if errors.is_empty() => Ok(Self { limits, thresholds, engine }),
            _ => Err(errors),
        }
    }

    /// The lowest thresholds of several checks.
    pub(super) fn lowest<'a>(rules: impl Iterator<Item = &'a Self>) -> Option<Thresholds> {
        let mut lowest: Vec<(Category, f64)> = Vec::new();
        for (category, limit) in rules.flat_map(|rule| rule.limits.iter().copied()) {
            match lowest.iter_mut().find(|(known, _)| *known == category) {
                Some((_, known)) => *known = known.min(limit),
                None => lowest.push((category, limit)),
            }
        }
        if lowest.is_empty() { None } else { thresholds(&lowest) }
    }
}

impl InjectionRule {
    /// Reads the parameters.
    pub(super) fn read(parameters: &Map<String, Value>) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let engine = EngineChoice::read(parameters, &mut errors);
        let threshold = threshold(parameters, &mut errors);
        if errors.is_empty() { Ok(Self { threshold, engine }) } else { Err(errors) }
    }
}

fn thresholds(limits: &[(Category, f64)]) -> Option<Thresholds> {
    let none = Thresholds::new(1.0, Categories::NONE);
    limits.iter().try_fold(none?, |thresholds, (category, limit)| thresholds.with(*category, *limit))
}

/// A threshold; null is a number that was none (`nan` in TOML).
fn threshold(parameters: &Map<String, Value>, errors: &mut Vec<RuleError>) -> f64 {
    let Some(value) = parameters.get("threshold") else { return DEFAULT_THRESHOLD };
    fraction(value).unwrap_or_else(|| {
        errors.push(RuleError::new("threshold", "must be a number from 0 to 1"));
        DEFAULT_THRESHOLD
    })
}

fn fraction(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| (0.0..=1.0).contains(number))
}

fn unknown() -> String {
    let names: Vec<&str> = Category::all().map(Category::as_str).collect();
    format!("must be one of {}", names.join(", "))
}
