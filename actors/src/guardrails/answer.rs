//! The texts of an answer.

mod waiting;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use gateway_guard::checks::Subject;
use gateway_guard::tokens::Vault;
use gateway_wire::ErrorBody;
use gateway_wire::guarding::{AnswerGuard, GuardSource, TextKind, TextPlace};
use serde_json::Value;

use super::denial::denial;
use super::engines::{Engines, Judging};
use super::input_result::InputResult;
use super::report::{hook_results, metadata};
use super::text_guard::{AnswerText, Denied, TextPass};
use super::{Policy, ScanLimit, Side, Tally};

/// Makes the guards of the answers to one request, and has what the last of them found.
#[derive(Clone, Default)]
pub struct OutputGuards(Rc<Shared>);

#[derive(Default)]
struct Shared {
    input: Rc<InputResult>,
    /// The values that tokens of the request stand for.
    vault: Option<Rc<Vault>>,
    policy: Policy,
    limit: ScanLimit,
    tally: RefCell<Tally>,
    told: Told,
    /// What outside engines said of the answer.
    judging: RefCell<Judging>,
    /// Whether a stream waits for them.
    is_waiting: Cell<bool>,
}

/// How results are told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The time of the request, as Portkey writes it.
    pub now: String,
    /// Whether a chat stream tells them, which else has only OpenAI's own fields.
    pub in_streams: bool,
}

impl OutputGuards {
    /// Guards for the answers to a request, of whose input this was found.
    pub fn new(
        (policy, limit, engines): (Policy, ScanLimit, Engines),
        input: InputResult,
        vault: Option<Vault>,
        told: Told,
    ) -> Self {
        let (input, vault) = (Rc::new(input), vault.filter(|vault| !vault.is_empty()).map(Rc::new));
        let judging = RefCell::new(Judging::new(engines));
        Self(Rc::new(Shared { input, vault, policy, limit, told, judging, ..Shared::default() }))
    }

    /// Whether the answers have anything to pass.
    pub fn is_needed(&self) -> bool {
        !self.0.policy.is_empty() || self.restores()
    }

    /// Whether tokens in the answers are to be put back.
    pub fn restores(&self) -> bool {
        self.0.vault.is_some()
    }

