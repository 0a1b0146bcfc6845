//! Brings the schema up to date; see `migrations/README.md` for the rule that every migration keeps.

use std::time::Duration;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::time::timeout;

use super::connect::Address;
use crate::db::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// The lock that one replica holds while it migrates; the others wait, then find nothing to do.
const LOCK: &str = "SELECT pg_advisory_lock(7236120250115)";

/// How long PostgreSQL may take for all that is pending, the wait for another replica included.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);

const UNLOCK: &str = "SELECT pg_advisory_unlock(7236120250115)";

/// Runs what is pending. The exclusive transaction makes a second process wait and then find nothing to do.
pub(in crate::db) fn sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection.exclusive_transaction(|connection| connection.run_pending_migrations(SQLITE).map(drop)).map_err(
        |error| match error.downcast::<diesel::result::Error>() {
            Ok(error) => StoreError::Query(*error),
            Err(error) => StoreError::Migrate(error.to_string()),
        },
    )
}

/// Runs what is pending, on a thread where the driver may block.
pub(in crate::db) async fn postgres(address: &Address) -> Result<(), StoreError> {
    let connection = address.connect().await?;
    let migrated = tokio::task::spawn_blocking(move || run_postgres(connection.into()));
    let migrated =
        timeout(MIGRATION_TIMEOUT, migrated).await.map_err(|_elapsed| StoreError::Timeout(MIGRATION_TIMEOUT))?;
    migrated.map_err(|_ended| StoreError::Away)?.map_err(|failure| match failure {
        Failure::Away(reason) => address.away(reason),
        Failure::Schema(reason) => address.migrate(reason),
    })
}

enum Failure {
    Away(String),
    Schema(String),
}

fn run_postgres(mut connection: AsyncConnectionWrapper<AsyncPgConnection>) -> Result<(), Failure> {
    migrate_locked(&mut connection).map_err(|reason| match connection.batch_execute("SELECT 1") {
        Ok(()) => Failure::Schema(reason),
        Err(_gone) => Failure::Away(reason),
    })
}

fn migrate_locked(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> Result<(), String> {
    connection.batch_execute(LOCK).map_err(|error| error.to_string())?;
    connection.run_pending_migrations(POSTGRES).map_err(|error| error.to_string())?;
    connection.batch_execute(UNLOCK).map_err(|error| error.to_string())
}
