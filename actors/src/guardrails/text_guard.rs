//! One text of an answer on its way: personal data first, then what is unsafe, then the tokens that are put back.

use gateway_guard::checks::{RegexReplaceGuard, Subject};
use gateway_guard::json_strings::ArgumentsGuard;
use gateway_guard::pii::PiiKinds;
use gateway_guard::safety::{SafetyGuard, SafetyVerdict};
use gateway_guard::stream::TextGuard;
use gateway_guard::tokens::{Restorer, ValueForm, Vault};
use gateway_wire::guarding::TextKind;

use super::engines::{EngineText, Judging, Passed};
use super::policy::Policy;
use super::replacer::PolicyReplacer;
use super::rule::TextRule;
use super::tally::Tally;
use super::{Check, Guardrail, Rule, Side};

/// Guards one text.
pub(super) struct AnswerText {
    pii: PiiGuard,
    /// What replaces matches of expressions, with the numbers of their checks.
    replacers: Vec<(usize, RegexReplaceGuard)>,
    safety: Option<SafetyGuard>,
    restorer: Option<Restorer>,
    kind: TextKind,
    /// The text so far, where checks look at all of it.
    read: String,
    /// What waits for the end.
    waiting: String,
}

/// Looks for personal data in a text, or in the strings of a call's arguments.
enum PiiGuard {
    /// Nothing is looked for.
    Nothing,
    Text(Box<TextGuard>),
    Arguments(Box<ArgumentsGuard>),
}

impl PiiGuard {
    fn new(policy: &Policy, kind: TextKind) -> Self {
        match kind {
            _ if policy.pii.all == PiiKinds::NONE => Self::Nothing,
            TextKind::Arguments => Self::Arguments(Box::new(ArgumentsGuard::new(policy.pii.all))),
            _ => Self::Text(Box::new(TextGuard::new(policy.pii.all, ""))),
        }
    }

    /// Takes the next part, or the end where there is none.
    fn take(&mut self, part: Option<&str>, replacer: &mut PolicyReplacer<'_>, out: &mut String) {
        match (self, part) {
            (Self::Nothing, part) => out.push_str(part.unwrap_or_default()),
            (Self::Text(guard), Some(part)) => guard.push(part, replacer, out),
            (Self::Text(guard), None) => guard.finish(replacer, out),
            (Self::Arguments(guard), Some(part)) => guard.push(part, replacer, out),
            (Self::Arguments(guard), None) => guard.finish(replacer, out),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Text(guard) => guard.held(),
            Self::Arguments(guard) => guard.held(),
        }
    }
}

/// The text came to something that may not pass.
pub(super) struct Denied;

/// What a text passes, and what was found in it.
pub(super) struct TextPass<'a> {
    pub policy: &'a Policy,
    pub tally: &'a mut Tally,
    /// The values that tokens of the request stand for.
    pub vault: Option<&'a Vault>,
    /// What outside engines said.
    pub judging: &'a mut Judging,
}

impl AnswerText {
    pub fn new(policy: &Policy, kind: TextKind, vault: Option<&Vault>) -> Self {
        let form = if kind == TextKind::Arguments { ValueForm::Json } else { ValueForm::Text };
        Self {
            pii: PiiGuard::new(policy, kind),
            replacers: replacers(policy),
            safety: policy.unsafe_from.map(SafetyGuard::new),
            restorer: vault.filter(|vault| !vault.is_empty()).map(|_| Restorer::new(form)),
            kind,
            read: String::new(),
            waiting: String::new(),
        }
    }

    /// Takes the next part, or the end where there is none. A text that waits for an outside engine comes out empty.
    pub fn take(&mut self, part: Option<&str>, pass: TextPass<'_>, out: &mut String) -> Result<(), Denied> {
        let TextPass { policy, tally, vault, judging } = pass;
        let mut clean = String::with_capacity(part.map_or(0, str::len));
        let mut replacer = PolicyReplacer::new(&policy.pii, tally, None);
        self.pii.take(part, &mut replacer, &mut clean);
        if replacer.is_denied {
            return Err(Denied);
        }
        let clean = self.replaced(clean, part.is_none());
        if policy.reads_all {
            self.read.push_str(&clean);
        }
        let clean = self.safe(clean, part.is_none(), tally)?;
        if part.is_none() && policy.reads_all {
            tally.read(policy, &self.read);
            if self.kind == TextKind::Content {
                tally.judge(policy, &Subject { text: &self.read, ..Subject::default() });
            }
            self.note_replaced(policy, tally);
        }
        if !policy.holds_all {
            if part.is_none() && policy.asks {
                let looked_at = std::mem::take(&mut self.read);
                self.pass_engines(&looked_at, (policy, tally, judging));
            }
            self.restore(&clean, part.is_none(), vault, out);
            return Ok(());
        }
        self.waiting.push_str(&clean);
        if part.is_some() {
            return Ok(());
        }
        if tally.denies(policy) {
            return Err(Denied);
        }
        let mut free = std::mem::take(&mut self.waiting);
        if policy.asks {
            match self.pass_engines(&free, (policy, &mut *tally, judging)) {
                _ if tally.denies(policy) => return Err(Denied),
                Passed::Waits => return Ok(()),
                Passed::Free(told) => free = told.unwrap_or(free),
            }
        }
        self.restore(&free, true, vault, out);
        Ok(())
    }