    /// The same for a target whose answers pass others.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self {
        let Shared { input, vault, limit, told, judging, .. } = &*self.0;
        let (input, vault, limit, told) = (input.clone(), vault.clone(), *limit, told.clone());
        let judging = RefCell::new(Judging::new(judging.borrow().engines.clone()));
        Self(Rc::new(Shared { input, vault, policy, limit, told, judging, ..Shared::default() }))
    }

    /// Whether a guardrail failed that neither denies nor only looks on: of the request alone where the answer streams,
    /// as its status goes out before it is known.
    pub fn is_failed(&self, is_stream: bool) -> bool {
        let Shared { input, policy, tally, .. } = &*self.0;
        input.tally.borrow().is_failed(&input.policy) || !is_stream && tally.borrow().is_failed(policy)
    }

    /// What holds for the answers.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Calls back with what came of each side that has guardrails.
    pub fn each_side(&self, mut tell: impl FnMut(Side, &Policy, &Tally)) {
        let Shared { input, policy, tally, .. } = &*self.0;
        let of_input = input.tally.borrow();
        for (side, policy, tally) in
            [(Side::Input, &input.policy, &*of_input), (Side::Output, policy, &*tally.borrow())]
        {
            if !policy.is_empty() {
                tell(side, policy, tally);
            }
        }
    }

    /// What a client is told where a guardrail denies.
    pub fn denied(&self) -> ErrorBody {
        denial(self.hook_results())
    }

    /// The metadata of an answer, a JSON object, with what came of the guardrails.
    pub fn metadata(&self, mut object: String) -> String {
        let Shared { input, policy, tally, .. } = &*self.0;
        let mut told = metadata(Side::Input, &input.policy, &input.tally.borrow());
        told.extend(metadata(Side::Output, policy, &tally.borrow()));
        if object.pop() == Some('}') {
            object.push_str(&format!(r#","guardrails":{}}}"#, Value::Array(told)));
        }
        object
    }

    /// What came of the guardrails, as Portkey tells it.
    pub fn hook_results(&self) -> Value {
        let Shared { input, policy, tally, told, .. } = &*self.0;
        hook_results((&input.policy, &input.tally.borrow()), (policy, &tally.borrow()), &told.now)
    }

    /// What was found so far in the newest answer.
    pub fn tally(&self) -> Tally {
        self.0.tally.borrow().clone()
    }
}

impl Shared {
    fn changes(&self) -> bool {
        self.vault.is_some() || self.policy.changes()
    }

    /// Whether an engine is still to be asked, or to answer.
    fn has_pending(&self) -> bool {
        self.input.is_pending() || self.judging.borrow().has_pending()
    }
}

impl GuardSource for OutputGuards {
    fn guard(&self) -> Box<dyn AnswerGuard> {
        self.forget();
        Box::new(PolicyGuard { shared: self.0.clone(), texts: HashMap::new(), came: 0, has_answer: false })
    }
}

/// Guards one answer.
struct PolicyGuard {
    shared: Rc<Shared>,
    texts: HashMap<TextPlace, AnswerText>,
    /// Bytes that came so far.
    came: usize,
    /// Whether the answer has a text of its own, or calls a tool, so that it need not have one.
    has_answer: bool,
}

impl PolicyGuard {
    fn take(&mut self, place: TextPlace, part: Option<&str>, out: &mut String) -> Result<(), ErrorBody> {
        let begun = Instant::now();
        let Shared { policy, limit, tally, vault, judging, .. } = &*self.shared;
        let vault = vault.as_deref();
        self.came += part.map_or(0, str::len);
        self.has_answer |= matches!(place.kind, TextKind::Content | TextKind::Arguments | TextKind::Input);
        if self.came > limit.max_bytes {
            return self.take_unseen(place, part, out);
        }
        let mut tally = tally.borrow_mut();
        let length = out.len();
        let text = self.texts.entry(place).or_insert_with(|| AnswerText::new(policy, place.kind, vault));
        let mut judging = judging.borrow_mut();
        let taken = text.take(part, TextPass { policy, tally: &mut tally, vault, judging: &mut judging }, out);
        tally.held = tally.held.max(text.held());
        tally.spent += begun.elapsed();
        drop((tally, judging));
        // What only looks on denies nothing.
        if taken.is_err() && self.changes() {
            // What stood before the match in the same step does not go out either.
            out.truncate(length);
            return Err(self.denied());
        }
        Ok(())
    }

    /// Takes what is beyond the limit: it is denied, or passes behind what was held back before.
    fn take_unseen(&mut self, place: TextPlace, part: Option<&str>, out: &mut String) -> Result<(), ErrorBody> {
        let Shared { policy, limit, tally, vault, judging, .. } = &*self.shared;
        if limit.denies && self.changes() {
            tally.borrow_mut().is_over_limit = true;
            return Err(self.denied());
        }
        if let Some(mut text) = self.texts.remove(&place) {
            let taken = {
                let (mut tally, mut judging) = (tally.borrow_mut(), judging.borrow_mut());
                let vault = vault.as_deref();
                text.take(None, TextPass { policy, tally: &mut tally, vault, judging: &mut judging }, out)
            };
            if taken.is_err() {
                return Err(self.denied());
            }
        }
        tally.borrow_mut().is_over_limit = true;
        out.push_str(part.unwrap_or_default());
        Ok(())
    }

    fn denied(&self) -> ErrorBody {
        // What is denied needs no further verdict.
        let Shared { judging, tally, policy, .. } = &*self.shared;
        judging.borrow_mut().take_pending();
        tally.borrow_mut().skip_engines(policy);
        OutputGuards(self.shared.clone()).denied()
    }
}

impl AnswerGuard for PolicyGuard {
    fn changes(&self) -> bool {
        self.shared.changes()
    }

    fn push(&mut self, place: TextPlace, part: &str, out: &mut String) -> Result<(), ErrorBody> {
        self.take(place, Some(part), out)
    }

    fn finish(&mut self, place: TextPlace, out: &mut String) -> Result<(), ErrorBody> {
        if !self.texts.contains_key(&place) {
            return Ok(());
        }
        let finished = self.take(place, None, out);
        self.texts.remove(&place);
        finished
    }

    fn cut(&mut self, place: TextPlace, out: &mut String) -> Result<(), ErrorBody> {
        let Shared { policy, tally, vault, .. } = &*self.shared;
        let Some(mut text) = self.texts.remove(&place) else { return Ok(()) };
        let cut = text.cut((policy, &mut tally.borrow_mut(), vault.as_deref()), out);
        cut.map_err(|Denied| self.denied())
    }

    fn results(&self) -> Option<String> {
        // What nobody knows yet is told with the usage.
        let is_told = self.shared.told.in_streams && !self.shared.has_pending();
        is_told.then(|| OutputGuards(self.shared.clone()).hook_results().to_string())
    }

    fn end(&mut self) -> Result<(), ErrorBody> {
        let Shared { policy, tally, .. } = &*self.shared;
        if policy.reads_all && !std::mem::replace(&mut self.has_answer, true) {
            tally.borrow_mut().judge(policy, &Subject::default());
        }
        // What was not looked at has passed by the operator's word.
        let is_denied = self.changes() && !tally.borrow().is_over_limit && tally.borrow().denies(policy);
        if is_denied { Err(self.denied()) } else { Ok(()) }
    }
}
