//! `[actors]`: mailboxes and timeouts of the actors.

use std::time::Duration;

use gateway_actors::guardrails::GuardPoolSettings;
use gateway_actors::runtime::mailbox::MailboxSettings;
use gateway_actors::system::ControlMailboxes;
use gateway_actors::usage::token_count::CounterSettings;
use serde::{Deserialize, Serialize};

use super::check::at_least_one;

/// The smallest mailbox: requests that come in one turn of an event loop find a place together.
const MIN_MAILBOX: usize = 16;

/// The most threads of one pool.
const MAX_THREADS: usize = 64;

/// `[actors.*]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorsSettings {
    /// One router for each worker thread.
    pub router: ActorSettings,
    /// One actor for each provider.
    pub provider: ActorSettings,
    /// The owner of the virtual keys.
    pub key_registry: ActorSettings,
    /// The owner of prices, budgets and the usage log.
    pub budget_ledger: ActorSettings,
    /// The owner of the stored responses.
    pub response_store: ActorSettings,
    /// The audit log, settings and reports.
    pub store: ActorSettings,
    /// The fleet's rate limiter on Redis.
    pub redis_limiter: ActorSettings,
    /// The cache actor and its embedding threads.
    pub cache: CacheActorSettings,
    /// The owner of the metrics.
    pub metrics: ActorSettings,
    /// The token counter, for responses without usage.
    pub token_counter: TokenCounterSettings,
    /// The threads that look at long texts for guardrails.
    pub guardrails: GuardrailActorSettings,
}

impl ActorsSettings {
    /// The mailboxes of the actors that own what is stored.
    pub fn control(&self) -> ControlMailboxes {
        ControlMailboxes {
            key_registry: self.key_registry.mailbox(),
            budget_ledger: self.budget_ledger.mailbox(),
            response_store: self.response_store.mailbox(),
            store: self.store.mailbox(),
            redis_limiter: self.redis_limiter.mailbox(),
        }
    }
}

/// One kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorSettings {
    /// Messages that may wait; one more is refused.
    pub mailbox: usize,
    /// How long an asker waits for an answer, in milliseconds.
    pub ask_timeout_ms: u64,
}

impl ActorSettings {
    /// What a mailbox is made with.
    pub fn mailbox(self) -> MailboxSettings {
        MailboxSettings { limit: self.mailbox, ask_timeout: Duration::from_millis(self.ask_timeout_ms) }
    }
}

impl Default for ActorSettings {
    fn default() -> Self {
        Self { mailbox: 1024, ask_timeout_ms: 5_000 }
    }
}

/// `[actors.cache]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheActorSettings {
    /// Messages that may wait; one more is refused.
    pub mailbox: usize,
    /// How long an asker waits for an answer, in milliseconds.
    pub ask_timeout_ms: u64,
    /// Threads that embed, each with its own copy of the model.
    pub embed_workers: usize,
    /// Texts that may wait for them; one more is not looked up.
    pub embed_queue: usize,
}

impl CacheActorSettings {
    /// Those that every actor has.
    pub fn actor(self) -> ActorSettings {
        let Self { mailbox, ask_timeout_ms, .. } = self;
        ActorSettings { mailbox, ask_timeout_ms }
    }
}

impl Default for CacheActorSettings {
    fn default() -> Self {
        let ActorSettings { mailbox, ask_timeout_ms } = ActorSettings::default();
        Self { mailbox, ask_timeout_ms, embed_workers: 1, embed_queue: 64 }
    }
}

/// `[actors.guardrails]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardrailActorSettings {
    /// Long texts that may wait; one more is refused.
    pub mailbox: usize,
    /// How long a request waits for its texts, in milliseconds.
    pub ask_timeout_ms: u64,
    /// Threads.
    pub workers: usize,
}

impl GuardrailActorSettings {
    /// Those that every actor has.
    pub fn actor(self) -> ActorSettings {
        let Self { mailbox, ask_timeout_ms, .. } = self;
        ActorSettings { mailbox, ask_timeout_ms }
    }

    /// What the pool is started with.
    pub fn pool(self) -> GuardPoolSettings {
        let Self { mailbox, ask_timeout_ms, workers } = self;
        GuardPoolSettings { workers, queue: mailbox, timeout: Duration::from_millis(ask_timeout_ms) }
    }
}

