//! One actor per provider: it observes the provider's circuit breakers, which requests open and close by a
//! [`ProviderHandle`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler, Message, MessageResult};
use actix_rt::ArbiterHandle;
use serde::Serialize;

use super::breaker::Transition;
use super::breakers::BreakerReport;
use super::breakers::Breakers;
use super::handle::ProviderHandle;
use super::settings::ProviderSettings;
use crate::runtime::mailbox::{Mailbox, takes_parcels};
use crate::runtime::stats::ActorStats;

/// Observes one provider's circuit breakers, which open and close by themselves.
pub struct ProviderActor {
    name: Arc<str>,
    breakers: Arc<Breakers>,
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
        let name: Arc<str> = Arc::from(name);
        let breakers = Arc::new(Breakers::new(settings.breaker, Instant::now()));
        let start = {
            let (name, breakers, stats, arbiter) = (name.clone(), breakers.clone(), stats.clone(), arbiter.clone());
            move || {
                let actor = Self { name: name.clone(), breakers: breakers.clone(), stats: stats.clone() };
                Actor::start_in_arbiter(&arbiter, move |_| actor)
            }
        };
        ProviderHandle::new(name, settings, breakers, Mailbox::restarting(start, stats, ask_timeout))
    }
}

impl Actor for ProviderActor {
    type Context = Context<Self>;
}

takes_parcels!(ProviderActor);

/// A breaker has opened or closed.
pub(super) struct NoteTransition {
    pub(super) model: Arc<str>,
    pub(super) transition: Transition,
    pub(super) last_failure: &'static str,
}

impl Message for NoteTransition {
    type Result = ();
}

impl NoteTransition {
    /// Tells it in the log.
    pub(super) fn tell(&self, provider: &str) {
        let Self { model, last_failure, .. } = self;
        match self.transition {
            Transition::Opened(cooldown) => log::warn!(
                model = &**model;
                "circuit of provider {provider} opened for {cooldown:?}; last failure: {last_failure}"
            ),
            Transition::Closed => log::info!(model = &**model; "circuit of provider {provider} closed"),
        }
    }
}

impl Handler<NoteTransition> for ProviderActor {
    type Result = ();

    fn handle(&mut self, changed: NoteTransition, _: &mut Self::Context) {
        let _handling = self.stats.handling();
        changed.tell(&self.name);
    }
}

/// Asks for what `GET /admin/actors` shows of a provider.
#[derive(Clone, Copy, Debug)]
pub struct ReportProvider;

/// What `GET /admin/actors` shows of a provider, besides what it shows of every actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderState {
    /// All breakers in one: the least willing state, and the sums.
    #[serde(flatten)]
    pub whole: BreakerReport,
    /// The newest failure by the provider's fault, in one word.
    pub last_failure: Option<&'static str>,
    /// The breaker of each model that has one of its own.
    pub models: BTreeMap<String, BreakerReport>,
}

impl ProviderState {
    pub(super) fn from_breakers(breakers: &Breakers) -> Self {
        let now = Instant::now();
        Self { whole: breakers.report(now), last_failure: breakers.last_failure(), models: breakers.models(now) }
    }
}

impl Message for ReportProvider {
    type Result = ProviderState;
}

impl Handler<ReportProvider> for ProviderActor {
    type Result = MessageResult<ReportProvider>;

    fn handle(&mut self, ReportProvider: ReportProvider, _: &mut Self::Context) -> Self::Result {
        let _handling = self.stats.handling();
        MessageResult(ProviderState::from_breakers(&self.breakers))
    }
}
