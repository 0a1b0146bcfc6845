//! The guardrails of one side of a request, put together.

use std::sync::Arc;

use gateway_guard::pii::{PiiKind, PiiKinds};
use gateway_guard::safety::Thresholds;

use super::engines::EngineChoice;
use super::pii_rule::kinds;
use super::safety_rule::SafetyRule;
use super::{Action, Check, Guardrail, Reach, Rule};

/// Which way the texts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To the provider.
    Input,
    /// To the client.
    Output,
}

/// Guardrails that are added to those of every request, so that no config weakens them.
#[derive(Clone, Debug, Default)]
pub struct GuardrailFloor {
    /// Those of requests.
    pub input: Vec<Arc<Guardrail>>,
    /// Those of answers.
    pub output: Vec<Arc<Guardrail>>,
}

/// All guardrails of one side: each of them holds, so that the strictest action wins.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) guardrails: Vec<Arc<Guardrail>>,
    pub(super) pii: PiiActions,
    /// The scores from which on a text may not go on.
    pub(super) unsafe_from: Option<Thresholds>,
    /// Whether texts are scored.
    pub(super) scores: bool,
    /// Whether some checks of answers look at whole texts.
    pub(super) reads_all: bool,
    /// Whether some checks are Portkey's.
    pub(super) judges: bool,
    /// Whether a text may only go out once all of it has been looked at.
    pub(super) holds_all: bool,
    /// What some check of a request reaches beside its usual texts.
    pub(super) reach: Reach,
    /// Whether outside engines are asked.
    pub(super) asks: bool,
}

/// What is done with each kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PiiActions {
    pub deny: PiiKinds,
    pub redact: PiiKinds,
    pub tokenize: PiiKinds,
    /// All that is looked for.
    pub all: PiiKinds,
}

impl Default for PiiActions {
    fn default() -> Self {
        Self { deny: PiiKinds::NONE, redact: PiiKinds::NONE, tokenize: PiiKinds::NONE, all: PiiKinds::NONE }
    }
}

impl PiiActions {
    fn add(&mut self, kind: PiiKind, action: Action) {
        let of_action = match action {
            Action::Deny => Some(&mut self.deny),
            Action::Redact => Some(&mut self.redact),
            Action::Tokenize => Some(&mut self.tokenize),
            Action::Flag => None,
        };
        if let Some(kinds) = of_action {
            *kinds = kinds.with(kind);
        }
        self.all = self.all.with(kind);
    }
}

impl GuardrailFloor {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.output.is_empty()
    }
}

impl Side {
    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

impl Policy {
    /// Puts guardrails together.
    pub fn new(guardrails: impl IntoIterator<Item = Arc<Guardrail>>) -> Self {
        let guardrails: Vec<Arc<Guardrail>> = guardrails.into_iter().collect();
        let mut pii = PiiActions::default();
        let rules = guardrails.iter().flat_map(|guardrail| &guardrail.checks).map(|check| &check.rule);
        for rule in rules.filter(|rule| rule.is_local()) {
            if let Rule::Pii(rule) = rule {
                let action = if rule.is_negated { Action::Flag } else { rule.action };
                kinds().filter(|kind| rule.kinds.has(*kind)).for_each(|kind| pii.add(kind, action));
            }
        }
        let checks =
            || guardrails.iter().flat_map(|guardrail| guardrail.checks.iter().map(move |check| (guardrail, check)));
        let denying = checks().filter(|(guardrail, _)| guardrail.denies());
        let unsafe_from = SafetyRule::lowest(denying.filter_map(|(_, check)| match &check.rule {
            Rule::Safety(rule) if check.rule.is_local() => Some(&**rule),
            _ => None,
        }));
        let asks = checks().any(|(_, check)| check.rule.engine().is_some());
        let scores = checks()
            .any(|(_, check)| check.rule.is_local() && matches!(check.rule, Rule::Safety(_) | Rule::Injection(_)));
        let judges = checks().any(|(_, check)| matches!(check.rule, Rule::Text(_)));
        let reads_all = checks().any(|(guardrail, check)| match check.rule {
            _ if check.rule.engine().is_some() => true,
            Rule::Pii(_) | Rule::Unsupported => false,
            // What it denies it sees on its way.
            Rule::Safety(_) => !guardrail.denies(),
            Rule::Injection(_) | Rule::Text(_) => true,
        });
        // Of these nothing is known before the end.
        let holds_all = checks().any(|(guardrail, check)| {
            if check.rule.engine().is_some() && (guardrail.denies() || check.rule.changes()) {
                return true;
            }
            let is_late = match &check.rule {
                Rule::Pii(rule) => rule.is_negated,
                Rule::Safety(_) => false,
                Rule::Text(rule) => !rule.check.is_transform(),
                Rule::Injection(_) | Rule::Unsupported => true,
            };
            guardrail.denies() && is_late
        });
        let reaches = || checks().map(|(_, check)| Reach::of(check));
        let denies_media = reaches().any(|reach| reach.denies_media);
        let reach = Reach { denies_media, tools: reaches().any(|reach| reach.tools) };
        Self { guardrails, pii, unsafe_from, scores, reads_all, judges, holds_all, asks, reach }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.guardrails.is_empty()
    }

    /// Whether a text may come out other than it went in, or not at all.
    pub fn changes(&self) -> bool {
        let changes = |guardrail: &Arc<Guardrail>| {
            guardrail.denies() || guardrail.checks.iter().any(|check| check.rule.changes())
        };
        self.guardrails.iter().any(changes)
    }

    /// Whether tokens stand for personal data on the way to the provider.
    pub fn tokenizes(&self) -> bool {
        let by_engine = |(_, check): (&Guardrail, &Check)| matches!(&check.rule, Rule::Pii(rule) if rule.engine.is_some() && rule.action == Action::Tokenize);
        self.pii.tokenize != PiiKinds::NONE || self.asks && self.checks().any(by_engine)
    }

    /// How often the texts of an answer are passed, at most, where it waits for outside engines; 1 where it does not.
    pub(crate) fn passes(&self) -> usize {
        let waits = |is_it: fn(&Rule) -> bool| {
            self.outside()
                .any(|(_, guardrail, check, _)| is_it(&check.rule) && (guardrail.denies() || check.rule.changes()))
        };
        let changes = waits(Rule::changes);
        let judges = waits(|rule| !rule.changes());
        1 + usize::from(changes) + usize::from(judges)
    }

    /// The checks that ask outside engines, with their numbers and their guardrails.
    pub(super) fn outside(&self) -> impl Iterator<Item = (usize, &Guardrail, &Check, &EngineChoice)> {
        let all = self.checks().enumerate().filter(|_| self.asks);
        all.filter_map(|(at, (guardrail, check))| Some((at, guardrail, check, check.rule.engine()?)))
    }

    /// Whether two are of the same guardrails.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.guardrails == other.guardrails
    }

    /// The rule of the check with a number.
    pub(super) fn rule(&self, number: usize) -> Option<&Rule> {
        self.checks().nth(number).map(|(_, check)| &check.rule)
    }

    /// The guardrails in their order, each with the number of its first check.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &Guardrail)> {
        self.guardrails.iter().scan(0, |next, guardrail| {
            let first = *next;
            *next += guardrail.checks.len();
            Some((first, &**guardrail))
        })
    }

    /// The checks in their order, with their guardrails.
    pub(super) fn checks(&self) -> impl Iterator<Item = (&Guardrail, &Check)> {
        self.guardrails.iter().flat_map(|guardrail| guardrail.checks.iter().map(move |check| (&**guardrail, check)))
    }
}
