//! `user_budgets` and `team_budgets`: monthly limits.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::backend::lenient::Lenient;
use super::backend::types::Nanos;
use super::bad_rows::BadRow;
use super::changes::Which;
use super::schema::{team_budgets, user_budgets};
use super::{Store, StoreError};
use crate::money::amount::PicoUsd;
use crate::money::usd::Usd;

/// What was read of `user_budgets` or `team_budgets`: limits by id. A limit that is none is one of nothing, and its row is
/// bad.
#[derive(Debug, Default)]
pub struct ReadLimits {
    /// The limits.
    pub limits: HashMap<String, PicoUsd>,
    /// The rows that are bad.
    pub bad: Vec<BadRow>,
}

impl ReadLimits {
    fn add(&mut self, table: &'static str, rows: Vec<(Lenient<String>, Lenient<Nanos>)>) {
        for (id, limit) in rows {
            let Ok(id) = id.0 else {
                self.bad.push(BadRow::new(table, id.or_unnamed(), "the id is no text"));
                continue;
            };
            let limit = match limit.0 {
                Ok(limit) if limit.0 >= 0 => Usd::from(limit).into(),
                Ok(_negative) => self.refused(table, &id, "monthly_limit_usd is negative"),
                Err(problem) => self.refused(table, &id, &format!("monthly_limit_usd is {problem}")),
            };
            self.limits.insert(id, limit);
        }
    }

    fn refused(&mut self, table: &'static str, id: &str, problem: &str) -> PicoUsd {
        self.bad.push(BadRow::new(table, id, problem));
        PicoUsd::default()
    }
}

/// Rows that are read in one statement by their ids.
const BATCH_SIZE: usize = 500;

/// Reads all rows of a table of limits, or some.
macro_rules! read_limits {
    ($store:ident, $table:ident, $id:ident, $which:ident) => {{
        let all = $table::table.select(($table::$id, $table::monthly_limit_usd));
        let mut read = ReadLimits::default();
        match $which {
            Which::All => read.add(stringify!($table), read!($store, c => all.load(c))?),
            Which::Some(ids) => {
                for ids in ids.iter().collect::<Vec<_>>().chunks(BATCH_SIZE) {
                    let some = all.filter($table::$id.eq_any(ids.iter().copied()));
                    read.add(stringify!($table), read!($store, c => some.clone().load(c))?);
                }
            }
        }
        Ok(read)
    }};
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
    /// The monthly limits of users.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_budgets(&self, which: &Which) -> Result<ReadLimits, StoreError> {
        read_limits!(self, user_budgets, user_id, which)
    }

    /// The monthly limits of teams.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn team_budgets(&self, which: &Which) -> Result<ReadLimits, StoreError> {
        read_limits!(self, team_budgets, team_id, which)
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
