//! `user_budgets` and `team_budgets`: monthly limits.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::schema::{team_budgets, user_budgets};
use super::types::Nanos;
use super::{Store, StoreError};
use crate::budget::accounts::MonthlyLimits;
use crate::money::PicoUsd;
use crate::virtual_key::Usd;

fn by_id(rows: Vec<(String, Nanos)>) -> HashMap<String, PicoUsd> {
    rows.into_iter().map(|(id, limit)| (id, Usd::from(limit).into())).collect()
}

/// Sets or removes one row of a table of limits.
macro_rules! set_limit {
    ($store:ident, $table:ident, $id:ident, $owner:expr, $limit:expr) => {{
        let set = match $limit.map(Nanos::from) {
            Some(limit) => again!($store, c => diesel::insert_into($table::table)
                .values(($table::$id.eq($owner), $table::monthly_limit_usd.eq(limit)))
                .on_conflict($table::$id)
                .do_update()
                .set($table::monthly_limit_usd.eq(limit))
                .execute(c)),
            None => again!($store, c => diesel::delete($table::table.filter($table::$id.eq($owner))).execute(c)),
        };
        set.map(drop)
    }};
}

impl Store {
    /// All monthly limits.
    ///
    /// # Errors
    /// Where the database fails, or holds an amount that is none: never "no limit".
    pub async fn monthly_limits(&self) -> Result<MonthlyLimits, StoreError> {
        let users = user_budgets::table.select((user_budgets::user_id, user_budgets::monthly_limit_usd));
        let teams = team_budgets::table.select((team_budgets::team_id, team_budgets::monthly_limit_usd));
        let users = again!(self, c => users.load(c))?;
        let teams = again!(self, c => teams.load(c))?;
        Ok(MonthlyLimits { users: by_id(users), teams: by_id(teams) })
    }

    /// Sets a user's monthly limit, or takes it away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_user_budget(&self, user: &str, limit: Option<Usd>) -> Result<(), StoreError> {
        set_limit!(self, user_budgets, user_id, user, limit)
    }

    /// Sets a team's monthly limit, or takes it away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_team_budget(&self, team: &str, limit: Option<Usd>) -> Result<(), StoreError> {
        set_limit!(self, team_budgets, team_id, team, limit)
    }
}
