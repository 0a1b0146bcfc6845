//! The actors that share the store, on the one thread that its connection lives on.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr};
use actix_rt::ArbiterHandle;

use crate::actor_stats::ActorStats;
use crate::budget_ledger::{BudgetLedger, LedgerSettings};
use crate::changes::{Announcer, listen};
use crate::db::Store;
use crate::key_registry::{KeyError, KeyRegistry, Registry};
use crate::key_table::SharedKeyTable;
use crate::ledger::SharedLedger;
use crate::limit_keeper::LimitKeeper;
use crate::limits::book::SharedLimitBook;
use crate::redis_link::RedisLink;
use crate::sealing::MasterKey;

/// What the actors of the store need to start.
pub struct ControlSetup {
    /// The store's address.
    pub url: String,
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
    /// The link to Redis, where there is one.
    pub redis: Option<RedisLink>,
    /// The limit keeper's counters.
    pub limit_stats: Arc<ActorStats>,
}

/// The started actors.
pub struct Control {
    /// The owner of the virtual keys.
    pub key_registry: Addr<KeyRegistry>,
    /// The virtual keys.
    pub keys: SharedKeyTable,
    /// The limits of users and teams.
    pub limits: SharedLimitBook,
    /// Who asks Redis for parts of limits, where there is a Redis.
    pub limit_keeper: Option<Addr<LimitKeeper>>,
    /// The owner of prices, budgets and the usage log.
    pub budget_ledger: Addr<BudgetLedger>,
}

/// Opens the store on the arbiter's thread and starts its actors there.
///
/// # Errors
/// Where the store does not open, or holds what cannot be read.
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

async fn start_here(setup: ControlSetup) -> Result<Control, KeyError> {
    let store = Rc::new(Store::open(&setup.url).await?);
    let link = setup.redis.map(Rc::new);
    let announcer = Announcer { link: link.clone() };
    let registry = KeyRegistry::start_here(store.clone(), setup.master_key, announcer.clone(), setup.key_stats).await?;
    let budget_ledger =
        BudgetLedger::start_here(setup.ledger, store, setup.settings, announcer, setup.ledger_stats).await?;
    let Registry { address, keys, limits } = registry;
    let limit_keeper = match link {
        Some(link) => {
            link.mend().await;
            actix_rt::spawn(listen(link.clone(), address.clone(), budget_ledger.clone()));
            Some(LimitKeeper::new(link, setup.limit_stats).start())
        }
        None => None,
    };
    Ok(Control { key_registry: address, keys, limits, limit_keeper, budget_ledger })
}
