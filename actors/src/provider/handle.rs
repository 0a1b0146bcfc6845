//! What requests use of a provider: atomics only, but for failures, which the provider's actor hears of.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::retry_budget::RetryBudget;
use super::{Failed, ProbeFailed, ProbeSucceeded, ProviderActor, ReportProvider};
use crate::actor_stats::{ActorReport, AskError, Mailbox};
use crate::breaker::{Admitted, BreakerState, Gate};
use crate::failure::FailureKind;
use crate::in_flight::{InFlight, InFlightPermit};
use crate::settings::ProviderSettings;

/// One provider as requests of all threads see it; a clone is the same provider.
#[derive(Clone)]
pub struct ProviderHandle {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    settings: Arc<ProviderSettings>,
    gate: Arc<Gate>,
    in_flight: InFlight,
    retries: RetryBudget,
    mailbox: Mailbox<ProviderActor>,
}

/// Why nothing was sent to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its circuit breaker is open.
    CircuitOpen {
        /// Until a request may try again.
        retry_after: Duration,
    },
    /// Its `max_in_flight` is reached.
    Saturated,
}

impl ProviderHandle {
    pub(super) fn new(
        name: Arc<str>,
        settings: ProviderSettings,
        gate: Arc<Gate>,
        mailbox: Mailbox<ProviderActor>,
    ) -> Self {
        let limit = if settings.max_in_flight == 0 { usize::MAX } else { settings.max_in_flight };
        let in_flight = InFlight::new(limit);
        let retries = RetryBudget::new(settings.retry_budget_percent);
        let shared = Shared { name, settings: Arc::new(settings), gate, in_flight, retries, mailbox };
        Self { shared: Arc::new(shared) }
    }

    /// The provider's name in the configuration.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What the provider is configured with.
    pub fn settings(&self) -> &Arc<ProviderSettings> {
        &self.shared.settings
    }

    /// Lets one attempt go to the provider; while the circuit is closed, this costs a few atomic operations.
    ///
    /// # Errors
    /// Where the circuit is open, or too many attempts are under way.
    pub fn admit(&self, now: Instant) -> Result<AttemptPermit, Refused> {
        let admitted = self.shared.gate.admit(now).map_err(|retry_after| Refused::CircuitOpen { retry_after })?;
        let Some(slot) = self.shared.in_flight.try_acquire() else {
            self.shared.gate.abandoned(&admitted);
            return Err(Refused::Saturated);
        };
        self.shared.retries.deposit();
        Ok(AttemptPermit { shared: self.shared.clone(), admitted: Some(admitted), _slot: slot })
    }

    /// Whether the circuit breaker would refuse an attempt now.
    pub fn is_open(&self, now: Instant) -> bool {
        self.shared.gate.refuses(now)
    }

    /// What the circuit breaker lets through now.
    pub fn breaker_state(&self, now: Instant) -> BreakerState {
        self.shared.gate.state(now)
    }

    /// Attempts under way, over all threads.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.count()
    }

    /// Takes one retry from the provider's budget, if there is one left (E8).
    pub fn try_retry(&self) -> bool {
        self.shared.retries.try_take()
    }

    /// The mailbox of the provider's actor.
    pub fn mailbox(&self) -> &Mailbox<ProviderActor> {
        &self.shared.mailbox
    }

    /// What `GET /admin/actors` shows; an actor that does not answer is shown with its error as its state.
    pub async fn report(&self) -> ActorReport {
        let state = match self.shared.mailbox.ask(ReportProvider).await {
            Ok(state) => json!({
                "breaker": state.breaker,
                "window": state.window,
                "times_opened": state.times_opened,
                "last_failure": state.last_failure,
                "in_flight": self.in_flight(),
                "retries_left": self.shared.retries.left(),
            }),
            Err(e) => json!({ "error": e.to_string() }),
        };
        ActorReport { state, ..self.shared.mailbox.report() }
    }
}

impl fmt::Debug for ProviderHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderHandle").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// One attempt under way; dropping it, on whatever ending, gives its slot back (D7).
///
/// Dropped without a verdict it tells nothing about the provider: the client left, or the gateway itself failed.
#[must_use = "dropping the permit ends the attempt"]
pub struct AttemptPermit {
    shared: Arc<Shared>,
    /// `None` once the breaker knows how the attempt ended.
    admitted: Option<Admitted>,
    _slot: InFlightPermit,
}

impl AttemptPermit {
    /// The provider answered well.
    pub fn succeeded(mut self) {
        self.answered();
    }

    /// The answer has begun, and may last: a probe closes the circuit by that, and how it ends counts as any other
    /// request's end does (E1).
    pub fn begun(&mut self) {
        if self.is_probe() {
            let ordinary = self.admitted.as_ref().map(Admitted::after_closing);
            self.answered();
            self.admitted = ordinary;
        }
    }

    /// The attempt failed. The breaker counts what the provider is to blame for; an answer that blames the client still
    /// proves to a probe that the provider is there (E1).
    pub fn failed(mut self, kind: FailureKind) {
        if kind.counts_against_provider() {
            self.blamed(kind);
        } else if matches!(kind, FailureKind::Status(_)) && self.is_probe() {
            self.answered();
        }
    }

    fn is_probe(&self) -> bool {
        self.admitted.as_ref().is_some_and(Admitted::is_probe)
    }

    fn answered(&mut self) {
        let Some(admitted) = self.admitted.take() else { return };
        self.shared.gate.succeeded();
        if admitted.is_probe() {
            let told = self.shared.mailbox.tell(ProbeSucceeded { epoch: admitted.epoch() });
            self.unless_told(told, &admitted);
        }
    }

    fn blamed(&mut self, kind: FailureKind) {
        let Some(admitted) = self.admitted.take() else { return };
        let told = if admitted.is_probe() {
            self.shared.mailbox.tell(ProbeFailed { epoch: admitted.epoch(), kind, at: Instant::now() })
        } else {
            // A failure that is stale is no news.
            let Some(strike) = self.shared.gate.failed(&admitted) else { return };
            self.shared.mailbox.tell(Failed { strike, kind })
        };
        self.unless_told(told, &admitted);
    }

    /// Lets the next request probe, where the actor could not hear of this one. The counts stand in the gate, so that a
    /// later failure that the actor does hear of opens the circuit all the same.
    fn unless_told(&self, told: Result<(), AskError>, admitted: &Admitted) {
        if let Err(e) = told {
            self.shared.mailbox.stats().fail(&e.to_string());
            self.shared.gate.abandoned(admitted);
        }
    }
}

impl Drop for AttemptPermit {
    fn drop(&mut self) {
        if let Some(admitted) = self.admitted.take() {
            self.shared.gate.abandoned(&admitted);
        }
    }
}

impl fmt::Debug for AttemptPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptPermit").field("provider", &self.shared.name).field("probe", &self.is_probe()).finish()
    }
}
