//! What the guardrails of one side found: kinds and numbers, never a value.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_guard::checks::{CheckResult, Subject};
use gateway_guard::injection;
use gateway_guard::pii::PiiKind;
use gateway_guard::safety::{self, Scores};
use serde_json::Value;

use super::engines::Outcome;
use super::pii_rule::{PiiRule, kinds};
use super::policy::Policy;
use super::rule::TextRule;
use super::{Action, Check, Guardrail, Rule};

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) pii: [u32; KINDS],
    pub(super) scores: Scores,
    pub(super) injection: f64,
    /// What Portkey's checks found, by the number of the check.
    texts: BTreeMap<usize, TextResult>,
    /// What cannot be looked at and is denied, such as pictures.
    pub(super) media: u32,
    /// What outside engines said, by the number of the check.
    outside: BTreeMap<usize, Heard>,
    /// Whether there was more than is looked at.
    pub(super) is_over_limit: bool,
    /// The time that it took.
    pub spent: Duration,
    /// The most bytes that were held back at one time.
    pub held: usize,
}

/// Why a check could not judge.
const TOO_LONG: &str = "There is more text than guardrails.max_scan_bytes.";

/// Why a check without a verdict could not judge.
pub(super) const NO_VERDICT: &str = "The engine gave no verdict.";

/// Why an engine was not asked.
const NOT_ASKED: &str = "The engine was not asked: the text was denied, or ended, before.";

/// How many kinds of personal data there are.
const KINDS: usize = 19;

/// What an outside engine said to one check.
#[derive(Clone, Debug, Default)]
struct Heard {
    pii: [u32; KINDS],
    scores: Scores,
    is_unsafe: f64,
    /// Why it said nothing of a text, where there is one.
    gap: Option<&'static str>,
    /// Whether that fails the check.
    gap_fails: bool,
}

/// What one of Portkey's checks found.
#[derive(Clone, Debug)]
struct TextResult {
    verdict: bool,
    is_transformed: bool,
    data: Value,
    error: Option<&'static str>,
}

/// What came of one check.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Finding {
    /// Whether the text is as the check wants it, or was made so.
    pub verdict: bool,
    /// Whether it was changed.
    pub is_transformed: bool,
    /// What was found, and how often.
    pub counts: Vec<(&'static str, u32)>,
    /// What one of Portkey's checks tells.
    pub data: Option<Value>,
    /// Why the check could not judge.
    pub error: Option<&'static str>,
    /// Whether the request is denied for what the check cannot look at.
    pub has_media: bool,
}

impl Tally {
    /// Of what was too long to be looked at.
    pub(super) fn over_limit() -> Self {
        Self { is_over_limit: true, ..Self::default() }
    }

