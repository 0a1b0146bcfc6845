//! A flat chain of targets, and the one table of what follows a failure.

use std::sync::Arc;
use std::time::Duration;

use super::{ErrorRule, Target};
use crate::failure::Failure;

/// The targets of one request, in order.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The targets.
    pub steps: Vec<Step>,
}

/// A target, and where its failures lead.
#[derive(Clone, Debug)]
pub struct Step {
    /// The target.
    pub target: Arc<Target>,
    /// The ways on, those of the innermost fallback first.
    pub exits: Vec<Exit>,
}

/// A way from one target to a later one.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Which failures lead on.
    pub rule: ErrorRule,
    /// The place of the next target in the chain.
    pub next: usize,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// The same target, after a wait.
    Retry {
        /// The wait.
        after: Duration,
    },
    /// Another target, at once.
    Fallback {
        /// Its place in the chain.
        to: usize,
    },
    /// Nothing: the failure is the answer.
    GiveUp,
}

impl Chain {
    /// What follows a failure of the target at `at`, after `retries_done` retries of it and waits of `waited` in all;
    /// `random` is uniform in 0..1.
    pub fn next_step(
        &self,
        at: usize,
        retries_done: u32,
        waited: Duration,
        failure: &Failure,
        random: f64,
    ) -> NextStep {
        if let Some(step) = self.steps.get(at)
            && failure.kind.row().was_sent
            && let Some(after) = step.target.retry.wait(retries_done, waited, failure, random)
        {
            return NextStep::Retry { after };
        }
        match self.after_retries(at, failure) {
            Some(to) => NextStep::Fallback { to },
            None => NextStep::GiveUp,
        }
    }

    /// The target that follows a failure which is not tried again.
    pub fn after_retries(&self, at: usize, failure: &Failure) -> Option<usize> {
        let leads_on = |exit: &&Exit| !failure.kind.row().was_sent || exit.rule.matches(failure.kind);
        self.steps.get(at)?.exits.iter().find(leads_on).map(|exit| exit.next)
    }
}
