//! What a check does, read from its id and its parameters.

use std::sync::Arc;

use gateway_guard::checks::{self, RegexReplace};
use serde_json::{Map, Value};

use super::engines::EngineChoice;
use super::pii_rule::PiiRule;
use super::safety_rule::{InjectionRule, SafetyRule};
use super::{Action, Side};

/// What a check does.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Looks for personal data.
    Pii(PiiRule),
    /// Looks for unsafe content.
    Safety(Box<SafetyRule>),
    /// Looks for instructions that turn a model against its own.
    Injection(InjectionRule),
    /// One of Portkey's checks that need no other service.
    Text(TextRule),
    /// What this gateway does not have.
    Unsupported,
}

/// One of Portkey's checks.
#[derive(Clone, Debug)]
pub struct TextRule {
    pub(super) check: Arc<checks::Check>,
    /// What it replaces, where it does.
    pub(super) replace: Option<Arc<RegexReplace>>,
}

/// Portkey's checks that ask other services.
const OUTSIDE: [&str; 3] = ["default.jwt", "default.log", "default.webhook"];

/// What is wrong with a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The parameter; none for the check's id.
    pub parameter: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl RuleError {
    pub(crate) fn new(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.into()), message: message.into() }
    }

    /// Of a parameter that the check does not have.
    pub fn unknown(parameter: &str) -> Self {
        Self::new(parameter, "is unknown")
    }
}

impl Rule {
    /// Reads a check of one side. `denies` tells whether its guardrail refuses what fails it.
    ///
    /// # Errors
    /// Everything that is wrong with its id and its parameters.
    pub fn read(
        id: &str,
        parameters: &Map<String, Value>,
        (side, denies): (Side, bool),
    ) -> Result<Self, Vec<RuleError>> {
        match id {
            "portkey.pii" => PiiRule::read(parameters, denies).map(Self::Pii),
            "portkey.moderateContent" => SafetyRule::read(parameters).map(|rule| Self::Safety(Box::new(rule))),
            "gateway.promptInjection" => InjectionRule::read(parameters).map(Self::Injection),
            id if id.starts_with("default.") && !OUTSIDE.iter().any(|outside| outside.eq_ignore_ascii_case(id)) => {
                TextRule::read(id, parameters, side).map(Self::Text).map_err(|error| vec![error])
            }
            _ => Ok(Self::Unsupported),
        }
    }

    /// Whether it is none of this gateway's.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported)
    }

    /// The type of the check in reports and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pii(_) => "pii_detection",
            Self::Safety(_) => "content_safety",
            Self::Injection(_) => "prompt_injection",
            Self::Text(rule) => rule.check.id(),
            Self::Unsupported => "unsupported",
        }
    }

    /// The outside engine that it asks.
    pub fn engine(&self) -> Option<&EngineChoice> {
        match self {
            Self::Pii(rule) => rule.engine.as_ref(),
            Self::Safety(rule) => rule.engine.as_ref(),
            Self::Injection(rule) => rule.engine.as_ref(),
            Self::Text(_) | Self::Unsupported => None,
        }
    }

    /// Takes note of where the config names the engine.
    pub(crate) fn set_engine_place(&mut self, place: String) {
        let engine = match self {
            Self::Pii(rule) => rule.engine.as_mut(),
            Self::Safety(rule) => rule.engine.as_mut(),
            Self::Injection(rule) => rule.engine.as_mut(),
            Self::Text(_) | Self::Unsupported => None,
        };
        if let Some(engine) = engine {
            engine.place = place;
        }
    }

    /// Whether the built-in detectors look as well, or alone.
    pub(super) fn is_local(&self) -> bool {
        self.engine().is_none_or(|engine| engine.with_local)
    }

    /// Whether it may change a text.
    pub fn changes(&self) -> bool {
        match self {
            Self::Pii(rule) => matches!(rule.action, Action::Redact | Action::Tokenize),
            Self::Text(rule) => rule.check.is_transform(),
            _ => false,
        }
    }
}

impl TextRule {
    fn read(id: &str, parameters: &Map<String, Value>, side: Side) -> Result<Self, RuleError> {
        let check = checks::Check::from_json(id, parameters).map_err(|bad| RuleError {
            parameter: Some(bad.path).filter(|path| !path.is_empty()),
            message: bad.message,
        })?;
        if side == Side::Output && check.add_prefix().is_some() {
            return Err(RuleError { parameter: None, message: "is for requests alone".to_owned() });
        }
        if side == Side::Output && !check.is_bounded() {
            let most = RegexReplace::MAX_STREAM_MATCH_BYTES;
            let message = format!("must have a bound, so that it can run on streams: no match over {most} bytes");
            return Err(RuleError::new("rule", message));
        }
        let replace = check.regex_replace().cloned().map(Arc::new);
        Ok(Self { check: Arc::new(check), replace })
    }
}