impl Default for GuardrailActorSettings {
    fn default() -> Self {
        Self { mailbox: 64, ask_timeout_ms: 5_000, workers: 1 }
    }
}

/// `[actors.token_counter]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenCounterSettings {
    /// Counts that may wait in each of the two queues; one more is estimated by its bytes.
    pub mailbox: usize,
    /// How long an answer waits for its count, in milliseconds.
    pub ask_timeout_ms: u64,
    /// Threads of each queue.
    pub workers: usize,
}

impl TokenCounterSettings {
    /// Those that every actor has.
    pub fn actor(self) -> ActorSettings {
        let Self { mailbox, ask_timeout_ms, .. } = self;
        ActorSettings { mailbox, ask_timeout_ms }
    }

    /// What the pool is started with.
    pub fn pool(self) -> CounterSettings {
        let Self { mailbox, ask_timeout_ms, workers } = self;
        CounterSettings { workers, queue: mailbox, timeout: Duration::from_millis(ask_timeout_ms) }
    }
}

impl Default for TokenCounterSettings {
    fn default() -> Self {
        Self { mailbox: 1024, ask_timeout_ms: 1_000, workers: 1 }
    }
}

/// An actor must have the time to answer, and a mailbox that ordinary traffic does not fill.
pub(super) fn check(actors: &ActorsSettings, wrong: &mut dyn FnMut(&str, String)) {
    for (name, settings) in [
        ("router", actors.router),
        ("provider", actors.provider),
        ("key_registry", actors.key_registry),
        ("budget_ledger", actors.budget_ledger),
        ("response_store", actors.response_store),
        ("store", actors.store),
        ("redis_limiter", actors.redis_limiter),
        ("cache", actors.cache.actor()),
        ("metrics", actors.metrics),
        ("token_counter", actors.token_counter.actor()),
        ("guardrails", actors.guardrails.actor()),
    ] {
        if settings.ask_timeout_ms == 0 {
            wrong(
                &format!("actors.{name}.ask_timeout_ms"),
                "must be at least 1: nobody would get an answer".to_owned(),
            );
        }
        if (1..MIN_MAILBOX).contains(&settings.mailbox) {
            let message =
                format!("must be at least {MIN_MAILBOX}, or 0 for no limit: ordinary traffic would be refused");
            wrong(&format!("actors.{name}.mailbox"), message);
        }
    }
    for (path, threads, why) in [
        ("actors.cache.embed_workers", actors.cache.embed_workers, "each worker loads its own copy of the model"),
        (
            "actors.token_counter.workers",
            actors.token_counter.workers,
            "each of the two queues starts this many threads",
        ),
        ("actors.guardrails.workers", actors.guardrails.workers, "each is a thread"),
    ] {
        if threads > MAX_THREADS {
            wrong(path, format!("must be at most {MAX_THREADS}: {why}"));
        }
    }
    let settings = [
        ("actors.cache.embed_workers", actors.cache.embed_workers as u64),
        ("actors.cache.embed_queue", actors.cache.embed_queue as u64),
        ("actors.token_counter.workers", actors.token_counter.workers as u64),
        ("actors.guardrails.workers", actors.guardrails.workers as u64),
    ];
    at_least_one(&settings, wrong);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L-2: what can never work is told before the start.
    #[test]
    fn l2_actors_without_time_or_room_are_refused() {
        let problems = |actors: &ActorsSettings| {
            let mut paths = Vec::new();
            check(actors, &mut |path, _message| paths.push(path.to_owned()));
            paths
        };
        assert!(problems(&ActorsSettings::default()).is_empty());
        let no_limit = ActorSettings { mailbox: 0, ..ActorSettings::default() };
        assert!(problems(&ActorsSettings { router: no_limit, ..ActorsSettings::default() }).is_empty());
        let hopeless = ActorSettings { mailbox: 1, ask_timeout_ms: 0 };
        let actors = ActorsSettings { router: hopeless, metrics: hopeless, ..ActorsSettings::default() };
        let names = ["router.ask_timeout_ms", "router.mailbox", "metrics.ask_timeout_ms", "metrics.mailbox"];
        assert_eq!(problems(&actors), names.map(|name| format!("actors.{name}")));
    }
}
