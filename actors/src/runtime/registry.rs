//! The actors of the process as those who watch over it see them: each registers when it starts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, Context};
use futures_util::future::{LocalBoxFuture, join_all};
use serde_json::Value;

use super::mailbox::Mailbox;
use super::stats::{ActorReport, ActorStats};

/// How often actors that nobody starts again are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What the end of an actor means to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What it held would be lost: the process drains and exits.
    Required,
    /// It is started again, and until then the process is not ready.
    Restarted,
    /// The process does without it, or somebody else watches over it.
    Optional,
}

/// An actor, or a pool of threads that works like one.
pub trait Observed: Send + Sync {
    /// Its counters.
    fn stats(&self) -> &Arc<ActorStats>;

    /// Whether it takes messages.
    fn is_alive(&self) -> bool {
        ActorStats::is_alive(self.stats())
    }

    /// Its counters of this moment, with what only its kind has to show.
    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { self.stats().report() })
    }
}

impl<A: Actor<Context = Context<A>>> Observed for Mailbox<A> {
    fn stats(&self) -> &Arc<ActorStats> {
        self.stats()
    }

    fn is_alive(&self) -> bool {
        self.is_alive()
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { self.report() })
    }
}

impl Observed for Arc<ActorStats> {
    fn stats(&self) -> &Arc<ActorStats> {
        self
    }
}

/// An actor beside which its state is known.
struct WithState<O, S> {
    observed: O,
    state: S,
}

impl<O: Observed, S: Fn() -> Value + Send + Sync> Observed for WithState<O, S> {
    fn stats(&self) -> &Arc<ActorStats> {
        self.observed.stats()
    }

    fn is_alive(&self) -> bool {
        self.observed.is_alive()
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { ActorReport { state: (self.state)(), ..self.observed.observe().await } })
    }
}

/// Every actor of the process, in the order in which they started.
#[derive(Default)]
pub struct ActorRegistry {
    actors: Mutex<Vec<Registered>>,
}

#[derive(Clone)]
struct Registered {
    role: Role,
    observed: Arc<dyn Observed>,
}

impl ActorRegistry {
    /// Adds an actor that started.
    pub fn add(&self, role: Role, observed: impl Observed + 'static) {
        self.lock().push(Registered { role, observed: Arc::new(observed) });
    }

    /// Adds an actor that started, and how its state is known.
    pub fn add_with_state(
        &self,
        role: Role,
        observed: impl Observed + 'static,
        state: impl Fn() -> Value + Send + Sync + 'static,
    ) {
        self.add(role, WithState { observed, state });
    }

    /// The counters of every actor.
    pub fn stats(&self) -> Vec<Arc<ActorStats>> {
        self.lock().iter().map(|actor| actor.observed.stats().clone()).collect()
    }

    /// A report on every actor. All are asked at once: one that does not answer holds the others up no longer than its own
    /// limit.
    pub async fn observe(&self) -> Vec<ActorReport> {
        let actors = self.lock().clone();
        join_all(actors.iter().map(|actor| actor.observed.observe())).await
    }

    /// The names of the actors that the process needs and that take no messages.
    pub fn missing(&self) -> Vec<String> {
        let actors = self.lock().clone();
        let missing = actors.iter().filter(|actor| actor.role != Role::Optional && !actor.observed.is_alive());
        missing.map(|actor| actor.observed.stats().name().to_owned()).collect()
    }

    /// Waits until an actor has ended without which the process is of no use. Gives its name.
    pub async fn required_ended(&self) -> String {
        loop {
            let actors = self.lock().clone();
            let ended = actors.iter().find(|actor| actor.role == Role::Required && !actor.observed.is_alive());
            if let Some(ended) = ended {
                return ended.observed.stats().name().to_owned();
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Registered>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
