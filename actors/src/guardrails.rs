//! Guardrails: what a config wants to be done with the texts of a request and of its answer, and the doing of it.

mod action;
mod answer;
mod body;
mod denial;
mod engines;
mod input_result;
mod media;
mod pii_rule;
mod policy;
mod pool;
mod prefix;
mod reach;
mod replacer;
mod report;
mod request_guard;
mod rule;
mod safety_rule;
mod sealed_summary;
mod split_values;
mod stored_answer;
mod tally;
mod text_check;
mod text_guard;
mod walk;

use serde_json::{Map, Value, json};

pub use action::Action;
pub use answer::{OutputGuards, Told};
pub use body::{RequestFacts, RequestTexts};
pub use denial::DENIED;
pub use engines::{
    EngineApi, EngineRoute, EngineSettings, EngineType, Engines, MAX_TIMEOUT_MS, OnError, is_engine_name,
};
pub use gateway_guard::pii::PiiKind;
pub use input_result::InputResult;
pub use policy::{GuardrailFloor, Policy, Side};
pub use pool::{GuardPool, GuardPoolSettings};
pub use reach::Reach;
pub use report::outcomes;
pub use request_guard::{GuardedRequest, RequestGuard};
pub use rule::{Rule, RuleError};
pub use sealed_summary::GuardedSealer;
pub use stored_answer::guard_stored;
pub use tally::Tally;
pub use text_check::check_text;

/// What holds for the guardrails of all requests.
#[derive(Clone, Default)]
pub struct GuardrailRules {
    /// The guardrails that are added to those of every request.
    pub floor: GuardrailFloor,
    /// How much is looked at.
    pub limit: ScanLimit,
    /// Whether a request that guardrails look at may have nothing that they cannot look at.
    pub denies_media: bool,
    /// What looks at long texts.
    pub pool: GuardPool,
    /// The outside engines.
    pub engines: Engines,
}

/// How much of a request or an answer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimit {
    /// Bytes of a request's body, or of an answer's texts.
    pub max_bytes: usize,
    /// Whether more is denied; else it passes without being looked at.
    pub denies: bool,
}

impl Default for ScanLimit {
    fn default() -> Self {
        Self { max_bytes: 4 << 20, denies: true }
    }
}

/// What a config wants done with a request or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// Its id; one without checks is stored at the gateway under this id.
    pub id: Option<String>,
    /// The checks, all of which must hold.
    pub checks: Vec<Check>,
    /// Whether a failed check refuses the request or the answer (446); else it is only told (246).
    pub deny: bool,
    /// Whether its verdict is told and changes nothing else, not even the status (`async`).
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
#[derive(Clone, Debug)]
pub struct Check {
    /// Which check, with its family: `default.regexMatch`, `portkey.pii`.
    pub id: String,
    /// Its parameters.
    pub parameters: Map<String, Value>,
    /// Whether an error of the check itself fails the guardrail.
    pub fail_on_error: bool,
    /// What it does.
    pub rule: Rule,
}

impl PartialEq for Check {
    /// The rule follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.parameters, self.fail_on_error) == (&other.id, &other.parameters, other.fail_on_error)
    }
}

impl Guardrail {
    /// Whether a failure ends the request or the answer.
    pub fn denies(&self) -> bool {
        self.deny && !self.in_background
    }

    /// The guardrail in the form of Portkey's hooks.
    pub fn to_json(&self) -> Value {
        let check = |check: &Check| json!({"id": check.id, "parameters": check.parameters, "fail_on_error": check.fail_on_error});
        let kind = if self.mutates { "mutator" } else { "guardrail" };
        json!({"type": kind, "id": self.id, "async": self.in_background, "sequential": self.sequential,
            "deny": self.deny, "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "on_fail": self.on_fail, "on_success": self.on_success})
    }
}
