mod actor;
mod alerts;
mod bad_rows;
mod budgets;
mod changes;
mod keys;
mod leases;
mod month_end;
mod postgres;
mod prices;
mod schema;
pub(crate) mod sql;
pub(crate) mod sqlite;
mod stored_responses;
mod usage;

use std::sync::Arc;

use gateway_testkit::database::Place;

use super::{KeyRow, Store, StoreError, Which};
use crate::budgets::accounts::MonthlyLimits;
use crate::money::prices::Price;
use crate::usage::row::{SharedRows, UsageRow};

/// Opens the database of a test.
pub(crate) trait OpenStore {
    /// Its store.
    async fn store(&self) -> Store;
}

impl OpenStore for Place {
    async fn store(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

impl Store {
    /// Writes rows that stay here.
    pub(crate) async fn record_usage(&self, rows: &[&UsageRow]) -> Result<(), StoreError> {
        let rows: SharedRows = Arc::new(rows.iter().map(|row| Box::new((*row).clone())).collect());
        self.record_rows(&rows, 0..rows.len()).await
    }

    /// All keys.
    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        Ok(self.read_keys(&Which::All).await?.rows)
    }

    /// All prices.
    pub(crate) async fn list_prices(&self) -> Result<Vec<Price>, StoreError> {
        Ok(self.read_prices().await?.rows)
    }

    /// All monthly limits.
    pub(crate) async fn monthly_limits(&self) -> Result<MonthlyLimits, StoreError> {
        let (users, teams) = (self.user_budgets(&Which::All).await?, self.team_budgets(&Which::All).await?);
        Ok(MonthlyLimits { users: users.limits, teams: teams.limits })
    }
}
