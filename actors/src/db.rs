//! The store: virtual keys, money and settings, in SQLite or PostgreSQL. The only place that knows diesel.
//!
//! A [`Store`] belongs to the thread of the actor that opened it; nothing else reads or writes through it.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the room that talks to databases")]

#[macro_use]
mod backend;
pub mod actor;
mod alerts;
mod audit;
pub mod bad_rows;
mod budgets;
mod changes;
mod error;
pub mod health;
mod limits;
mod prices;
mod schema;
mod scope_limits;
mod settings;
mod stored_responses;
mod usage;
mod virtual_keys;

#[cfg(test)]
pub(crate) mod tests;

pub use alerts::OutgoingAlert;
pub use audit::AuditEntry;
pub use backend::lenient::TableRows;
pub(crate) use backend::private_file::create_parent;
pub use backend::types::{At, Nanos};
pub use budgets::leases::{BudgetFigures, Lease, LeaseRequest};
pub use changes::{Changes, Mark, Which};
pub use error::StoreError;
pub use limits::ReadLimits;
pub use scope_limits::{ReadScopeLimits, scope_of};
pub use stored_responses::StoredResponseRow;
pub use usage::savings::{Savings, SavingsSum};
pub use usage::usage_report::{UsageGroup, UsageSum};
pub use virtual_keys::{KeyExpectation, KeyReissue, KeyRow, KeyRowChange};

use std::sync::Arc;
use std::time::Instant;

use backend::conn::Backend;
use backend::connect::Address;
use backend::postgres::Postgres;
use backend::sqlite::Sqlite;
use bad_rows::{BadRow, BadRows};
use health::StoreHealth;

/// An open database whose schema is up to date.
pub struct Store {
    backend: Backend,
    health: Arc<StoreHealth>,
}

impl Store {
    /// Opens a database and brings its schema up to date: `sqlite://PATH` (`sqlite:///var/lib/gateway.db` for an absolute
    /// path), or `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// A missing file is created with mode 0600, and its folder with mode 0700. A connection to PostgreSQL belongs to the
    /// runtime that it is opened on.
    ///
    /// # Errors
    /// Where the address is another one, or the database cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let backend = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let address = Address::parse(url)?;
            backend::migrate::postgres(&address).await?;
            Backend::Postgres(Box::new(Postgres::new(address)))
        } else {
            Backend::Sqlite(Sqlite::open(backend::sqlite::path_of(url)?).await?)
        };
        Ok(Self { backend, health: Arc::new(StoreHealth::new(Instant::now())) })
    }

    /// Whether a database can be reached by this address, as far as the address alone tells.
    ///
    /// # Errors
    /// What is wrong with the address; the text holds no password.
    pub fn check_address(url: &str) -> Result<(), StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Address::parse(url).map(drop);
        }
        backend::sqlite::path_of(url).map(drop)
    }

    /// The same store, whose answers and failures are noted there.
    #[must_use]
    pub fn noting(self, health: Arc<StoreHealth>) -> Self {
        Self { health, ..self }
    }

    /// The rows that cannot be read.
    pub fn bad_rows(&self) -> &BadRows {
        &self.health.bad_rows
    }

    /// Notes which rows of a table were found bad, where these were read.
    pub fn note_bad(&self, table: &'static str, read: &Which, bad: Vec<BadRow>) {
        match read {
            Which::All => self.bad_rows().read_all(table, bad),
            Which::Some(ids) => self.bad_rows().read_some(table, ids.iter().map(String::as_str), bad),
        }
    }

    /// The same for a question that only reads: SQLite answers it while nothing can be written.
    fn heard_read<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match (&self.backend, &outcome) {
            // Whether it can be written is then tried until it can.
            (Backend::Sqlite(sqlite), Ok(_)) if sqlite.is_watched() => outcome,
            (Backend::Sqlite(sqlite), Ok(_)) if self.health.fails() => {
                sqlite.watch(self.health.clone());
                outcome
            }
            _ => self.heard(outcome),
        }
    }

    /// Notes what became of a question, and tells where a time of failures begins and ends.
    fn heard<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Err(error) if error.is_failure() => {
                if self.health.failed() {
                    log::warn!("the store is unavailable: {error}");
                }
                if let Backend::Sqlite(sqlite) = &self.backend {
                    sqlite.watch(self.health.clone());
                }
            }
            _ => {
                if self.health.answered(Instant::now()) {
                    log::info!("the store is available again");
                }
            }
        }
        outcome
    }
}
