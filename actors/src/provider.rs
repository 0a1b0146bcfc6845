//! One actor per provider: it alone opens and closes the provider's circuit, while requests go by a [`ProviderHandle`].

mod handle;
mod retry_budget;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};
use actix_rt::ArbiterHandle;
use serde::Serialize;

use crate::actor_stats::{ActorStats, Mailbox, takes_parcels};
use crate::breaker::{Breaker, BreakerState, Counts, Strike, Transition};
use crate::failure::FailureKind;
use crate::settings::ProviderSettings;
pub use handle::{AttemptPermit, ProviderHandle, Refused};

/// The shortest time between two rotations of the window, whatever the settings say.
const SHORTEST_ROTATION: Duration = Duration::from_millis(500);

/// Owns one provider's circuit breaker; requests never wait for it.
pub struct ProviderActor {
    name: Arc<str>,
    breaker: Breaker,
    half_window: Duration,
    times_opened: u64,
    last_failure: Option<&'static str>,
    stats: Arc<ActorStats>,
}

impl ProviderActor {
    /// Starts the actor of the provider `name` on an arbiter, and gives what requests use.
    ///
    /// `mailbox_limit` messages may wait (0 = no limit), and questions are given up after `ask_timeout`.
    pub fn start(
        name: &str,
        settings: ProviderSettings,
        mailbox_limit: usize,
        ask_timeout: Duration,
        arbiter: &ArbiterHandle,
    ) -> ProviderHandle {
        let stats = ActorStats::new(format!("provider:{name}"), "control", mailbox_limit);
        let actor = Self {
            name: Arc::from(name),
            breaker: Breaker::new(settings.breaker, Instant::now()),
            half_window: Duration::from_millis(settings.breaker.window_ms / 2).max(SHORTEST_ROTATION),
            times_opened: 0,
            last_failure: None,
            stats: stats.clone(),
        };
        let (name, gate) = (actor.name.clone(), actor.breaker.gate().clone());
        let addr = Actor::start_in_arbiter(arbiter, move |_| actor);
        ProviderHandle::new(name, settings, gate, Mailbox::new(addr, stats, ask_timeout))
    }

    fn announce(&mut self, transition: Option<Transition>) {
        let provider = &self.name;
        match transition {
            Some(Transition::Opened(cooldown)) => {
                self.times_opened += 1;
                let last_failure = self.last_failure.unwrap_or("none");
                log::warn!("circuit of provider {provider} opened for {cooldown:?}; last failure: {last_failure}");
            }
            Some(Transition::Closed) => log::info!("circuit of provider {provider} closed"),
            None => {}
        }
    }
}

impl Actor for ProviderActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.half_window, |actor, _| actor.breaker.rotate());
    }
}

takes_parcels!(ProviderActor);

/// A request failed by the provider's fault.
struct Failed {
    strike: Strike,
    kind: FailureKind,
}

impl Message for Failed {
    type Result = ();
}

impl Handler<Failed> for ProviderActor {
    type Result = ();

    fn handle(&mut self, Failed { strike, kind }: Failed, _: &mut Self::Context) {
        let _handling = self.stats.handling();
        self.last_failure = Some(kind.label());
        let transition = self.breaker.failed(strike, Instant::now());
        self.announce(transition);
    }
}

/// The probe was answered.
struct ProbeSucceeded {
    epoch: u16,
}

impl Message for ProbeSucceeded {
    type Result = ();
}

impl Handler<ProbeSucceeded> for ProviderActor {
    type Result = ();

    fn handle(&mut self, ProbeSucceeded { epoch }: ProbeSucceeded, _: &mut Self::Context) {
        let _handling = self.stats.handling();
        let transition = self.breaker.probe_succeeded(epoch);
        self.announce(transition);
    }
}

/// The probe failed by the provider's fault.
struct ProbeFailed {
    epoch: u16,
    kind: FailureKind,
    /// When it failed: the next cooldown begins here.
    at: Instant,
}

impl Message for ProbeFailed {
    type Result = ();
}

impl Handler<ProbeFailed> for ProviderActor {
    type Result = ();

    fn handle(&mut self, ProbeFailed { epoch, kind, at }: ProbeFailed, _: &mut Self::Context) {
        let _handling = self.stats.handling();
        self.last_failure = Some(kind.label());
        let transition = self.breaker.probe_failed(epoch, at);
        self.announce(transition);
    }
}

/// Asks for what `GET /admin/actors` shows of a provider.
#[derive(Clone, Copy, Debug)]
pub struct ReportProvider;

/// What `GET /admin/actors` shows of a provider, besides what it shows of every actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderState {
    /// What the circuit breaker lets through.
    pub breaker: BreakerState,
    /// How the requests of the breaker's window ended.
    pub window: Counts,
    /// How often the circuit opened since the start.
    pub times_opened: u64,
    /// The newest failure by the provider's fault, in one word.
    pub last_failure: Option<&'static str>,
}

impl Message for ReportProvider {
    type Result = ProviderState;
}

impl Handler<ReportProvider> for ProviderActor {
    type Result = MessageResult<ReportProvider>;

    fn handle(&mut self, ReportProvider: ReportProvider, _: &mut Self::Context) -> Self::Result {
        let _handling = self.stats.handling();
        MessageResult(ProviderState {
            breaker: self.breaker.gate().state(Instant::now()),
            window: self.breaker.counts(),
            times_opened: self.times_opened,
            last_failure: self.last_failure,
        })
    }
}

#[cfg(test)]
mod tests;
