//! Brings the schema up to date; see `migrations/README.md` for the rule that every migration keeps.

use diesel::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// Runs what is pending. The exclusive transaction makes a second process wait and then find nothing to do.
pub(super) fn run(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection
        .exclusive_transaction(|connection| connection.run_pending_migrations(SQLITE).map(drop))
        .map_err(StoreError::Migrate)
}
