//! The work of the response store, without the actor.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use chrono::Utc;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::waiting_bytes::Reserved;
use super::write_queue::{Removal, WriteQueue};
use crate::db::{At, Store, StoreError, StoredResponseRow};
use crate::metrics::Metrics;

/// Expired responses that go in one statement; each may be large.
const EXPIRY_BATCH_SIZE: u32 = 50;

/// The responses of the database, and those on their way there.
pub(super) struct ResponseRecords {
    store: Rc<Store>,
    metrics: Arc<Metrics>,
    queue: RefCell<WriteQueue>,
    /// Held by whoever empties the queue.
    writer: Mutex<()>,
    /// Held while a batch is on its way.
    batch: Mutex<()>,
    /// Held while expired responses are removed.
    expiring: Mutex<()>,
}

impl ResponseRecords {
    pub(super) fn new(store: Rc<Store>, metrics: Arc<Metrics>) -> Self {
        let (writer, batch, expiring) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { store, metrics, queue: RefCell::default(), writer, batch, expiring }
    }

    /// Adds a response to those that [`ResponseRecords::write`] writes.
    pub(super) fn put(&self, row: StoredResponseRow, reserved: Reserved) {
        self.queue.borrow_mut().push(row, reserved);
    }

    /// Writes whatever waits, unless somebody does so already.
    pub(super) async fn write(&self) {
        if let Ok(_writer) = self.writer.try_lock() {
            self.empty_queue().await;
        }
    }

    /// Writes whatever waits, and waits for those who do so already.
    pub(super) async fn flush(&self) {
        let _writer = self.writer.lock().await;
        self.empty_queue().await;
    }

    async fn empty_queue(&self) {
        loop {
            let _batch = self.batch.lock().await;
            let rows = self.queue.borrow_mut().next_batch();
            if rows.is_empty() {
                return;
            }
            join_all(rows.iter().map(|row| self.write_one(row))).await;
        }
    }

    /// What the database does not take is dropped: a client is told that it does not exist, and sends the conversation.
    async fn write_one(&self, row: &StoredResponseRow) {
        let written = self.store.put_stored_response(row).await;
        self.queue.borrow_mut().done(&row.id);
        match written {
            Ok(()) => self.metrics.stored_response("written"),
            Err(error) => {
                // That the database is away is told by itself, once.
                if !error.is_away() {
                    log::error!("a response was not stored: {error}");
                }
                self.metrics.stored_response("failed");
            }
        }
    }

    /// A tenant's response.
    pub(super) async fn get(&self, tenant: &str, id: &str) -> Result<Option<StoredResponseRow>, StoreError> {
        let now = At::from(Utc::now());
        let waiting = self.queue.borrow().get(tenant, id, now);
        match waiting {
            Some(row) => Ok(Some(StoredResponseRow::clone(&row))),
            None => self.store.stored_response(tenant, id, now).await,
        }
    }

    /// Removes a tenant's response, and tells whether it was there.
    pub(super) async fn delete(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let removal = self.queue.borrow_mut().remove(tenant, id);
        if removal == Removal::Unwritten {
            return Ok(true);
        }
        if removal == Removal::BeingWritten {
            // Otherwise it could come after its removal.
            drop(self.batch.lock().await);
        }
        let was_there = self.store.delete_stored_response(tenant, id, At::from(Utc::now())).await?;
        Ok(was_there || removal == Removal::BeingWritten)
    }

    /// Notes that a response of the database cannot be opened.
    pub(super) fn note_bad(&self, id: &str, problem: &str) {
        self.store.note_bad_response(id, problem);
    }

    /// Removes the responses that have expired, some at a time.
    pub(super) async fn expire(&self, now: At) -> Result<(), StoreError> {
        let Ok(_alone) = self.expiring.try_lock() else { return Ok(()) };
        let mut count = 0;
        loop {
            let removed = self.store.delete_expired_responses(now, EXPIRY_BATCH_SIZE).await?;
            count += removed;
            if removed == 0 {
                break;
            }
            // Whatever else waits for the store has its turn.
            tokio::task::yield_now().await;
        }
        if count > 0 {
            log::info!("removed {count} expired responses");
        }
        Ok(())
    }
}
