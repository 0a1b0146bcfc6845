//! What came of the guardrails of a request, some of which look at it while its provider works.

use std::cell::RefCell;

use actix_rt::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::engines::{EngineFailure, Engines, Outcome, Pending, fails_on_error};
use super::{Policy, Tally};

/// What came of the guardrails of one request.
#[derive(Default)]
pub struct InputResult {
    pub(super) policy: Policy,
    pub(super) tally: RefCell<Tally>,
    engines: Engines,
    /// The engines that are asked beside the request.
    beside: RefCell<Option<Beside>>,
}

/// Questions, and their answers in the same order.
type Beside = (Vec<Pending>, JoinHandle<Vec<Outcome>>);

impl InputResult {
    /// What was found so far; what is pending is asked from now on.
    pub(crate) fn new(policy: Policy, tally: Tally, engines: Engines, pending: Vec<Pending>) -> Self {
        let beside = (!pending.is_empty()).then(|| {
            let (engines, asked) = (engines.clone(), pending.clone());
            (pending, actix::spawn(async move { engines.ask_each(&asked).await }))
        });
        Self { policy, tally: RefCell::new(tally), engines, beside: RefCell::new(beside) }
    }

    /// Whether engines have still to answer.
    pub(super) fn is_pending(&self) -> bool {
        self.beside.borrow().is_some()
    }

    /// Waits for the engines, until the limit at most, and takes note of what they say.
    pub(super) async fn settle(&self, limit: Option<Instant>) {
        let beside = self.beside.borrow_mut().take();
        let Some((pending, asked)) = beside else { return };
        let outcomes = match until(limit, asked).await {
            Some(Ok(outcomes)) => outcomes,
            Some(Err(_)) => return log::error!("asking the engines of guardrails ended early"),
            None => late(&pending),
        };
        hear_all(&self.policy, &self.engines, &mut self.tally.borrow_mut(), pending.iter().zip(outcomes));
    }
}

/// What comes before the limit; none where it is late.
pub(super) async fn until<T>(limit: Option<Instant>, coming: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout_at(limit, coming).await.ok(),
        None => Some(coming.await),
    }
}

/// What came of questions whose answers are late.
pub(super) fn late(pending: &[Pending]) -> Vec<Outcome> {
    pending.iter().map(|_| Err(EngineFailure::Timeout)).collect()
}

/// Takes note of answers that nothing has waited for.
pub(super) fn hear_all<'a>(
    policy: &Policy,
    engines: &Engines,
    tally: &mut Tally,
    answers: impl Iterator<Item = (&'a Pending, Outcome)>,
) {
    for (pending, outcome) in answers {
        if let Some((guardrail, check)) = policy.checks().nth(pending.check)
            && let Some(choice) = check.rule.engine()
        {
            tally.hear(pending.check, &check.rule, &outcome, fails_on_error(engines, guardrail, choice));
        }
    }
}