    /// Takes the cut of the text: what is known of it is judged, and what waited for that goes out.
    pub fn cut(
        &mut self,
        (policy, tally, vault): (&Policy, &mut Tally, Option<&Vault>),
        out: &mut String,
    ) -> Result<(), Denied> {
        // What an outside engine has not judged is not shown.
        if !policy.holds_all || policy.passes() > 1 {
            return Ok(());
        }
        tally.read(policy, &self.read);
        if self.kind == TextKind::Content {
            tally.judge(policy, &Subject { text: &self.read, ..Subject::default() });
        }
        if tally.denies(policy) {
            return Err(Denied);
        }
        let free = std::mem::take(&mut self.waiting);
        self.restore(&free, true, vault, out);
        Ok(())
    }

    /// Has outside engines look at a whole text.
    fn pass_engines(&self, text: &str, (policy, tally, judging): (&Policy, &mut Tally, &mut Judging)) -> Passed {
        let mut engines = EngineText { policy, side: Side::Output, is_operators: false, tally, vault: None, judging };
        engines.pass(text, self.kind == TextKind::Arguments)
    }

    fn replaced(&mut self, mut text: String, is_end: bool) -> String {
        for (_, replacer) in &mut self.replacers {
            let mut told = String::with_capacity(text.len());
            replacer.push(&text, &mut told);
            if is_end {
                replacer.finish(&mut told);
            }
            text = told;
        }
        text
    }

    /// Takes note of what was replaced in all of the text.
    fn note_replaced(&self, policy: &Policy, tally: &mut Tally) {
        for (number, replacer) in &self.replacers {
            let Some(Rule::Text(TextRule { check, replace: Some(rule) })) = policy.rule(*number) else { continue };
            let mut result = check.run(&Subject::default());
            if replacer.matches() > 0 {
                result.transformed = Some(String::new());
                result.verdict = !rule.fails_on_detection();
                result.data = serde_json::json!({"matchCount": replacer.matches()});
            }
            tally.note(*number, result);
        }
    }

    /// What of a text is known to be safe.
    fn safe(&mut self, text: String, is_end: bool, tally: &mut Tally) -> Result<String, Denied> {
        let Some(safety) = &mut self.safety else { return Ok(text) };
        let mut safe = String::with_capacity(text.len());
        let mut verdict = safety.push(&text, &mut safe);
        if is_end {
            verdict = safety.finish(&mut safe);
        }
        if let SafetyVerdict::Reached { category, score, .. } = verdict {
            tally.scores.raise(category, score);
            return Err(Denied);
        }
        Ok(safe)
    }

    fn restore(&mut self, text: &str, is_end: bool, vault: Option<&Vault>, out: &mut String) {
        let (Some(restorer), Some(vault)) = (&mut self.restorer, vault) else { return out.push_str(text) };
        restorer.push(text, vault, out);
        if is_end {
            restorer.finish(vault, out);
        }
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        let safety = self.safety.as_ref().map_or(0, SafetyGuard::held);
        let replacing: usize = self.replacers.iter().map(|(_, replacer)| replacer.held()).sum();
        self.pii.held() + replacing + safety + self.restorer.as_ref().map_or(0, Restorer::held) + self.waiting.len()
    }
}

fn replacers(policy: &Policy) -> Vec<(usize, RegexReplaceGuard)> {
    let guard = |(at, (_, check)): (usize, (&Guardrail, &Check))| match &check.rule {
        Rule::Text(TextRule { replace: Some(rule), .. }) => Some((at, RegexReplaceGuard::new(rule.clone())?)),
        _ => None,
    };
    policy.checks().enumerate().filter_map(guard).collect()
}
