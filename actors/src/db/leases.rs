//! `budget_leases`: who may spend how much of a budget without asking. What is spent and what is granted, together, never
//! exceed the limit.

use std::time::{SystemTime, UNIX_EPOCH};

use diesel::prelude::*;

use super::schema::{budget_leases, budget_spend};
use super::{Store, StoreError};
use crate::budget::account::Granted;
use crate::budget::scope::Scope;
use crate::money::PicoUsd;

/// Of what is free, a replica gets at most one part of so many beyond what it needs at once, so that the others find
/// something and little is stranded near the limit.
const SHARE: i64 = 4;

/// What a replica asks for.
pub struct LeaseRequest<'a> {
    /// Whose budget.
    pub scope: &'a Scope,
    /// The period's name.
    pub period: &'a str,
    /// Who asks.
    pub replica: &'a str,
    /// What it would like.
    pub want: PicoUsd,
    /// What it needs at once.
    pub at_least: PicoUsd,
    /// The limit in force.
    pub limit: PicoUsd,
    /// Until when the lease stands.
    pub expires_at: SystemTime,
}

/// A budget's figures over all replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetFigures {
    /// Whose budget.
    pub scope: Scope,
    /// The period's name.
    pub period: String,
    /// Settled and written.
    pub spent: PicoUsd,
    /// Leased to replicas and not settled.
    pub leased: PicoUsd,
}

pub(super) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Whole pico-dollars as the tables keep them: up to 9.2 million dollars.
pub(super) fn picos(amount: PicoUsd) -> i64 {
    i64::try_from(amount.picos()).unwrap_or(i64::MAX)
}

impl Store {
    /// Grants a replica a slice of what is free, as much of `want` as the limit leaves.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lease(&self, request: LeaseRequest<'_>) -> Result<Granted, StoreError> {
        let (kind, id) = (request.scope.kind.word(), request.scope.id.to_string());
        let (period, replica) = (request.period.to_owned(), request.replica.to_owned());
        let (want, at_least, limit) = (picos(request.want), picos(request.at_least), picos(request.limit));
        let expires_at = micros(request.expires_at);
        let grant = move |connection: &mut SqliteConnection| {
            let spent: i64 = budget_spend::table
                .find((kind, &id, &period))
                .select(budget_spend::spent)
                .first(connection)
                .optional()?
                .unwrap_or(0);
            let of_budget = budget_leases::table
                .filter(budget_leases::scope.eq(kind))
                .filter(budget_leases::scope_id.eq(&id))
                .filter(budget_leases::period.eq(&period));
            let granted: Vec<i64> = of_budget.select(budget_leases::granted).load(connection)?;
            let free = granted.iter().fold(limit.saturating_sub(spent), |free, granted| free.saturating_sub(*granted));
            let added = want.min(at_least.max(free / SHARE)).min(free).max(0);
            diesel::insert_into(budget_leases::table)
                .values((
                    budget_leases::scope.eq(kind),
                    budget_leases::scope_id.eq(&id),
                    budget_leases::period.eq(&period),
                    budget_leases::replica.eq(&replica),
                    budget_leases::granted.eq(added),
                    budget_leases::expires_at.eq(expires_at),
                ))
                .on_conflict((
                    budget_leases::scope,
                    budget_leases::scope_id,
                    budget_leases::period,
                    budget_leases::replica,
                ))
                .do_update()
                .set((
                    budget_leases::granted.eq(budget_leases::granted + added),
                    budget_leases::expires_at.eq(expires_at),
                ))
                .execute(connection)?;
            let amount = |picos: i64| PicoUsd::from_picos(i128::from(picos));
            Ok(Granted { added: amount(added), spent: amount(spent) })
        };
        self.transaction(grant).await
    }

    /// Gives back what a replica does not need.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn return_lease(
        &self,
        scope: &Scope,
        period: &str,
        replica: &str,
        amount: PicoUsd,
    ) -> Result<(), StoreError> {
        let key = (scope.kind.word(), scope.id.to_string(), period.to_owned(), replica.to_owned());
        let amount = picos(amount);
        let lower = move |connection: &mut SqliteConnection| {
            let (kind, id, period, replica) = &key;
            diesel::update(budget_leases::table.find((*kind, id, period, replica)))
                .set(budget_leases::granted.eq(budget_leases::granted - amount))
                .execute(connection)
        };
        self.with(lower).await.map(drop)
    }

    /// Lets all of a replica's leases stand until `expires_at`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_leases(&self, replica: &str, expires_at: SystemTime) -> Result<(), StoreError> {
        let (replica, expires_at) = (replica.to_owned(), micros(expires_at));
        let renew = move |connection: &mut SqliteConnection| {
            diesel::update(budget_leases::table.filter(budget_leases::replica.eq(replica)))
                .set(budget_leases::expires_at.eq(expires_at))
                .execute(connection)
        };
        self.with(renew).await.map(drop)
    }

    /// Ends all leases of a replica, which spends no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release_replica(&self, replica: &str) -> Result<(), StoreError> {
        let replica = replica.to_owned();
        let release = move |connection: &mut SqliteConnection| {
            diesel::delete(budget_leases::table.filter(budget_leases::replica.eq(replica))).execute(connection)
        };
        self.with(release).await.map(drop)
    }

    /// The replicas whose leases ended before `before` without being renewed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn expired_replicas(&self, before: SystemTime) -> Result<Vec<String>, StoreError> {
        let before = micros(before);
        let find = move |connection: &mut SqliteConnection| {
            let expired = budget_leases::table.filter(budget_leases::expires_at.lt(before));
            expired.select(budget_leases::replica).distinct().load(connection)
        };
        self.with(find).await
    }

    /// Every budget that was spent from or is leased.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn budget_figures(&self) -> Result<Vec<BudgetFigures>, StoreError> {
        let read = |connection: &mut SqliteConnection| {
            let spent: Vec<(String, String, String, i64)> = budget_spend::table.load(connection)?;
            let leased: Vec<(String, String, String, i64)> = budget_leases::table
                .select((budget_leases::scope, budget_leases::scope_id, budget_leases::period, budget_leases::granted))
                .load(connection)?;
            Ok((spent, leased))
        };
        let (spent, leased) = self.with(read).await?;
        Ok(super::figures::join(spent, leased))
    }
}
