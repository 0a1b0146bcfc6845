//! The way of request handlers to the stored responses: sealed and opened on their own threads.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use gateway_wire::clients::Sealer;

use super::record::{self, SealError, StoredResponse};
use super::store_actor::{DeleteResponse, FlushResponses, GetResponse, NoteBadResponse, PutResponse, ResponseStore};
use super::summary_sealer::SummarySealer;
use super::waiting_bytes::WaitingBytes;
use crate::db::StoreError;
use crate::keys::encryption::MasterKey;
use crate::metrics::Metrics;
use crate::runtime::mailbox::{AskError, Mailbox};

/// Bytes of responses that may wait to be written; one more is dropped.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// The longest name of a response: an index of PostgreSQL's must hold it.
const MAX_ID_BYTES: usize = 512;

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The configuration says so.
    #[error("nothing is stored")]
    Off,
    /// Its content is larger than what is stored.
    #[error("the response is too large to be stored")]
    TooLarge,
    /// Too many responses wait for the database.
    #[error("too many responses wait to be stored")]
    Full,
    /// It cannot be written.
    #[error("the response could not be stored")]
    Failed,
}

/// Why a stored response could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum ResponseStoreError {
    /// The actor did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored, and how long.
#[derive(Clone, Copy, Debug)]
pub struct ResponseRules {
    /// Bytes of a response with its conversation; a larger one is not stored.
    pub max_bytes: usize,
    /// How long a response is kept; none stores nothing.
    pub keep: Option<TimeDelta>,
}

/// The stored responses.
#[derive(Clone)]
pub struct StoredResponses {
    mailbox: Mailbox<ResponseStore>,
    master_key: MasterKey,
    rules: ResponseRules,
    metrics: Arc<Metrics>,
    waiting: WaitingBytes,
}

impl StoredResponses {
    /// A way to the actor behind a mailbox; the master key seals what is stored.
    pub fn new(
        mailbox: Mailbox<ResponseStore>,
        master_key: MasterKey,
        rules: ResponseRules,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { mailbox, master_key, rules, metrics, waiting: WaitingBytes::new(MAX_WAITING_BYTES) }
    }

    /// Whether responses are stored at all.
    pub fn is_on(&self) -> bool {
        self.rules.keep.is_some()
    }

    /// The mailbox of the actor.
    pub fn mailbox(&self) -> &Mailbox<ResponseStore> {
        &self.mailbox
    }

    /// What seals the summaries of a tenant's compacted conversations.
    pub fn sealer(&self, tenant: &str) -> Arc<dyn Sealer> {
        Arc::new(SummarySealer::new(self.master_key.clone(), tenant))
    }

    /// Stores a response. From here on [`StoredResponses::get`] finds it in this process, and in others once it is
    /// written, which is not waited for. A response whose id is used already changes nothing.
    ///
    /// # Errors
    /// Why it is not stored; each is counted.
    pub fn put(&self, response: StoredResponse) -> Result<(), NotStored> {
        let keep = self.rules.keep.ok_or(NotStored::Off)?;
        self.enqueue(response, keep).inspect_err(|refusal| {
            self.metrics.stored_response(match refusal {
                NotStored::TooLarge => "too_large",
                NotStored::Full => "full",
                NotStored::Off | NotStored::Failed => "failed",
            });
        })
    }

    fn enqueue(&self, response: StoredResponse, keep: TimeDelta) -> Result<(), NotStored> {
        if !is_id(&response.id) {
            log::error!("a response was not stored: its id has more than {MAX_ID_BYTES} bytes or is not ASCII");
            return Err(NotStored::Failed);
        }
        let sealed = record::seal(response, &self.master_key, keep, self.rules.max_bytes);
        let row = sealed.map_err(|error| match error {
            SealError::TooLarge(_) => NotStored::TooLarge,
            error => {
                log::error!("a response was not stored: {error}");
                NotStored::Failed
            }
        })?;
        let reserved = self.waiting.reserve(row.sealed.len()).ok_or(NotStored::Full)?;
        self.mailbox.tell(PutResponse { row, reserved }).map_err(|_full_or_closed| NotStored::Full)
    }

    /// A tenant's response; another tenant's looks as if it did not exist.
    ///
    /// # Errors
    /// Where nobody knows, as the database is away.
    pub async fn get(&self, tenant: &str, id: &str) -> Result<Option<StoredResponse>, ResponseStoreError> {
        if !is_id(id) {
            return Ok(None);
        }
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        let Some(row) = self.mailbox.ask(GetResponse { tenant, id }).await?? else { return Ok(None) };
        let id = row.id.clone();
        match record::open(row, &self.master_key) {
            Ok(response) => Ok(Some(response)),
            Err(problem) => {
                self.mailbox.tell(NoteBadResponse { id, problem })?;
                Ok(None)
            }
        }
    }

    /// Removes a tenant's response, and tells whether it was there.
    ///
    /// # Errors
    /// Where nobody knows, as the database is away.
    pub async fn delete(&self, tenant: &str, id: &str) -> Result<bool, ResponseStoreError> {
        if !is_id(id) {
            return Ok(false);
        }
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        Ok(self.mailbox.ask(DeleteResponse { tenant, id }).await??)
    }

    /// Writes whatever waits, within this time.
    ///
    /// # Errors
    /// Where that takes longer.
    pub async fn flush(&self, longest: Duration) -> Result<(), AskError> {
        self.mailbox.within(longest).ask(FlushResponses).await
    }
}

/// Whether a response can have this name: what is no text of PostgreSQL's, or too long for its index, is none.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
