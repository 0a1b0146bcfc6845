//! `stored_responses`: responses that clients may ask for again. A row is written once and never changed.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::backend::conn::Backend;
use super::backend::types::{At, sql};
use super::bad_rows::BadRow;
use super::schema::stored_responses;
use super::{Store, StoreError};

const TABLE: &str = "stored_responses";

/// One response as the database holds it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = stored_responses)]
pub struct StoredResponseRow {
    /// The name by which the client knows it.
    pub id: String,
    /// Who may read it.
    pub tenant: String,
    /// The key that asked.
    pub virtual_key_id: String,
    /// The model that the client named.
    pub model: String,
    /// When it was made.
    pub created_at: At,
    /// When it ceases to be there.
    pub expires_at: At,
    /// Bytes of the content before it was sealed.
    pub bytes: i64,
    /// The sealed content.
    pub sealed: Vec<u8>,
}

impl Store {
    /// Writes a response; one that is there already stays as it is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_stored_response(&self, row: &StoredResponseRow) -> Result<(), StoreError> {
        let put = again!(self, c => diesel::insert_into(stored_responses::table)
            .values((
                stored_responses::id.eq(&row.id),
                stored_responses::tenant.eq(&row.tenant),
                stored_responses::virtual_key_id.eq(&row.virtual_key_id),
                stored_responses::model.eq(&row.model),
                stored_responses::created_at.eq(row.created_at),
                stored_responses::expires_at.eq(row.expires_at),
                stored_responses::bytes.eq(row.bytes),
                stored_responses::sealed.eq(&row.sealed),
            ))
            .on_conflict_do_nothing()
            .execute(c));
        put.map(drop)
    }

    /// A tenant's response that has not expired.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn stored_response(
        &self,
        tenant: &str,
        id: &str,
        now: At,
    ) -> Result<Option<StoredResponseRow>, StoreError> {
        let query = stored_responses::table
            .find(id)
            .filter(stored_responses::tenant.eq(tenant))
            .filter(stored_responses::expires_at.gt(now));
        let found = read!(self, c => async {
            query.select(StoredResponseRow::as_select()).first(c).await.optional()
        });
        match found {
            Err(error) if error.is_unreadable() => {
                self.note_bad_response(id, &error.to_string());
                Ok(None)
            }
            found => found,
        }
    }

    /// Notes that a response cannot be read.
    pub fn note_bad_response(&self, id: &str, problem: &str) {
        self.bad_rows().read_some(TABLE, [id], vec![BadRow::new(TABLE, id, problem)]);
    }

    /// Removes a tenant's response and tells whether it was there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_stored_response(&self, tenant: &str, id: &str, now: At) -> Result<bool, StoreError> {
        let mine = || stored_responses::table.find(id).filter(stored_responses::tenant.eq(tenant));
        let there = again!(self, c => diesel::delete(mine().filter(stored_responses::expires_at.gt(now))).execute(c))?;
        Ok(there > 0)
    }

    /// Removes up to `batch` of the responses that expired first and tells how many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_expired_responses(&self, now: At, batch: u32) -> Result<usize, StoreError> {
        let expired = "SELECT id FROM stored_responses WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";
        // Replicas that do this at the same time share the work, and never wait for each other.
        let share = match &self.backend {
            Backend::Postgres(_) => " FOR UPDATE SKIP LOCKED",
            Backend::Sqlite(_) => "",
        };
        let delete = format!("DELETE FROM stored_responses WHERE id IN ({expired}{share})");
        on!(self, c => diesel::sql_query(&delete)
            .bind::<sql::Moment, _>(now)
            .bind::<BigInt, _>(i64::from(batch))
            .execute(c))
    }
}
