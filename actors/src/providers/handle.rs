//! What requests use of a provider. Nothing here waits for the provider's actor, which hears of what changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use serde_json::json;
use uuid::Uuid;

use super::actor::{NoteTransition, ProviderActor, ProviderState, ReportProvider};
use super::breaker::{Breaker, BreakerState, Fault, GateTicket, Transition};
use super::breakers::BreakerReport;
use super::breakers::{BreakerPass, Breakers};
use super::retry_budget::RetryBudget;
use super::settings::ProviderSettings;
use crate::failure::FailureKind;
use crate::limits::in_flight::{InFlight, InFlightPermit};
use crate::runtime::mailbox::Mailbox;
use crate::runtime::registry::Observed;
use crate::runtime::stats::{ActorReport, ActorStats};

/// How long a report waits for the provider's actor.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// One provider as requests of all threads see it; a clone is the same provider.
#[derive(Clone)]
pub struct ProviderHandle {
    shared: Arc<HandleState>,
}

struct HandleState {
    name: Arc<str>,
    settings: Arc<ProviderSettings>,
    breakers: Arc<Breakers>,
    in_flight: InFlight,
    retries: RetryBudget,
    mailbox: Mailbox<ProviderActor>,
}

/// Why nothing was sent to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderRejection {
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
        breakers: Arc<Breakers>,
        mailbox: Mailbox<ProviderActor>,
    ) -> Self {
        let limit = if settings.max_in_flight == 0 { usize::MAX } else { settings.max_in_flight };
        let in_flight = InFlight::new(limit);
        let retries = RetryBudget::new(settings.retry_budget_percent);
        let shared = HandleState { name, settings: Arc::new(settings), breakers, in_flight, retries, mailbox };
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

    /// Lets one attempt of a key at a model go; while the circuit is closed, this costs a few atomic operations.
    ///
    /// # Errors
    /// Where the circuit is open, or too many attempts are under way.
    pub fn admit(&self, model: &str, key: Uuid, now: Instant) -> Result<AttemptPermit, ProviderRejection> {
        let passed = self
            .shared
            .breakers
            .admit(model, now)
            .map_err(|retry_after| ProviderRejection::CircuitOpen { retry_after })?;
        let Some(slot) = self.shared.in_flight.try_acquire() else {
            if let BreakerPass::By(breaker, admitted) = passed {
                breaker.abandoned(&admitted);
            }
            return Err(ProviderRejection::Saturated);
        };
        self.shared.retries.deposit();
        let (shared, model) = (self.shared.clone(), Arc::from(model));
        Ok(AttemptPermit { shared, model, key, passed: Some(passed), _slot: slot })
    }

    /// Whether the circuit breaker would refuse an attempt at a model at `at`, which may lie ahead.
    pub fn is_open(&self, model: &str, at: Instant) -> bool {
        self.shared.breakers.refuses(model, at)
    }

    /// What the least willing of the provider's circuit breakers lets through now.
    pub fn breaker_state(&self, now: Instant) -> BreakerState {
        self.shared.breakers.state(now)
    }

    /// The circuit breaker of each model that has one of its own.
    pub fn breakers_of_models(&self, now: Instant) -> BTreeMap<String, BreakerReport> {
        self.shared.breakers.models(now)
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

    /// What `GET /admin/actors` shows; an actor that does not answer is shown with its error, and the breakers as they are.
    pub async fn report(&self) -> ActorReport {
        let (state, error) = match self.shared.mailbox.within(REPORT_TIMEOUT).ask(ReportProvider).await {
            Ok(state) => (state, None),
            Err(error) => (ProviderState::from_breakers(&self.shared.breakers), Some(error.to_string())),
        };
        let mut state = json!(state);
        state["in_flight"] = json!(self.in_flight());
        state["retries_left"] = json!(self.shared.retries.left());
        if let Some(error) = error {
            state["error"] = json!(error);
        }
        ActorReport { state, ..self.shared.mailbox.report() }
    }
}

impl Observed for ProviderHandle {
    fn stats(&self) -> &Arc<ActorStats> {
        self.shared.mailbox.stats()
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(self.report())
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
    shared: Arc<HandleState>,
    model: Arc<str>,
    key: Uuid,
    /// `None` once the breaker knows how the attempt ended.
    passed: Option<BreakerPass>,
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
        if let Some(BreakerPass::By(breaker, admitted)) = &self.passed
            && admitted.is_probe()
        {
            let ordinary = BreakerPass::By(breaker.clone(), admitted.after_closing());
            self.answered();
            self.passed = Some(ordinary);
        }
    }

    /// The attempt failed. The breaker counts what the provider is to blame for; an answer that blames the client still
    /// proves to a probe that the provider is there (E1).
    pub fn failed(mut self, kind: FailureKind) {
        if kind.counts_against_provider() {
            self.shared.breakers.failed(kind);
            let fault = Fault { key: self.key, is_outage: kind.is_outage() };
            self.ended(|breaker, admitted, now| breaker.failed(admitted, fault, now));
        } else if matches!(kind, FailureKind::Status(_)) && self.is_probe() {
            self.answered();
        }
    }

    fn is_probe(&self) -> bool {
        matches!(&self.passed, Some(BreakerPass::By(_, admitted)) if admitted.is_probe())
    }

    fn answered(&mut self) {
        self.ended(Breaker::succeeded);
    }

    fn ended(&mut self, count: impl FnOnce(&Breaker, &GateTicket, Instant) -> Option<Transition>) {
        let now = Instant::now();
        let (breaker, admitted) = match self.passed.take() {
            Some(BreakerPass::By(breaker, admitted)) => (breaker, admitted),
            Some(BreakerPass::NoBreakerYet) => {
                (self.shared.breakers.ensure(&self.model, now), GateTicket::by_new_breaker())
            }
            None => return,
        };
        if let Some(transition) = count(&breaker, &admitted, now) {
            self.announce(transition);
        }
    }

    /// Lets the provider's actor tell what has changed. Where it cannot hear of it, this thread tells it.
    fn announce(&self, transition: Transition) {
        if matches!(transition, Transition::Opened(_)) {
            self.shared.breakers.opened();
        }
        let last_failure = self.shared.breakers.last_failure().unwrap_or("none");
        let changed = || NoteTransition { model: self.model.clone(), transition, last_failure };
        if let Err(error) = self.shared.mailbox.tell(changed()) {
            self.shared.mailbox.stats().fail(&error.to_string());
            changed().tell(&self.shared.name);
        }
    }
}

impl Drop for AttemptPermit {
    fn drop(&mut self) {
        if let Some(BreakerPass::By(breaker, admitted)) = self.passed.take() {
            breaker.abandoned(&admitted);
        }
    }
}

impl fmt::Debug for AttemptPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptPermit").field("provider", &self.shared.name).field("probe", &self.is_probe()).finish()
    }
}
