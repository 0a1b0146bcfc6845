//! Brings the schema up to date; see `migrations/README.md` for the rule that every migration keeps.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// The lock that one replica holds while it migrates; the others wait, then find nothing to do.
const LOCK: &str = "SELECT pg_advisory_lock(7236120250115)";

const UNLOCK: &str = "SELECT pg_advisory_unlock(7236120250115)";

/// Runs what is pending. The exclusive transaction makes a second process wait and then find nothing to do.
pub(super) fn sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection
        .exclusive_transaction(|connection| connection.run_pending_migrations(SQLITE).map(drop))
        .map_err(|error| StoreError::Migrate(error.to_string()))
}

/// Runs what is pending, on a thread where the driver may block.
pub(super) async fn postgres(url: &str) -> Result<(), StoreError> {
    let owned = url.to_owned();
    let migrated = tokio::task::spawn_blocking(move || run_postgres(&owned));
    migrated.await.map_err(|_ended| StoreError::Away)?
}

fn run_postgres(url: &str) -> Result<(), StoreError> {
    let connection = AsyncConnectionWrapper::<AsyncPgConnection>::establish(url);
    let mut connection = connection.map_err(|error| StoreError::postgres(url, &error.to_string()))?;
    let failed = |error: &dyn std::fmt::Display| StoreError::migrate(url, error);
    connection.batch_execute(LOCK).map_err(|error| failed(&error))?;
    connection.run_pending_migrations(POSTGRES).map_err(|error| failed(&error))?;
    connection.batch_execute(UNLOCK).map_err(|error| failed(&error))
}
