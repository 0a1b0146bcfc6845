//! The actors that share the store, on the one thread that its connection lives on.

pub mod listen;
pub mod metrics_actor;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::ArbiterHandle;
use serde_json::json;

use crate::budgets::ledger::SharedLedger;
use crate::budgets::ledger_actor::{BudgetLedger, LedgerSettings};
use crate::budgets::ledger_figures::ledger_figures;
use crate::cache::actor::shared_answers::SharedAnswers;
use crate::cache::local::{CacheRules, LocalCache};
use crate::cache::lookup::AnswerCache;
use crate::db::Store;
use crate::db::actor::StoreActor;
use crate::fleet::announce::Announcer;
use crate::fleet::redis_link::{RedisLink, RedisState};
use crate::keys::encryption::MasterKey;
use crate::keys::registry::{KeyError, KeyRegistry, Registry};
use crate::keys::table::SharedKeyTable;
use crate::limits::limit_table::SharedLimitTable;
use crate::limits::redis_limiter::RedisLimiter;
use crate::metrics::Metrics;
use crate::responses::store_actor::ResponseStore;
use crate::runtime::mailbox::{Mailbox, MailboxSettings};
use crate::runtime::registry::{ActorRegistry, Role};
use crate::runtime::stats::ActorStats;
use listen::{ChangeListeners, listen};

/// The first wait for a store that is away; each is twice as long as the one before it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest one.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What the actors of the store need to start.
pub struct ControlSetup {
    /// The store's address.
    pub url: String,
    /// Whether a store that is away is waited for.
    pub wait: bool,
    /// Seals provider credentials.
    pub master_key: MasterKey,
    /// What the ledger shares.
    pub ledger: SharedLedger,
    /// What the ledger is configured with.
    pub settings: LedgerSettings,
    /// The process' metrics.
    pub metrics: Arc<Metrics>,
    /// The links to Redis, where there is one.
    pub redis: Option<RedisLinks>,
    /// This process' part of the cache.
    pub cache: LocalCache,
    /// What the cache is configured with.
    pub cache_rules: CacheRules,
    /// The mailboxes of the actors.
    pub mailboxes: ControlMailboxes,
    /// Where the actors register.
    pub actors: Arc<ActorRegistry>,
}

/// The mailbox of each actor.
#[derive(Clone, Copy, Debug)]
pub struct ControlMailboxes {
    /// That of the key registry.
    pub key_registry: MailboxSettings,
    /// That of the budget ledger.
    pub budget_ledger: MailboxSettings,
    /// That of the response store.
    pub response_store: MailboxSettings,
    /// That of the store itself.
    pub store: MailboxSettings,
    /// That of the limiter.
    pub redis_limiter: MailboxSettings,
}

/// Two links to one Redis, so that limits and announcements do not wait behind large answers.
pub struct RedisLinks {
    /// For limits and announcements.
    pub limits: RedisLink,
    /// For answers.
    pub answers: RedisLink,
}

impl RedisLinks {
    /// Links that are not connected yet.
    ///
    /// # Errors
    /// Where the address is none; it is not told, as it may hold a password.
    pub fn new(url: &str) -> Result<Self, String> {
        let link = |used_for| RedisLink::new(url, used_for).map_err(|error| error.to_string());
        Ok(Self { limits: link("limits")?, answers: link("cached answers")? })
    }

    /// Whether Redis answers, for limits and for answers.
    pub fn states(&self) -> (RedisState, RedisState) {
        (self.limits.state().clone(), self.answers.state().clone())
    }
}

/// The started actors.
pub struct Control {
    /// Those that share the store.
    pub stored: StoreActors,
    /// Who asks Redis for parts of limits, where there is a Redis.
    pub redis_limiter: Option<Mailbox<RedisLimiter>>,
    /// The cache, with its owner.
    pub cache: AnswerCache,
}

/// The actors that share the store, and what they publish.
pub struct StoreActors {
    /// The owner of the virtual keys.
    pub key_registry: Mailbox<KeyRegistry>,
    /// The virtual keys.
    pub keys: SharedKeyTable,
    /// The limits of users and teams.
    pub limits: SharedLimitTable,
    /// The owner of prices, budgets and the usage log.
    pub budget_ledger: Mailbox<BudgetLedger>,
    /// The owner of the stored responses.
    pub response_store: Mailbox<ResponseStore>,
    /// What is kept in the store alone: the audit log, settings and reports.
    pub store: Mailbox<StoreActor>,
}

/// Opens the store on the arbiter's thread and starts its actors there, as soon as the store is there.
///
/// # Errors
/// Where the store does not open for another reason than being away, or holds what cannot be read.
pub async fn start(arbiter: &ArbiterHandle, setup: ControlSetup) -> Result<Control, KeyError> {
    let (reply, started) = tokio::sync::oneshot::channel();
    let spawned = arbiter.spawn_fn(move || {
        // Nobody waits any more if the start was given up; the actors then end with their addresses.
        actix_rt::spawn(async move { drop(reply.send(start_here(setup).await)) });
    });
    if !spawned {
        return Err(KeyError::NoArbiter);
    }
    started.await.map_err(|_dropped| KeyError::NoArbiter)?
}

