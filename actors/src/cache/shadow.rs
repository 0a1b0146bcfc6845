//! The shadow check: some of the answers that the cache would give are asked for anew, and the two are compared. So an
//! operator sees how often the cache is right on the traffic that it has, and a namespace where it is wrong too often
//! shares answers of nearer questions alone.

mod answer_text;
mod judge;
mod thresholds;
mod window;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use answer_text::AnswerText;
use thresholds::Verdicts;
pub use thresholds::{NamespaceReport, Place, ThresholdRaise};
pub use window::Precision;

use super::invalidation::Invalidation;
use super::lookup::CacheHit;

/// What the check is configured with.
#[derive(Clone, Copy, Debug)]
pub struct ShadowRules {
    /// The part of the answers that is checked, from 0 to 1.
    pub share: f64,
    /// The cosine from which two answers agree.
    pub agreement: f32,
    /// The part of a namespace's answers that must be right, from 0 to 1.
    pub target: f64,
}

/// What comparing two answers came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They say the same.
    Agrees,
    /// They do not.
    Differs,
    /// Nobody can tell: one has no vector.
    Uncomparable,
}

impl Verdict {
    /// The metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::Uncomparable => "uncomparable",
        }
    }
}

/// An answer that would have been given, had it not been chosen to be checked.
#[derive(Debug)]
pub struct ShadowCandidate {
    /// The answer.
    pub found: CacheHit,
    /// The threshold that its question has passed.
    pub threshold: f32,
}

/// The verdicts of this process, and what follows from them.
#[derive(Debug)]
pub struct Shadow {
    rules: ShadowRules,
    verdicts: Mutex<Verdicts>,
}

/// What the check has found, for an operator.
#[derive(Debug, Serialize)]
pub struct ShadowReport {
    /// Over the last verdicts of all namespaces.
    #[serde(flatten)]
    pub precision: Precision,
    /// Those that have verdicts, or a threshold that was raised.
    pub namespaces: Vec<NamespaceReport>,
}

impl Shadow {
    /// A check without verdicts.
    pub fn new(rules: ShadowRules) -> Self {
        Self { rules, verdicts: Mutex::new(Verdicts::new(rules.target)) }
    }

    /// Whether an answer is to be checked; `dice` is a random number from 0 to below 1.
    pub fn takes(&self, dice: f64) -> bool {
        dice < self.rules.share
    }

    /// How similar questions of a place must be, where `own` would do; none where answers were wrong so often that none is
    /// shared there.
    pub fn threshold(&self, place: &Place, own: f32) -> Option<f32> {
        let raised = self.verdicts().raised(place).unwrap_or(0.0);
        (raised < thresholds::NONE_SHARED).then_some(own.max(raised))
    }

    /// Forgets the verdicts of what is forgotten, and with them the thresholds that they raised.
    pub fn reset(&self, invalidation: &Invalidation) {
        self.verdicts().reset(invalidation);
    }

    /// The precision of the last verdicts of all namespaces.
    pub fn precision(&self) -> Precision {
        self.verdicts().precision()
    }

    /// What was found so far; `threshold` is that of questions where none was raised.
    pub fn report(&self, threshold: f32) -> ShadowReport {
        let verdicts = self.verdicts();
        ShadowReport { precision: verdicts.precision(), namespaces: verdicts.report(threshold) }
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
