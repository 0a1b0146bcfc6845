//! Answers that wait for outside engines, or whose engines have yet to answer.

use tokio::time::Instant;

use super::super::Tally;
use super::super::input_result::{hear_all, late, until};
use super::OutputGuards;

impl OutputGuards {
    /// Whether what was guarded last lacks verdicts without which it may not go out. Ask for them, and guard it again.
    pub fn lacks_verdicts(&self) -> bool {
        self.0.judging.borrow().waits()
    }

    /// How often a stream is passed, at most; 1 where none waits for engines.
    pub fn passes(&self) -> usize {
        self.0.policy.passes()
    }

    /// Whether a stream waits for [`OutputGuards::ask`].
    pub fn is_waiting(&self) -> bool {
        self.0.is_waiting.get()
    }

    /// Tells that a stream waits, or does no longer.
    pub(crate) fn set_waiting(&self, is_waiting: bool) {
        self.0.is_waiting.set(is_waiting);
    }

    /// Asks the engines for all that the guards lack, which then begin anew.
    pub async fn ask(&self) {
        let (pending, engines) = {
            let mut judging = self.0.judging.borrow_mut();
            (judging.take_pending(), judging.engines.clone())
        };
        let outcomes = engines.ask(&pending).await;
        self.0.judging.borrow_mut().learn(outcomes);
        self.forget();
    }

    /// Waits for the verdicts that nothing has waited for, until the limit at most, and takes note of them.
    pub async fn settle(&self, limit: Option<Instant>) {
        self.0.input.settle(limit).await;
        let (pending, engines) = {
            let mut judging = self.0.judging.borrow_mut();
            (judging.take_pending(), judging.engines.clone())
        };
        if pending.is_empty() {
            return;
        }
        let outcomes = until(limit, engines.ask_each(&pending)).await;
        let outcomes = outcomes.unwrap_or_else(|| late(&pending));
        hear_all(&self.0.policy, &engines, &mut self.0.tally.borrow_mut(), pending.iter().zip(outcomes));
    }

    /// Whether [`OutputGuards::settle`] has anything to wait for.
    pub fn has_pending(&self) -> bool {
        self.0.has_pending()
    }

    /// Whether a question on the answer is open.
    pub(crate) fn has_pending_answer(&self) -> bool {
        self.0.judging.borrow().has_pending()
    }

    /// Gives up the verdicts on a stream that ends early: what was held for them does not go out.
    pub(crate) fn give_up_verdicts(&self) {
        self.0.judging.borrow_mut().take_pending();
        self.0.tally.borrow_mut().skip_engines(&self.0.policy);
    }

    /// Refuses an answer that is too long to be held until it is judged.
    pub(crate) fn refuse_unjudged(&self) -> gateway_wire::ErrorBody {
        self.0.tally.borrow_mut().is_over_limit = true;
        self.denied()
    }

    /// Forgets what was found in the newest answer.
    pub(super) fn forget(&self) {
        *self.0.tally.borrow_mut() = Tally::default();
        self.0.judging.borrow_mut().take_pending();
    }
}