async fn start_here(mut setup: ControlSetup) -> Result<Control, KeyError> {
    let links = setup.redis.take().map(|links| (Rc::new(links.limits), Rc::new(links.answers)));
    let announcer = Announcer { link: links.as_ref().map(|(limits, _)| limits.clone()) };
    let stored = wait_for_store(&setup, &announcer).await?;
    if let Some((limits, answers)) = &links {
        limits.mend().await;
        answers.mend().await;
    }
    let ControlSetup { cache: local, cache_rules, metrics, mailboxes, actors, .. } = setup;
    let shared = links.as_ref().map(|(_, answers)| SharedAnswers { link: answers.clone(), announcer });
    let cache = AnswerCache::open(&cache_rules, local, shared, metrics, &actors);
    let redis_limiter = links.map(|(link, _)| {
        let (registry, ledger) = (stored.key_registry.addr(), stored.budget_ledger.addr());
        let listeners = ChangeListeners { registry, ledger, cache: cache.actor.addr() };
        start_fleet(link, listeners, mailboxes.redis_limiter, &actors)
    });
    Ok(Control { stored, redis_limiter, cache })
}

async fn wait_for_store(setup: &ControlSetup, announcer: &Announcer) -> Result<StoreActors, KeyError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match open_store(setup, announcer).await {
            Err(error) if setup.wait && error.is_away() => {
                if setup.ledger.store.failed() {
                    log::warn!("{error}; the gateway waits for it, and answers 503 until it comes");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            result => return result,
        }
    }
}

/// Starts the actors that share the store, and registers them once it has let all of them start.
async fn open_store(setup: &ControlSetup, announcer: &Announcer) -> Result<StoreActors, KeyError> {
    let ControlSetup { url, master_key, ledger, settings, mailboxes, actors, .. } = setup;
    let store = Rc::new(Store::open(url).await?.noting(ledger.store.clone()));
    if master_key.is_unwritten() {
        master_key.keep(store.has_sealed_credentials().await?)?;
    }
    let key_stats = stats("key_registry", mailboxes.key_registry);
    let Registry { address, keys, limits } =
        KeyRegistry::start_here(store.clone(), master_key.clone(), announcer.clone(), key_stats.clone()).await?;
    let key_registry = Mailbox::new(address, key_stats, mailboxes.key_registry.ask_timeout);
    let ledger_stats = stats("budget_ledger", mailboxes.budget_ledger);
    let (store_too, settings, announcer) = (store.clone(), settings.clone(), announcer.clone());
    let address =
        BudgetLedger::start_here(ledger.clone(), store_too, settings, announcer, ledger_stats.clone()).await?;
    let budget_ledger = Mailbox::new(address, ledger_stats, mailboxes.budget_ledger.ask_timeout);
    let response_stats = stats("response_store", mailboxes.response_store);
    let address = ResponseStore::new(store.clone(), setup.metrics.clone(), response_stats.clone()).start();
    let response_store = Mailbox::new(address, response_stats, mailboxes.response_store.ask_timeout);
    let store_stats = stats("store", mailboxes.store);
    let address = StoreActor::new(store, store_stats.clone()).start();
    let store = Mailbox::new(address, store_stats, mailboxes.store.ask_timeout);

    let (keys_too, ledger) = (keys.clone(), ledger.clone());
    let key_figures = move || json!({ "virtual_keys": keys_too.load().all().len() });
    actors.add_with_state(Role::Required, key_registry.clone(), key_figures);
    actors.add_with_state(Role::Required, budget_ledger.clone(), move || ledger_figures(&ledger));
    actors.add(Role::Required, response_store.clone());
    actors.add(Role::Required, store.clone());
    Ok(StoreActors { key_registry, keys, limits, budget_ledger, response_store, store })
}

/// Starts and registers the actor that shares limits, and hears from then on what other processes announce.
fn start_fleet(
    link: Rc<RedisLink>,
    listeners: ChangeListeners,
    settings: MailboxSettings,
    actors: &ActorRegistry,
) -> Mailbox<RedisLimiter> {
    let stats = stats("redis_limiter", settings);
    let address = RedisLimiter::new(link.clone(), stats.clone()).start();
    let redis_limiter = Mailbox::new(address, stats, settings.ask_timeout);
    actors.add(Role::Required, redis_limiter.clone());
    actix_rt::spawn(listen(link, listeners));
    redis_limiter
}

fn stats(name: &str, settings: MailboxSettings) -> Arc<ActorStats> {
    ActorStats::new(name, "control", settings.limit)
}
