//! The store: virtual keys and settings in SQLite. The only place that knows diesel.
//!
//! A [`Store`] belongs to the thread of the actor that opened it; nothing else reads or writes through it.

mod error;
mod figures;
mod leases;
mod limits;
mod migrate;
mod pricing;
mod schema;
mod settings;
mod sqlite;
mod usage_log;
mod usage_report;
mod virtual_keys;

#[cfg(test)]
pub(crate) mod test_dir;

use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use tokio::sync::Mutex;

pub use error::StoreError;
pub use leases::{BudgetFigures, LeaseRequest};
pub use usage_report::{UsageGroup, UsageSum};
pub use virtual_keys::{KeyRow, KeyRowChange};

use sqlite::Inline;

/// An open database whose schema is up to date.
pub struct Store {
    connection: Mutex<SyncConnectionWrapper<SqliteConnection, Inline>>,
}

impl Store {
    /// Opens `sqlite://PATH` (`sqlite:///var/lib/gateway.db` for an absolute path) and brings its schema up to date.
    ///
    /// A missing file is created with mode 0600, and its folder with mode 0700.
    ///
    /// # Errors
    /// Where the address is another one, or the database cannot be opened or migrated.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let path = sqlite::path_of(url)?;
        let mut connection = sqlite::connect(path)?;
        migrate::run(&mut connection)?;
        Ok(Self { connection: Mutex::new(SyncConnectionWrapper::with_runtime(connection, Inline)) })
    }

    /// Runs some statements on the connection.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().await;
        Ok(connection.spawn_blocking(work).await?)
    }

    /// Runs some statements that belong together: all of them take effect, or none. It takes the writers' lock at its
    /// beginning, since a reader that becomes a writer is refused without waiting.
    async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with(|connection| connection.immediate_transaction(work)).await
    }
}

#[cfg(test)]
mod tests;
