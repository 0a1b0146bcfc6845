//! `llm_usage_log`, and what is added up from it. A row counts once, however often it is written.

use std::ops::Range;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::usage_rows::{UsageBatch, UsageStore};
use crate::db::backend::conn::Backend;
use crate::db::backend::types::{At, sql};
use crate::db::budgets::spend::{SpendStore, Sums};
use crate::db::{Store, StoreError};
use crate::usage::row::SharedRows;

impl Store {
    /// Writes some of the rows, adds the cost of those that are new to what their budgets have spent, and takes it off the
    /// leases of their replicas: all of it, or nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_rows(&self, rows: &SharedRows, range: Range<usize>) -> Result<(), StoreError> {
        let batch = UsageBatch::new(rows, range);
        // A row is hardly ever there already, and for SQLite it is dear to tell which ones are new.
        let tells_new = matches!(self.backend, Backend::Postgres(_));
        match self.write_usage(&batch, tells_new).await {
            Err(StoreError::Query(Error::RollbackTransaction)) if !tells_new => self.write_usage(&batch, true).await,
            result => result,
        }
    }

    /// Writes rows; without `tells_new` nothing is written where one of them is there already.
    async fn write_usage(&self, batch: &UsageBatch, tells_new: bool) -> Result<(), StoreError> {
        tx!(self, c => {
            let new = c.insert_usage(batch, tells_new).await?;
            let (spend, leases) = Sums::from_rows(batch.rows(), new);
            if !spend.is_empty() {
                // What is spent is locked before leases, by every replica and in the same order.
                c.add_spend(&spend).await?;
                c.settle_leases(&leases).await?;
            }
            Ok::<_, Error>(())
        })
    }

    /// Removes up to `batch` of the oldest rows before a moment and tells how many; budgets keep what was spent (G7).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_usage_before(&self, at: SystemTime, batch: u32) -> Result<usize, StoreError> {
        let oldest = "SELECT id FROM llm_usage_log WHERE timestamp < $1 ORDER BY timestamp LIMIT $2";
        // Replicas that do this at the same time share the work, and never wait for each other.
        let share = match &self.backend {
            Backend::Postgres(_) => " FOR UPDATE SKIP LOCKED",
            Backend::Sqlite(_) => "",
        };
        let delete = format!("DELETE FROM llm_usage_log WHERE id IN ({oldest}{share})");
        on!(self, c => diesel::sql_query(&delete)
            .bind::<sql::Moment, _>(At::from(DateTime::<Utc>::from(at)))
            .bind::<BigInt, _>(i64::from(batch))
            .execute(c))
    }
}
