//! `StoreActor`: what is kept in the store and in nobody's memory: the audit log, settings, and reports on the usage log.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use serde_json::json;

use super::{At, AuditEntry, Savings, Store, StoreError, UsageGroup, UsageSum};
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;

/// Adds up the usage log.
pub struct ReportUsage {
    /// By what.
    pub group: UsageGroup,
    /// From when, in microseconds since 1970.
    pub from: i64,
    /// Before when, in microseconds since 1970.
    pub to: i64,
}

impl Message for ReportUsage {
    type Result = Result<Vec<UsageSum>, StoreError>;
}

/// Adds up what routing and the cache saved.
pub struct ReportSavings {
    /// From when, in microseconds since 1970.
    pub from: i64,
    /// Before when, in microseconds since 1970.
    pub to: i64,
}

impl Message for ReportSavings {
    type Result = Result<Savings, StoreError>;
}

/// Reads the newest entries of the audit log.
pub struct ListAudit {
    /// How many at most.
    pub most: u32,
}

impl Message for ListAudit {
    type Result = Result<Vec<AuditEntry>, StoreError>;
}

/// Notes in the audit log what was done through the admin API.
pub struct NoteAudit {
    /// What was done.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
}

impl Message for NoteAudit {
    type Result = Result<(), StoreError>;
}

/// Reads a setting, such as the hash of the admin token.
pub struct GetSetting(pub String);

impl Message for GetSetting {
    type Result = Result<Option<String>, StoreError>;
}

/// Sets a setting, replacing its former value.
pub struct SetSetting {
    /// Its name.
    pub name: String,
    /// Its value, which must not be a secret in the clear.
    pub value: String,
}

impl Message for SetSetting {
    type Result = Result<(), StoreError>;
}

/// The actor. Its messages run beside each other.
pub struct StoreActor {
    store: Rc<Store>,
    stats: Arc<ActorStats>,
}

impl StoreActor {
    /// An actor for the thread that the store's connection belongs to.
    pub fn new(store: Rc<Store>, stats: Arc<ActorStats>) -> Self {
        Self { store, stats }
    }

    /// Does some work with the store, and shows what becomes of it.
    fn work<T: 'static>(
        &self,
        work: impl AsyncFnOnce(&Store) -> Result<T, StoreError> + 'static,
    ) -> ResponseFuture<Result<T, StoreError>> {
        let (store, stats) = (self.store.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            work(&store).await.inspect_err(|error| handling.fail(&error.to_string()))
        })
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;
}

takes_parcels!(StoreActor);

impl Handler<ReportUsage> for StoreActor {
    type Result = ResponseFuture<Result<Vec<UsageSum>, StoreError>>;

    fn handle(&mut self, ReportUsage { group, from, to }: ReportUsage, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| store.usage_report(group, from, to).await)
    }
}

impl Handler<ReportSavings> for StoreActor {
    type Result = ResponseFuture<Result<Savings, StoreError>>;

    fn handle(&mut self, ReportSavings { from, to }: ReportSavings, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| store.savings(from, to).await)
    }
}

impl Handler<ListAudit> for StoreActor {
    type Result = ResponseFuture<Result<Vec<AuditEntry>, StoreError>>;

    fn handle(&mut self, ListAudit { most }: ListAudit, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| store.list_audit(At(i64::MAX), most).await)
    }
}

impl Handler<NoteAudit> for StoreActor {
    type Result = ResponseFuture<Result<(), StoreError>>;

    fn handle(&mut self, NoteAudit { action, subject }: NoteAudit, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| {
            store.audit(action, &subject, json!({})).await;
            Ok(())
        })
    }
}

impl Handler<GetSetting> for StoreActor {
    type Result = ResponseFuture<Result<Option<String>, StoreError>>;

    fn handle(&mut self, GetSetting(name): GetSetting, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| store.setting(&name).await)
    }
}

impl Handler<SetSetting> for StoreActor {
    type Result = ResponseFuture<Result<(), StoreError>>;

    fn handle(&mut self, SetSetting { name, value }: SetSetting, _: &mut Self::Context) -> Self::Result {
        self.work(async move |store| store.set_setting(&name, &value).await)
    }
}
