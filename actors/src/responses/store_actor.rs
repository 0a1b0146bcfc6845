//! `ResponseStore`: the owner of the stored responses.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use chrono::Utc;

use super::records::ResponseRecords;
use super::waiting_bytes::Reserved;
use crate::db::{At, Store, StoreError, StoredResponseRow};
use crate::metrics::Metrics;
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;

/// How often expired responses are removed.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3_600);

/// Keeps a response, and writes it as soon as those before it are written.
pub struct PutResponse {
    pub(super) row: StoredResponseRow,
    pub(super) reserved: Reserved,
}

impl Message for PutResponse {
    type Result = ();
}

/// Reads a tenant's response, written or not.
pub struct GetResponse {
    /// Who asks.
    pub tenant: String,
    /// The response's name.
    pub id: String,
}

impl Message for GetResponse {
    type Result = Result<Option<StoredResponseRow>, StoreError>;
}

/// Removes a tenant's response; gives whether it was there.
pub struct DeleteResponse {
    /// Who asks.
    pub tenant: String,
    /// The response's name.
    pub id: String,
}

impl Message for DeleteResponse {
    type Result = Result<bool, StoreError>;
}

/// Notes a response that cannot be opened.
pub struct NoteBadResponse {
    /// The response's name.
    pub id: String,
    /// What is wrong with its row.
    pub problem: String,
}

impl Message for NoteBadResponse {
    type Result = ();
}

/// Writes whatever waits.
pub struct FlushResponses;

impl Message for FlushResponses {
    type Result = ();
}

/// The actor. Its messages run beside each other.
pub struct ResponseStore {
    records: Rc<ResponseRecords>,
    stats: Arc<ActorStats>,
}

impl ResponseStore {
    /// An actor for the thread that the store's connection belongs to.
    pub fn new(store: Rc<Store>, metrics: Arc<Metrics>, stats: Arc<ActorStats>) -> Self {
        Self { records: Rc::new(ResponseRecords::new(store, metrics)), stats }
    }

    fn expire(&self) {
        let (records, stats) = (self.records.clone(), self.stats.clone());
        actix::spawn(async move {
            if let Err(error) = records.expire(At::from(Utc::now())).await {
                if !error.is_away() {
                    log::warn!("expired responses could not be removed: {error}");
                }
                stats.fail(&error.to_string());
            }
        });
    }
}

impl Actor for ResponseStore {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.expire();
        ctx.run_interval(EXPIRY_INTERVAL, |actor, _| actor.expire());
    }
}

takes_parcels!(ResponseStore);

impl Handler<PutResponse> for ResponseStore {
    type Result = ();

    fn handle(&mut self, PutResponse { row, reserved }: PutResponse, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        self.records.put(row, reserved);
        let records = self.records.clone();
        actix::spawn(async move { records.write().await });
    }
}

impl Handler<GetResponse> for ResponseStore {
    type Result = ResponseFuture<Result<Option<StoredResponseRow>, StoreError>>;

    fn handle(&mut self, GetResponse { tenant, id }: GetResponse, _: &mut Context<Self>) -> Self::Result {
        let (records, stats) = (self.records.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            records.get(&tenant, &id).await.inspect_err(|error| handling.fail(&error.to_string()))
        })
    }
}

impl Handler<DeleteResponse> for ResponseStore {
    type Result = ResponseFuture<Result<bool, StoreError>>;

    fn handle(&mut self, DeleteResponse { tenant, id }: DeleteResponse, _: &mut Context<Self>) -> Self::Result {
        let (records, stats) = (self.records.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            records.delete(&tenant, &id).await.inspect_err(|error| handling.fail(&error.to_string()))
        })
    }
}

impl Handler<NoteBadResponse> for ResponseStore {
    type Result = ();

    fn handle(&mut self, NoteBadResponse { id, problem }: NoteBadResponse, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        self.records.note_bad(&id, &problem);
    }
}

impl Handler<FlushResponses> for ResponseStore {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, FlushResponses: FlushResponses, _: &mut Context<Self>) -> Self::Result {
        let (records, stats) = (self.records.clone(), self.stats.clone());
        Box::pin(async move {
            let _handling = stats.handling();
            records.flush().await;
        })
    }
}
