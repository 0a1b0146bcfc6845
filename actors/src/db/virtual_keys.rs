//! The `virtual_keys` table.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::conn::Backend;
use super::schema::virtual_keys;
use super::types::{At, Nanos, sql};
use super::{Store, StoreError};

/// How far back a look for changes reaches behind the one before it: a row is stamped when it is written and seen when
/// it is committed.
const OVERLAP_MICROS: i64 = 20_000_000;

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
    /// Tokens per minute.
    pub tokens_per_minute: Option<i64>,
    /// Requests under way at once.
    pub max_parallel: Option<i64>,
    /// US dollars per `budget_period`.
    pub budget_limit_usd: Option<Nanos>,
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
    /// When the key stops working.
    pub expires_at: Option<At>,
    /// False once revoked.
    pub is_active: bool,
    /// When the key was made.
    pub created_at: At,
    /// When the key was last changed, by the clock of who changed it.
    pub updated_at: At,
    /// SHA-256 of the text that the key had before it was reissued.
    pub former_key: Option<String>,
    /// When the former text stops working.
    pub former_until: Option<At>,
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
    pub tokens_per_minute: Option<Option<i64>>,
    pub max_parallel: Option<Option<i64>>,
    pub budget_limit_usd: Option<Option<Nanos>>,
    pub budget_period: Option<String>,
    pub user_id: Option<Option<String>>,
    pub team_id: Option<Option<String>>,
    pub allowed_models: Option<Option<String>>,
    pub allowed_providers: Option<Option<String>>,
    pub config: Option<Option<String>>,
    pub expires_at: Option<Option<At>>,
    pub is_active: Option<bool>,
    pub updated_at: At,
}

/// The new text of a key; see [`KeyRow`] for what the columns mean.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns are documented on KeyRow")]
pub struct KeyReissue {
    pub virtual_key: String,
    pub hint: String,
    pub former_until: At,
    pub updated_at: At,
}

/// What changed since an earlier look.
#[derive(Debug)]
pub struct KeyChanges {
    /// The keys that were made or changed; some of them may be known already.
    pub rows: Vec<KeyRow>,
    /// How many keys there are: another number than expected means that rows were deleted.
    pub count: i64,
    /// What to ask with next time.
    pub mark: At,
}

#[derive(QueryableByName)]
struct Summary {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = sql::Moment)]
    mark: At,
}

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    /// Where the database fails, or a key with this id or this hash is there already.
    pub async fn insert_key(&self, row: &KeyRow) -> Result<(), StoreError> {
        on!(self, c => diesel::insert_into(virtual_keys::table).values(row.clone()).execute(c)).map(drop)
    }

    /// All keys, revoked ones included.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        again!(self, c => virtual_keys::table.select(KeyRow::as_select()).load(c))
    }

    /// The ids of all keys.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn key_ids(&self) -> Result<Vec<String>, StoreError> {
        again!(self, c => virtual_keys::table.select(virtual_keys::id).load(c))
    }

    /// Changes one key and returns it as it now is; none if there is no such id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn update_key(&self, id: &str, change: KeyRowChange) -> Result<Option<KeyRow>, StoreError> {
        on!(self, c => async {
            let updated = diesel::update(virtual_keys::table.filter(virtual_keys::id.eq(id))).set(change);
            updated.returning(KeyRow::as_returning()).get_result(c).await.optional()
        })
    }

    /// Gives one key a new text (H5). The text that it has in the store becomes its former one, whatever the caller
    /// knew.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reissue_key(&self, id: &str, new: KeyReissue) -> Result<Option<KeyRow>, StoreError> {
        on!(self, c => async {
            let reissued = diesel::update(virtual_keys::table.filter(virtual_keys::id.eq(id))).set((
                virtual_keys::former_key.eq(virtual_keys::virtual_key.nullable()),
                virtual_keys::former_until.eq(new.former_until),
                virtual_keys::virtual_key.eq(&new.virtual_key),
                virtual_keys::hint.eq(&new.hint),
                virtual_keys::updated_at.eq(new.updated_at),
            ));
            reissued.returning(KeyRow::as_returning()).get_result(c).await.optional()
        })
    }

    /// The keys that were made or changed since `mark` by anyone, also by hand (G10); the first mark is `At(0)`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keys_changed_since(&self, mark: At) -> Result<KeyChanges, StoreError> {
        let since = At(mark.0.saturating_sub(OVERLAP_MICROS));
        let now = match &self.backend {
            Backend::Postgres(_) => "clock_timestamp()",
            Backend::Sqlite(_) => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
        };
        // The clock is read before the rows: a change between the two is seen again next time.
        let summary = format!("SELECT count(*) AS count, {now} AS mark FROM virtual_keys");
        let summary: Summary = again!(self, c => diesel::sql_query(&summary).get_result(c))?;
        let changed = virtual_keys::table.filter(virtual_keys::changed_at.ge(since));
        let rows = again!(self, c => changed.select(KeyRow::as_select()).load(c))?;
        Ok(KeyChanges { rows, count: summary.count, mark: summary.mark })
    }
}
