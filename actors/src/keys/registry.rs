//! `KeyRegistry`: the only writer of virtual keys. It writes the store, publishes a new key table, then answers.

mod key_store;
mod messages;
mod rows;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, AtomicResponse, Context, Handler, MessageResult};
use actix_rt::ArbiterHandle;
use chrono::Utc;
use rand::rngs::SysRng;

use super::encryption::{MasterKey, SealingError};
use super::table::SharedKeyTable;
use super::virtual_key::{KeyChange, KeyText, VirtualKey};
use crate::db::{Store, StoreError};
use crate::fleet::announce::{Announcer, Refresh};
use crate::limits::limit_table::SharedLimitTable;
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;

pub use messages::{CreateKey, GetKey, ListKeys, ReissueKey, RevokeKey, RotateProviderKey, SetLimits, UpdateKey};

use key_store::KeyStore;

/// Why a key could not be read, made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such key.
    #[error("the virtual key does not exist")]
    NotFound,
    /// A credential without the provider that it belongs to.
    #[error("real_api_key requires provider")]
    CredentialWithoutProvider,
    /// The provider is to change and the credential of the former one would go along.
    #[error("the stored real_api_key belongs to the former provider: send the new provider's, or null to remove it")]
    CredentialOfAnotherProvider,
    /// Another process changed the provider or its credential before this edit.
    #[error("the key was changed by another request: read it again and retry")]
    ChangedMeanwhile,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored key holds something that this version cannot read.
    #[error("virtual key {id}: column {column} cannot be read: repair or delete the row")]
    Unreadable {
        /// The key's id.
        id: String,
        /// The column.
        column: &'static str,
    },
    /// A credential could not be sealed or opened.
    #[error("virtual key {id}: {source}")]
    Credential {
        /// The key's id.
        id: String,
        /// What went wrong.
        source: SealingError,
    },
    /// The file of the master key cannot be used.
    #[error(transparent)]
    MasterKey(#[from] SealingError),
    /// The operating system's random generator failed.
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
    /// The arbiter that the registry was to run on has ended.
    #[error("the thread of the key registry has ended")]
    NoArbiter,
}

impl KeyError {
    /// What is wrong with a row, for those who may repair it.
    fn problem(&self) -> String {
        match self {
            Self::Unreadable { column, .. } => format!("column {column} cannot be read"),
            Self::Credential { source, .. } => format!("column real_api_key: {source}"),
            other => other.to_string(),
        }
    }

    /// Whether the store is away, rather than wrong: it may come.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_away())
    }
}

/// Tells what went wrong here from what was asked wrongly.
trait Fault: std::fmt::Display {
    fn is_fault(&self) -> bool;
}

impl Fault for KeyError {
    fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::NotFound
                | Self::CredentialWithoutProvider
                | Self::CredentialOfAnotherProvider
                | Self::ChangedMeanwhile
        )
    }
}

impl Fault for StoreError {
    fn is_fault(&self) -> bool {
        true
    }
}

/// The started registry, and what it publishes.
pub struct Registry {
    /// The actor.
    pub address: Addr<KeyRegistry>,
    /// The virtual keys.
    pub keys: SharedKeyTable,
    /// The limits of users and teams.
    pub limits: SharedLimitTable,
}

/// A key just made or reissued: the only time that its text is known.
pub struct CreatedKey {
    /// The text, to be shown once.
    pub text: KeyText,
    /// The key as published.
    pub key: Arc<VirtualKey>,
}

/// The actor. Writes are rare, so it handles one message after the other and stops its mailbox meanwhile.
pub struct KeyRegistry {
    keys: Rc<KeyStore>,
    stats: Arc<ActorStats>,
}

impl KeyRegistry {
    /// Opens the store on the arbiter's thread, where its connection stays, and starts the registry there.
    ///
    /// The table is complete before this returns, so an unknown key is never looked for in the database (H7).
    ///
    /// # Errors
    /// Where the store does not open, or holds a key that cannot be read with this master key.
    pub async fn start(
        arbiter: &ArbiterHandle,
        url: String,
        master_key: MasterKey,
        stats: Arc<ActorStats>,
    ) -> Result<Registry, KeyError> {
        let (reply, started) = tokio::sync::oneshot::channel();
        let spawned = arbiter.spawn_fn(move || {
            actix_rt::spawn(async move {
                let started = async {
                    let store = Rc::new(Store::open(&url).await?);
                    Self::start_here(store, master_key, Announcer::default(), stats).await
                };
                // Nobody waits any more if the start was given up; the registry then ends with its address.
                drop(reply.send(started.await));
            });
        });
        if !spawned {
            return Err(KeyError::NoArbiter);
        }
        started.await.map_err(|_dropped| KeyError::NoArbiter)?
    }

