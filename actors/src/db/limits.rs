//! `user_budgets` and `team_budgets`: monthly limits.

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{team_budgets, user_budgets};
use super::{Store, StoreError};
use crate::budget::accounts::MonthlyLimits;
use crate::money::PicoUsd;
use crate::virtual_key::Usd;

fn by_id(rows: Vec<(String, i64)>) -> HashMap<String, PicoUsd> {
    rows.into_iter().map(|(id, nanos)| (id, Usd::from_nanos(nanos).into())).collect()
}

/// Sets or removes one row of a table of limits.
macro_rules! set_limit {
    ($table:ident, $id:ident, $connection:expr, $owner:expr, $limit:expr) => {
        match $limit.map(Usd::nanos) {
            Some(nanos) => diesel::insert_into($table::table)
                .values(($table::$id.eq($owner), $table::monthly_limit_usd.eq(nanos)))
                .on_conflict($table::$id)
                .do_update()
                .set($table::monthly_limit_usd.eq(nanos))
                .execute($connection),
            None => diesel::delete($table::table.filter($table::$id.eq($owner))).execute($connection),
        }
    };
}

impl Store {
    /// All monthly limits.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn monthly_limits(&self) -> Result<MonthlyLimits, StoreError> {
        let read = |connection: &mut SqliteConnection| {
            let users = user_budgets::table.load(connection)?;
            let teams = team_budgets::table.load(connection)?;
            Ok(MonthlyLimits { users: by_id(users), teams: by_id(teams) })
        };
        self.with(read).await
    }

    /// Sets a user's monthly limit, or takes it away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_user_budget(&self, user: &str, limit: Option<Usd>) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.with(move |connection| set_limit!(user_budgets, user_id, connection, &user, limit)).await.map(drop)
    }

    /// Sets a team's monthly limit, or takes it away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_team_budget(&self, team: &str, limit: Option<Usd>) -> Result<(), StoreError> {
        let team = team.to_owned();
        self.with(move |connection| set_limit!(team_budgets, team_id, connection, &team, limit)).await.map(drop)
    }
}
