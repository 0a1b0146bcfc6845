//! The actors that share the store, on the one thread that its connection lives on.

pub mod listen;
pub mod metrics_actor;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use actix_rt::ArbiterHandle;

use crate::budgets::ledger::SharedLedger;
use crate::budgets::ledger_actor::{BudgetLedger, LedgerSettings};
use crate::cache::actor::CacheActor;
use crate::cache::memory::MemoryCache;
use crate::cache::semantic::index::Index;
use crate::cache::shadow::Shadow;
use crate::db::Store;
use crate::fleet::announce::Announcer;
use crate::fleet::redis_link::RedisLink;
use crate::keys::encryption::MasterKey;
use crate::keys::registry::{KeyError, KeyRegistry, Registry};
use crate::keys::table::SharedKeyTable;
use crate::limits::limit_table::SharedLimitTable;
use crate::limits::redis_limiter::RedisLimiter;
use crate::metrics::Metrics;
use crate::responses::store_actor::ResponseStore;
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
    /// The registry's counters.
    pub key_stats: Arc<ActorStats>,
    /// What the ledger shares.
    pub ledger: SharedLedger,
    /// What the ledger is configured with.
    pub settings: LedgerSettings,
    /// The ledger's counters.
    pub ledger_stats: Arc<ActorStats>,
    /// The response store's counters.
    pub response_stats: Arc<ActorStats>,
    /// The process' metrics.
    pub metrics: Arc<Metrics>,
    /// The links to Redis, where there is one.
    pub redis: Option<RedisLinks>,
    /// The limit keeper's counters.
    pub limit_stats: Arc<ActorStats>,
    /// This process' cached answers.
    pub memory: Arc<MemoryCache>,
    /// The questions that they can be found by.
    pub index: Arc<Index>,
    /// What was found of their answers.
    pub shadow: Arc<Shadow>,
    /// The cache actor's counters.
    pub cache_stats: Arc<ActorStats>,
}

/// Two links to one Redis, so that limits and announcements do not wait behind large answers.
pub struct RedisLinks {
    /// For limits and announcements.
    pub limits: RedisLink,
    /// For answers.
    pub answers: RedisLink,
}

/// The started actors.
pub struct Control {
    /// The owner of the virtual keys.
    pub key_registry: Addr<KeyRegistry>,
    /// The virtual keys.
    pub keys: SharedKeyTable,
    /// The limits of users and teams.
    pub limits: SharedLimitTable,
    /// Who asks Redis for parts of limits, where there is a Redis.
    pub redis_limiter: Option<Addr<RedisLimiter>>,
    /// Who keeps the answers that the fleet shares, where there is a Redis.
    pub cache: Option<Addr<CacheActor>>,
    /// The owner of prices, budgets and the usage log.
    pub budget_ledger: Addr<BudgetLedger>,
    /// The owner of the stored responses.
    pub response_store: Addr<ResponseStore>,
}

/// What shares the store.
struct StoreActors {
    registry: Registry,
    budget_ledger: Addr<BudgetLedger>,
    response_store: Addr<ResponseStore>,
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
    let link = links.as_ref().map(|(limits, _)| limits.clone());
    let actors = wait_for_store(&setup, &Announcer { link: link.clone() }).await?;
    let StoreActors { registry, budget_ledger, response_store } = actors;
    let Registry { address, keys, limits } = registry;
    let (mut redis_limiter, mut cache) = (None, None);
    if let Some((link, answers)) = links {
        link.mend().await;
        answers.mend().await;
        let announcer = Announcer { link: Some(link.clone()) };
        let (memory, index, shadow, stats) = (setup.memory, setup.index, setup.shadow, setup.cache_stats);
        let keeps_answers = CacheActor { link: answers, announcer, memory, index, shadow, stats }.start();
        let listeners =
            ChangeListeners { registry: address.clone(), ledger: budget_ledger.clone(), cache: keeps_answers.clone() };
        actix_rt::spawn(listen(link.clone(), listeners));
        (redis_limiter, cache) = (Some(RedisLimiter::new(link, setup.limit_stats).start()), Some(keeps_answers));
    }
    Ok(Control { key_registry: address, keys, limits, redis_limiter, cache, budget_ledger, response_store })
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

async fn open_store(setup: &ControlSetup, announcer: &Announcer) -> Result<StoreActors, KeyError> {
    let ControlSetup { url, master_key, key_stats, ledger, settings, ledger_stats, .. } = setup;
    let store = Rc::new(Store::open(url).await?.noting(ledger.store.clone()));
    if master_key.is_unwritten() {
        master_key.keep(store.has_sealed_credentials().await?)?;
    }
    let (keys, stats) = (master_key.clone(), key_stats.clone());
    let registry = KeyRegistry::start_here(store.clone(), keys, announcer.clone(), stats).await?;
    let (ledger, settings, stats) = (ledger.clone(), settings.clone(), ledger_stats.clone());
    let budget_ledger = BudgetLedger::start_here(ledger, store.clone(), settings, announcer.clone(), stats).await?;
    let response_store = ResponseStore::new(store, setup.metrics.clone(), setup.response_stats.clone()).start();
    Ok(StoreActors { registry, budget_ledger, response_store })
}