    /// Takes note of personal data.
    pub(super) fn saw(&mut self, kind: PiiKind) {
        if let Some(count) = self.pii.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Takes note of what an outside engine said of a text to a check; `fails` tells what a check without a verdict comes to.
    pub(super) fn hear(&mut self, at: usize, rule: &Rule, outcome: &Outcome, fails: bool) {
        let Ok(verdict) = outcome else { return self.miss(at, rule, fails) };
        let heard = self.outside.entry(at).or_default();
        heard.scores.merge(&verdict.scores);
        heard.is_unsafe = heard.is_unsafe.max(verdict.is_unsafe);
        if let Rule::Pii(rule) = rule {
            for (kind, _) in verdict.findings.iter().filter(|(kind, _)| rule.kinds.has(*kind)) {
                if let Some(count) = heard.pii.get_mut(*kind as usize) {
                    *count += 1;
                }
            }
        }
    }

    /// Takes note that a text has no verdict of an outside engine.
    pub(super) fn miss(&mut self, at: usize, rule: &Rule, fails: bool) {
        let heard = self.outside.entry(at).or_default();
        heard.gap = Some(NO_VERDICT);
        // What could not be looked at cannot be changed either.
        heard.gap_fails |= fails || rule.changes();
    }

    /// Takes note that engines which have said nothing so far are not asked.
    pub(super) fn skip_engines(&mut self, policy: &Policy) {
        for (at, ..) in policy.outside() {
            self.outside.entry(at).or_insert_with(|| Heard { gap: Some(NOT_ASKED), ..Heard::default() });
        }
    }

    /// The scores of all engines together.
    pub(super) fn all_scores(&self) -> Scores {
        let mut all = self.scores;
        self.outside.values().for_each(|heard| all.merge(&heard.scores));
        all
    }

    /// Looks at a whole text, from which personal data has been taken.
    pub(super) fn read(&mut self, policy: &Policy, text: &str) {
        self.read_request(policy, text, false);
    }

    /// The same for a text of a request: what the operator says is no attack.
    pub(super) fn read_request(&mut self, policy: &Policy, text: &str, is_operators: bool) {
        let has =
            |is_it: fn(&Rule) -> bool| policy.checks().any(|(_, check)| check.rule.is_local() && is_it(&check.rule));
        if has(|rule| matches!(rule, Rule::Safety(_))) {
            self.scores.merge(&safety::scores(text));
        }
        if !is_operators && has(|rule| matches!(rule, Rule::Injection(_))) {
            self.injection = self.injection.max(injection::score(text));
        }
    }

    /// Runs those of Portkey's checks that judge.
    pub(super) fn judge(&mut self, policy: &Policy, subject: &Subject<'_>) {
        for (at, (_, check)) in policy.checks().enumerate() {
            if let Rule::Text(rule) = &check.rule
                && !rule.check.is_transform()
            {
                self.note(at, rule.check.run(subject));
            }
        }
    }

    /// Replaces in a text what checks want to be replaced; gives whether anything was.
    pub(super) fn replace(&mut self, policy: &Policy, text: &mut String) -> bool {
        let mut is_changed = false;
        for (at, (_, check)) in policy.checks().enumerate() {
            if let Rule::Text(TextRule { check, replace: Some(_) }) = &check.rule {
                let result = check.run(&Subject { text, ..Subject::default() });
                if let Some(told) = result.transformed.clone() {
                    *text = told;
                    is_changed = true;
                }
                self.note(at, result);
            }
        }
        is_changed
    }

    /// Takes note of what a check found; of several texts the worst counts.
    pub(super) fn note(&mut self, at: usize, result: CheckResult) {
        let known = self.texts.get(&at);
        let is_transformed = result.transformed.is_some() || known.is_some_and(|known| known.is_transformed);
        if known.is_some_and(|known| !known.verdict) {
            return;
        }
        let CheckResult { verdict, data, error, .. } = result;
        self.texts.insert(at, TextResult { verdict, is_transformed, data, error });
    }

    /// What came of the check with a number.
    pub(super) fn finding(&self, at: usize, check: &Check) -> Finding {
        let mut finding = Finding { verdict: true, ..Finding::default() };
        if self.is_over_limit {
            return Finding { verdict: false, error: Some(TOO_LONG), ..finding };
        }
        let (is_local, none) = (check.rule.is_local(), Heard::default());
        let heard = self.outside.get(&at).unwrap_or(&none);
        match &check.rule {
            Rule::Pii(rule) => {
                let counts = counts(rule, if is_local { &self.pii } else { &none.pii }, &heard.pii);
                let changes = matches!(rule.action, Action::Redact | Action::Tokenize);
                finding.is_transformed = changes && !counts.is_empty();
                finding.verdict = if rule.is_negated { !counts.is_empty() } else { changes || counts.is_empty() };
                finding.counts = counts;
            }
            Rule::Safety(rule) => {
                let mut scores = if is_local { self.scores } else { Scores::default() };
                scores.merge(&heard.scores);
                let reached = rule.thresholds.reached(&scores);
                finding.verdict = reached.is_none();
                finding.counts = reached.map(|(category, _)| (category.as_str(), 1)).into_iter().collect();
            }
            Rule::Injection(rule) => {
                let own = if is_local { self.injection } else { 0.0 };
                finding.verdict = own.max(heard.is_unsafe) < rule.threshold;
            }
            Rule::Text(_) => {
                if let Some(result) = self.texts.get(&at) {
                    let is_excused = result.error.is_some() && !check.fail_on_error;
                    finding.verdict = result.verdict || is_excused;
                    finding.is_transformed = result.is_transformed;
                    finding.data = Some(result.data.clone());
                    finding.error = result.error;
                }
            }
            Rule::Unsupported => {}
        }
        if finding.verdict && heard.gap.is_some() {
            (finding.error, finding.verdict) = (heard.gap, !heard.gap_fails);
        }
        if self.media > 0 {
            finding.counts.push(("MEDIA", self.media));
            (finding.verdict, finding.has_media) = (false, true);
        }
        finding
    }

    /// Whether all checks of a guardrail hold.
    pub(super) fn holds(&self, first: usize, guardrail: &Guardrail) -> bool {
        guardrail.checks.iter().enumerate().all(|(at, check)| self.finding(first + at, check).verdict)
    }

    /// Whether the request or the answer is refused.
    pub fn denies(&self, policy: &Policy) -> bool {
        // What could not be looked at cannot be redacted: it is not sent, whatever the guardrail does otherwise.
        let is_raw = |(at, (_, check)): (usize, (&Guardrail, &Check))| {
            check.rule.changes() && self.outside.get(&at).is_some_and(|heard| heard.gap.is_some())
        };
        policy.checks().enumerate().any(is_raw)
            || policy.numbered().any(|(first, guardrail)| guardrail.denies() && !self.holds(first, guardrail))
    }

    /// Whether a guardrail failed that neither denies nor only looks on (Portkey's 246).
    pub fn is_failed(&self, policy: &Policy) -> bool {
        policy.numbered().any(|(first, guardrail)| {
            !self.is_over_limit && !guardrail.deny && !guardrail.in_background && !self.holds(first, guardrail)
        })
    }
}

/// The kinds that a check looks for and that were found, with how often the built-in detectors and an engine found them.
fn counts(rule: &PiiRule, own: &[u32; KINDS], heard: &[u32; KINDS]) -> Vec<(&'static str, u32)> {
    let of = |counts: &[u32; KINDS], kind: PiiKind| counts.get(kind as usize).copied().unwrap_or(0);
    let count = |kind: PiiKind| of(own, kind) + of(heard, kind);
    let found = kinds().filter(|kind| rule.kinds.has(*kind) && count(*kind) > 0);
    found.map(|kind| (kind.as_str(), count(kind))).collect()
}
