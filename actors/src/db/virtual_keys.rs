//! The `virtual_keys` table.

use std::fmt;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::schema::virtual_keys;
use super::{Store, StoreError};

/// One row of `virtual_keys`, as it is stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = virtual_keys)]
pub struct KeyRow {
    /// The key's UUID.
    pub id: String,
    /// SHA-256 of the key text, in lower-case hexadecimal digits.
    pub virtual_key: String,
    /// The key as shown to people: `vk-abc…wxyz`.
    pub hint: String,
    /// What the administrator calls it.
    pub name: String,
    /// The provider that `real_api_key` belongs to.
    pub provider: Option<String>,
    /// The provider credential, sealed.
    pub real_api_key: Option<Vec<u8>>,
    /// Requests per minute.
    pub rate_limit: Option<i64>,
    /// Billionths of a US dollar per `budget_period`.
    pub budget_limit_usd: Option<i64>,
    /// `total`, `day`, `week` or `month`.
    pub budget_period: String,
    /// The user whose budget the key also draws on.
    pub user_id: Option<String>,
    /// The team whose budget the key also draws on.
    pub team_id: Option<String>,
    /// A JSON array of model patterns.
    pub allowed_models: Option<String>,
    /// A JSON array of provider names.
    pub allowed_providers: Option<String>,
    /// The named routing config.
    pub config: Option<String>,
    /// Microseconds since 1970, UTC.
    pub expires_at: Option<i64>,
    /// False once revoked.
    pub is_active: bool,
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    /// Microseconds since 1970, UTC.
    pub updated_at: i64,
}

impl fmt::Debug for KeyRow {
    /// Tells which key it is, and neither its hash nor its sealed credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The columns that an edit writes. What is absent is not written, so that two edits of different columns do not undo
/// each other (G10); see [`KeyRow`] for what the columns mean.
#[derive(Clone, Default, AsChangeset)]
#[diesel(table_name = virtual_keys)]
#[expect(missing_docs, reason = "the columns are documented on KeyRow")]
pub struct KeyRowChange {
    pub name: Option<String>,
    pub provider: Option<Option<String>>,
    pub real_api_key: Option<Option<Vec<u8>>>,
    pub rate_limit: Option<Option<i64>>,
    pub budget_limit_usd: Option<Option<i64>>,
    pub budget_period: Option<String>,
    pub user_id: Option<Option<String>>,
    pub team_id: Option<Option<String>>,
    pub allowed_models: Option<Option<String>>,
    pub allowed_providers: Option<Option<String>>,
    pub config: Option<Option<String>>,
    pub expires_at: Option<Option<i64>>,
    pub is_active: Option<bool>,
    pub updated_at: i64,
}

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    /// Where the database fails, or a key with this id or this hash is there already.
    pub async fn insert_key(&self, row: &KeyRow) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        diesel::insert_into(virtual_keys::table).values(row.clone()).execute(&mut *connection).await?;
        Ok(())
    }

    /// All keys, revoked ones included.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut connection = self.connection.lock().await;
        Ok(virtual_keys::table.select(KeyRow::as_select()).load(&mut *connection).await?)
    }

    /// Changes one key and returns it as it now is; none if there is no such id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn update_key(&self, id: &str, change: KeyRowChange) -> Result<Option<KeyRow>, StoreError> {
        let mut connection = self.connection.lock().await;
        let row = diesel::update(virtual_keys::table.filter(virtual_keys::id.eq(id)))
            .set(change)
            .returning(KeyRow::as_returning())
            .get_result(&mut *connection)
            .await;
        Ok(row.optional()?)
    }
}
