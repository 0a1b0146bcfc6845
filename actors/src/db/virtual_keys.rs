//! The `virtual_keys` table.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::backend::lenient::{Lenient, TableRows};
use super::backend::types::{At, Nanos};
use super::bad_rows::BadRow;
use super::changes::Which;
use super::schema::virtual_keys;
use super::{Store, StoreError};

/// Rows that are read in one statement by their ids.
const BATCH_SIZE: usize = 500;

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

/// What an edit of a provider or its credential goes out from. Another process may have changed it meanwhile, and a
/// credential must not end with a provider that it was not given for.
#[derive(Clone, Debug)]
pub struct KeyExpectation {
    /// The provider.
    pub provider: Option<String>,
    /// Whether there is no credential.
    pub is_without_credential: bool,
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

impl Store {
    /// Whether a key has a credential of its own.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn has_sealed_credentials(&self) -> Result<bool, StoreError> {
        let sealed = virtual_keys::table.filter(virtual_keys::real_api_key.is_not_null());
        let one = sealed.select(virtual_keys::id).limit(1);
        let found: Vec<String> = read!(self, c => one.load(c))?;
        Ok(!found.is_empty())
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Where the database fails, or a key with this id or this hash is there already.
    pub async fn insert_key(&self, row: &KeyRow) -> Result<(), StoreError> {
        on!(self, c => diesel::insert_into(virtual_keys::table).values(row.clone()).execute(c)).map(drop)
    }

    /// Keys, revoked ones included, and the rows that cannot be read.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_keys(&self, which: &Which) -> Result<TableRows<KeyRow>, StoreError> {
        match which {
            Which::Some(ids) => self.keys_of(ids.iter().cloned().collect()).await,
            Which::All => match read!(self, c => virtual_keys::table.select(KeyRow::as_select()).load(c)) {
                Err(error) if error.is_unreadable() => self.keys_one_by_one().await,
                rows => Ok(TableRows { rows: rows?, bad: Vec::new() }),
            },
        }
    }

    /// All keys, where one of them cannot be read.
    async fn keys_one_by_one(&self) -> Result<TableRows<KeyRow>, StoreError> {
        let ids: Vec<Lenient<String>> = read!(self, c => virtual_keys::table.select(virtual_keys::id).load(c))?;
        let (ids, unnamed): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.0.is_ok());
        let mut found = self.keys_of(ids.into_iter().map(Lenient::or_unnamed).collect()).await?;
        found.bad.extend(unnamed.into_iter().map(|id| bad(&id.or_unnamed(), "column id cannot be read")));
        Ok(found)
    }

    async fn keys_of(&self, ids: Vec<String>) -> Result<TableRows<KeyRow>, StoreError> {
        let mut found = TableRows::default();
        for ids in ids.chunks(BATCH_SIZE) {
            let some = virtual_keys::table.filter(virtual_keys::id.eq_any(ids));
            match read!(self, c => some.clone().select(KeyRow::as_select()).load(c)) {
                Ok(rows) => found.rows.extend(rows),
                Err(error) if error.is_unreadable() => {
                    for id in ids {
                        self.key_of(id, &mut found).await?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn key_of(&self, id: &str, found: &mut TableRows<KeyRow>) -> Result<(), StoreError> {
        let one = virtual_keys::table.filter(virtual_keys::id.eq(id));
        match read!(self, c => one.select(KeyRow::as_select()).load(c)) {
            Ok(rows) => found.rows.extend(rows),
            Err(error) if error.is_unreadable() => found.bad.push(bad(id, "a column cannot be read")),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Changes one key and returns it as it now is; none if there is no such id, or if the key is not as it was `believed`
    /// to be.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn update_key(
        &self,
        id: &str,
        believed: Option<&KeyExpectation>,
        change: KeyRowChange,
    ) -> Result<Option<KeyRow>, StoreError> {
        let provider = believed.and_then(|believed| believed.provider.as_deref()).unwrap_or_default();
        let may_have_none = believed.is_none_or(|believed| believed.provider.is_none());
        let may_have_credential = believed.is_none_or(|believed| !believed.is_without_credential);
        on!(self, c => async {
            let is_believed = virtual_keys::provider.eq(provider).or(believed.is_none().into_sql::<Bool>());
            let key = virtual_keys::table
                .filter(virtual_keys::id.eq(id))
                .filter(is_believed.or(virtual_keys::provider.is_null().and(may_have_none.into_sql::<Bool>())))
                .filter(virtual_keys::real_api_key.is_null().or(may_have_credential.into_sql::<Bool>()));
            let updated = diesel::update(key).set(change);
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
}

fn bad(id: &str, problem: &str) -> BadRow {
    BadRow::new("virtual_keys", id, problem)
}
