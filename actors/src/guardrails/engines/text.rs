//! One text as outside engines see it: personal data first, then what is unsafe.

use gateway_guard::judge::llama_guard::Author;
use gateway_guard::stream::Replacer;
use gateway_guard::tokens::Vault;
use serde_json::Value;

use super::choice::EngineChoice;
use super::judging::Judging;
use super::running::Engines;
use super::settings::OnError;
use super::spans::{Span, merged};
use crate::guardrails::{Action, Check, Guardrail, Policy, Rule, Side, Tally};

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It may go on, as another text where there is one.
    Free(Option<String>),
    /// Nobody knows before an engine has answered.
    Waits,
}

/// Looks at texts with the verdicts that are there, and notes which are not.
pub struct EngineText<'a> {
    /// What holds for the text.
    pub policy: &'a Policy,
    /// Which way it goes.
    pub side: Side,
    /// Whether it is the operator's own, which is no attack.
    pub is_operators: bool,
    /// What was found.
    pub tally: &'a mut Tally,
    /// What keeps the values that tokens stand for.
    pub vault: Option<&'a mut Vault>,
    /// The verdicts.
    pub judging: &'a mut Judging,
}

impl EngineText<'_> {
    /// Looks at a text; at those in it, where it is the JSON of a call's arguments.
    pub fn pass(&mut self, text: &str, is_arguments: bool) -> Passed {
        if text.trim().is_empty() {
            return Passed::Free(None);
        }
        let personal = if is_arguments { self.arguments(text) } else { self.personal(text) };
        let Passed::Free(told) = personal else { return Passed::Waits };
        self.unsafe_content(told.as_deref().unwrap_or(text));
        if self.judging.waits() { Passed::Waits } else { Passed::Free(told) }
    }

    /// Looks for personal data in the texts of arguments.
    fn arguments(&mut self, text: &str) -> Passed {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return self.personal(text) };
        let (mut waits, mut is_changed) = (false, false);
        self.texts_in(&mut value, &mut waits, &mut is_changed);
        match (waits, is_changed) {
            (true, _) => Passed::Waits,
            (false, true) => Passed::Free(Some(value.to_string())),
            (false, false) => Passed::Free(None),
        }
    }

    fn texts_in(&mut self, value: &mut Value, waits: &mut bool, is_changed: &mut bool) {
        match value {
            Value::String(text) if !text.trim().is_empty() => match self.personal(text) {
                Passed::Waits => *waits = true,
                Passed::Free(told) => {
                    if let Some(told) = told {
                        (*text, *is_changed) = (told, true);
                    }
                }
            },
            Value::Array(items) => items.iter_mut().for_each(|item| self.texts_in(item, waits, is_changed)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.texts_in(value, waits, is_changed)),
            _ => {}
        }
    }

    fn personal(&mut self, text: &str) -> Passed {
        let (policy, mut spans, mut waits) = (self.policy, Vec::new(), false);
        for (at, guardrail, check, choice) in policy.outside() {
            let Rule::Pii(rule) = &check.rule else { continue };
            let holds = holds(self.side, guardrail, check);
            let Some(outcome) = self.judging.look_up((at, choice), (Author::User, text), holds) else {
                // What only denies changes nothing that others look at.
                waits |= check.rule.changes();
                continue;
            };
            self.tally.hear(at, &check.rule, &outcome, self.fails(guardrail, choice));
            let found = outcome.as_ref().map(|verdict| verdict.findings.as_slice()).unwrap_or_default();
            let wanted =
                found.iter().filter(|(kind, range)| rule.kinds.has(*kind) && text.get(range.clone()).is_some());
            spans.extend(wanted.map(|(kind, range)| Span { range: range.clone(), kind: *kind, action: rule.action }));
        }
        if waits {
            return Passed::Waits;
        }
        spans.retain(|span| span.action != Action::Flag);
        Passed::Free(self.replaced(text, spans))
    }

    fn replaced(&mut self, text: &str, spans: Vec<Span>) -> Option<String> {
        let spans = merged(text, spans);
        if spans.is_empty() {
            return None;
        }
        let (mut out, mut from) = (String::with_capacity(text.len()), 0);
        for Span { range, kind, action } in spans {
            out.push_str(text.get(from..range.start)?);
            let value = text.get(range.clone())?;
            match (action, &mut self.vault) {
                (Action::Tokenize, Some(vault)) => vault.replace(kind, value, &mut out),
                _ => out.extend(["[", kind.as_str(), "_REDACTED]"]),
            }
            from = range.end;
        }
        out.push_str(text.get(from..)?);
        Some(out)
    }

    /// Looks at a text without personal data.
    fn unsafe_content(&mut self, text: &str) {
        let author = if self.side == Side::Input { Author::User } else { Author::Assistant };
        let policy = self.policy;
        for (at, guardrail, check, choice) in policy.outside() {
            if matches!(check.rule, Rule::Pii(_)) || self.is_operators && matches!(check.rule, Rule::Injection(_)) {
                continue;
            }
            let holds = holds(self.side, guardrail, check);
            if let Some(outcome) = self.judging.look_up((at, choice), (author, text), holds) {
                self.tally.hear(at, &check.rule, &outcome, self.fails(guardrail, choice));
            }
        }
    }

    fn fails(&self, guardrail: &Guardrail, choice: &EngineChoice) -> bool {
        fails_on_error(&self.judging.engines, guardrail, choice)
    }
}

/// Whether a check without a verdict fails.
pub fn fails_on_error(engines: &Engines, guardrail: &Guardrail, choice: &EngineChoice) -> bool {
    match choice.on_error.or_else(|| engines.on_error(&choice.engine)) {
        Some(on_error) => on_error == OnError::Deny,
        None => guardrail.denies(),
    }
}

/// Whether a text waits for the verdict of a check. Of a request all wait whose result decides on anything; of an answer,
/// which may stream, those that stop or change it.
fn holds(side: Side, guardrail: &Guardrail, check: &Check) -> bool {
    check.rule.changes()
        || match side {
            Side::Input => !guardrail.in_background,
            Side::Output => guardrail.denies(),
        }
}
