//! The store: virtual keys, money and settings, in SQLite or PostgreSQL. The only place that knows diesel.
//!
//! A [`Store`] belongs to the thread of the actor that opened it; nothing else reads or writes through it.

#[macro_use]
mod conn;

mod alerts;
mod audit;
mod error;
mod figures;
mod leases;
mod limits;
mod migrate;
mod numeric;
mod postgres;
mod price_row;
mod pricing;
mod schema;
mod scope_limits;
mod settings;
mod spend;
mod sqlite;
mod types;
mod usage_log;
mod usage_report;
mod usage_rows;
mod virtual_keys;

#[cfg(test)]
pub(crate) mod test_dir;
#[cfg(test)]
mod test_place;
#[cfg(test)]
mod test_postgres;

pub use alerts::OutgoingAlert;
pub use audit::AuditEntry;
pub use error::StoreError;
pub use leases::{BudgetFigures, Lease, LeaseRequest};
pub use pricing::PricesVersion;
pub use types::{At, Nanos};
pub use usage_report::{UsageGroup, UsageSum};
pub use virtual_keys::{KeyChanges, KeyReissue, KeyRow, KeyRowChange};

use conn::Backend;
use postgres::Postgres;
use sqlite::Sqlite;

/// An open database whose schema is up to date.
pub struct Store {
    backend: Backend,
}

impl Store {
    /// Opens a database and brings its schema up to date: `sqlite://PATH` (`sqlite:///var/lib/gateway.db` for an absolute
    /// path), or `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// A missing file is created with mode 0600, and its folder with mode 0700. A connection to PostgreSQL is not
    /// encrypted. It belongs to the runtime that it is opened on.
    ///
    /// # Errors
    /// Where the address is another one, or the database cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            migrate::postgres(url).await?;
            return Ok(Self { backend: Backend::Postgres(Box::new(Postgres::new(url.to_owned()))) });
        }
        let path = sqlite::path_of(url)?;
        let mut connection = sqlite::connect(path)?;
        migrate::sqlite(&mut connection)?;
        Ok(Self { backend: Backend::Sqlite(Sqlite::new(path, connection)) })
    }
}

#[cfg(test)]
mod tests;
