//! Guardrails that fail without a denial, before a fallback that waits for their status.

use std::time::Duration;

use gateway_wire::ErrorBody;

use super::{AttemptAnswer, Call, Success};
use crate::failure::{Failure, FailureKind};
use crate::guardrails::DENIED;
use crate::request::router::ReplyHead;

/// The status of an answer whose guardrails failed without a denial, which is Portkey's.
const FAILED: u16 = 246;

impl Call {
    /// The failure of a request that fails a guardrail without a denial, where the fallback leads on from it.
    ///
    /// # Errors
    /// That failure: the target need not be asked.
    pub(super) fn check_request(&self, at: usize) -> Result<(), Failure> {
        let has_failed = self.guards.as_ref().is_some_and(|guards| guards.output.is_failed(true));
        self.way_on(at).filter(|_| has_failed).map_or(Ok(()), Err)
    }

    /// The same for an answer, which is booked.
    ///
    /// # Errors
    /// The failure, where the fallback leads on from it.
    pub(super) async fn check_answer(
        &mut self,
        at: usize,
        success: Success,
        head: &mut ReplyHead,
    ) -> Result<Success, Failure> {
        let is_whole = matches!(success.answered, AttemptAnswer::Whole(_));
        if is_whole && self.way_on(at).is_some() {
            self.settle_guards().await;
        }
        let failure = match self.way_on(at) {
            Some(failure) if is_whole && self.has_failed_guardrail() => failure,
            _ => return Ok(success),
        };
        let Success { answered, permit, mut metering } = success;
        permit.succeeded();
        if let AttemptAnswer::Whole(answer) = &answered {
            head.cost = self.settle_whole(answer, &mut metering).await;
        }
        Err(failure)
    }

    /// The failure by which the fallback leads on, where there is one that waits for it, and time for it.
    fn way_on(&self, at: usize) -> Option<Failure> {
        self.guards.as_ref()?;
        let attempts_left = self.request.record.line.attempts < self.routing.max_total_attempts;
        if !attempts_left || !self.leaves_time_for(Duration::ZERO) {
            return None;
        }
        let error = ErrorBody::new(DENIED, DENIED, "A guardrail failed.");
        let failure = Failure { kind: FailureKind::Status(FAILED), error, retry_after: None };
        self.chain.after_retries(at, &failure).is_some().then_some(failure)
    }
}