    /// Starts the registry on the current thread, which the store's connection belongs to.
    ///
    /// # Errors
    /// Where the store holds a key that cannot be read with this master key.
    pub async fn start_here(
        store: Rc<Store>,
        master_key: MasterKey,
        announcer: Announcer,
        stats: Arc<ActorStats>,
    ) -> Result<Registry, KeyError> {
        let keys = KeyStore::open(store, master_key, announcer).await?;
        let (table, limits) = (Arc::clone(keys.table()), Arc::clone(keys.limits()));
        Ok(Registry { address: Self { keys: Rc::new(keys), stats }.start(), keys: table, limits })
    }

    /// Looks for what others have changed. No edit meanwhile: it could be overwritten by what was read before it.
    fn refresh(&mut self, ctx: &mut Context<Self>) {
        let (keys, stats) = (Rc::clone(&self.keys), Arc::clone(&self.stats));
        ctx.wait(actix::fut::wrap_future(async move {
            if let Err(error) = keys.refresh().await {
                // That the store is away it tells by itself, once.
                if !error.is_away() {
                    log::warn!("key registry: {error}; the keys in memory stay in force");
                }
                stats.fail(&error.to_string());
            }
        }));
    }

    /// Runs `work` alone: no other message is taken up before it ends, also when nobody waits for its answer any more.
    fn alone<T, E, F>(&self, work: impl FnOnce(Rc<KeyStore>) -> F) -> AtomicResponse<Self, Result<T, E>>
    where
        T: 'static,
        E: Fault + 'static,
        F: Future<Output = Result<T, E>> + 'static,
    {
        let stats = Arc::clone(&self.stats);
        let work = work(Rc::clone(&self.keys));
        AtomicResponse::new(Box::pin(actix::fut::wrap_future(async move {
            let _handling = stats.handling();
            let result = work.await;
            if let Err(e) = &result
                && e.is_fault()
            {
                log::error!("key registry: {e}");
                stats.fail(&e.to_string());
            }
            result
        })))
    }
}

/// How often the store is looked at for what another process has changed (G10).
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

impl Actor for KeyRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REFRESH_INTERVAL, Self::refresh);
    }
}

impl Handler<Refresh> for KeyRegistry {
    type Result = ();

    fn handle(&mut self, Refresh: Refresh, ctx: &mut Self::Context) {
        self.refresh(ctx);
    }
}

takes_parcels!(KeyRegistry);

impl Handler<CreateKey> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<CreatedKey, KeyError>>;

    fn handle(&mut self, CreateKey(new): CreateKey, _: &mut Self::Context) -> Self::Result {
        self.alone(|keys| async move { keys.create(new, Utc::now(), &mut SysRng).await })
    }
}

impl Handler<ListKeys> for KeyRegistry {
    type Result = MessageResult<ListKeys>;

    fn handle(&mut self, ListKeys: ListKeys, _: &mut Self::Context) -> Self::Result {
        let _handling = self.stats.handling();
        MessageResult(self.keys.table().load().all())
    }
}

impl Handler<GetKey> for KeyRegistry {
    type Result = MessageResult<GetKey>;

    fn handle(&mut self, GetKey(key): GetKey, _: &mut Self::Context) -> Self::Result {
        let _handling = self.stats.handling();
        MessageResult(self.keys.table().load().get(&key))
    }
}

impl Handler<UpdateKey> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<Arc<VirtualKey>, KeyError>>;

    fn handle(&mut self, UpdateKey { key, change }: UpdateKey, _: &mut Self::Context) -> Self::Result {
        self.alone(|keys| async move { keys.update(&key, change, Utc::now()).await })
    }
}

impl Handler<RevokeKey> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<Arc<VirtualKey>, KeyError>>;

    fn handle(&mut self, RevokeKey(key): RevokeKey, _: &mut Self::Context) -> Self::Result {
        let change = KeyChange { is_active: Some(false), ..KeyChange::default() };
        self.alone(|keys| async move { keys.update(&key, change, Utc::now()).await })
    }
}

impl Handler<RotateProviderKey> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<Arc<VirtualKey>, KeyError>>;

    fn handle(&mut self, rotate: RotateProviderKey, _: &mut Self::Context) -> Self::Result {
        let change = KeyChange { real_api_key: Some(Some(rotate.credential)), ..KeyChange::default() };
        self.alone(|keys| async move { keys.update(&rotate.key, change, Utc::now()).await })
    }
}

impl Handler<SetLimits> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<(), StoreError>>;

    fn handle(&mut self, SetLimits { scope, limits }: SetLimits, _: &mut Self::Context) -> Self::Result {
        self.alone(|keys| async move { keys.set_limits(&scope, limits).await })
    }
}

impl Handler<ReissueKey> for KeyRegistry {
    type Result = AtomicResponse<Self, Result<CreatedKey, KeyError>>;

    fn handle(&mut self, ReissueKey { key, grace }: ReissueKey, _: &mut Self::Context) -> Self::Result {
        self.alone(|keys| async move { keys.reissue(&key, grace, Utc::now(), &mut SysRng).await })
    }
}
