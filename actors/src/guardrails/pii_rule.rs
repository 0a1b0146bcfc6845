//! Which personal data a check looks for, and what is done with it.

use gateway_guard::pii::{PiiKind, PiiKinds};
use serde_json::{Map, Value};

use super::Action;
use super::engines::{EngineChoice, OnError};
use super::rule::RuleError;

/// Portkey's names of categories, and ours.
const PORTKEY: [(&str, PiiKind); 6] = [
    ("EMAIL_ADDRESS", PiiKind::Email),
    ("PHONE_NUMBER", PiiKind::Phone),
    ("LOCATION_ADDRESS", PiiKind::Address),
    ("IP_ADDRESS", PiiKind::Ip),
    ("CREDIT_CARD", PiiKind::Card),
    ("PERSON", PiiKind::Name),
];

/// What a check on personal data does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiiRule {
    /// What it looks for.
    pub kinds: PiiKinds,
    /// What is done with it.
    pub action: Action,
    /// Whether a text must have some of it (Portkey's `not`).
    pub is_negated: bool,
    /// The outside engine that looks for it.
    pub engine: Option<EngineChoice>,
}

impl PiiRule {
    /// Reads the parameters; `denies` tells what becomes of a text where they say nothing of that.
    pub(super) fn read(parameters: &Map<String, Value>, denies: bool) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let kinds = match parameters.get("categories") {
            None | Some(Value::Null) => PiiKinds::ALL,
            Some(Value::Array(items)) if !items.is_empty() => {
                let mut kinds = PiiKinds::NONE;
                for (at, item) in items.iter().enumerate() {
                    match item.as_str().and_then(kind) {
                        Some(kind) => kinds = kinds.with(kind),
                        None => errors.push(RuleError::new(format!("categories[{at}]"), unknown())),
                    }
                }
                kinds
            }
            Some(_) => {
                errors.push(RuleError::new("categories", "must be a non-empty array of categories"));
                PiiKinds::NONE
            }
        };
        let mut flag = |name: &str| match parameters.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is_set)) => *is_set,
            Some(_) => {
                errors.push(RuleError::new(name, "must be true or false"));
                false
            }
        };
        let (redacts, tokenizes, is_negated) = (flag("redact"), flag("tokenize"), flag("not"));
        let action = match (redacts, tokenizes) {
            (true, _) => Action::Redact,
            (_, true) => Action::Tokenize,
            _ if denies => Action::Deny,
            _ => Action::Flag,
        };
        if is_negated && action < Action::Flag && action != Action::Deny {
            errors.push(RuleError::new("not", "must be left out where the text is changed"));
        }
        let engine = EngineChoice::read(parameters, &mut errors);
        if let Some(engine) = &engine {
            if is_negated {
                errors.push(RuleError::new("not", "must be left out where an outside 'engine' is asked"));
            }
            if matches!(action, Action::Redact | Action::Tokenize) && engine.on_error == Some(OnError::Allow) {
                let message = "must be left out or 'deny' where the text is changed: what was not checked is not sent";
                errors.push(RuleError::new("on_error", message));
            }
        }
        if errors.is_empty() { Ok(Self { kinds, action, is_negated, engine }) } else { Err(errors) }
    }
}

fn kind(name: &str) -> Option<PiiKind> {
    let portkey = PORTKEY.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind);
    portkey.or_else(|| name.parse().ok())
}

fn unknown() -> String {
    let ours: Vec<&str> = kinds().map(PiiKind::as_str).collect();
    let portkeys: Vec<&str> = PORTKEY.iter().map(|(name, _)| *name).collect();
    format!("must be one of {}, {}", ours.join(", "), portkeys.join(", "))
}

/// Every kind.
pub(super) fn kinds() -> impl Iterator<Item = PiiKind> {
    use PiiKind::{
        Address, Bank, Bhxh, Bhyt, Card, Cccd, Cmnd, Dob, Email, Iban, Ip, License, Name, Passport, Phone, Plate,
        Secret, Ssn, Tax,
    };
    let all = [
        Name, Cmnd, Cccd, Tax, Bhxh, Bhyt, Passport, License, Phone, Plate, Bank, Card, Dob, Address, Email, Iban, Ip,
        Ssn, Secret,
    ];
    all.into_iter()
}
