//! `budget_leases`: who may spend how much of a budget without asking. What is spent and what is granted, together, never
//! exceed the limit.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::figures::{self, Figure, LEASED, PRESUMED, SPENT, bad_amount};
use crate::db::backend::conn::Backend;
use crate::db::backend::from_now::FromNow;
use crate::db::backend::lenient::Lenient;
use crate::db::backend::types::{Picos, sql};
use crate::db::bad_rows::BadRow;
use crate::db::schema::{budget_leases, budget_spend};
use crate::db::{Store, StoreError};
use crate::money::amount::PicoUsd;
use crate::money::period::BudgetPeriod;
use crate::scope::{BudgetName, Scope, ScopeKind};

/// Of what is free, a replica gets at most one part of so many beyond what it needs at once, so that the others find
/// something and little is stranded near the limit.
const LEASE_DIVISOR: i128 = 4;

/// Whether a period is over, by its name: names of one kind are in the order of time, and kinds differ in length.
const OVER: &str = "((length(period) = length($1) AND period < $1) OR (length(period) = length($2) AND period < $2) \
     OR (length(period) = length($3) AND period < $3))";

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
    /// How long the lease stands without being renewed.
    pub stands: Duration,
}

/// What a replica was granted, and where the budget then stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What was added to what the replica may spend: nothing where the limit leaves nothing.
    pub added: PicoUsd,
    /// All that the replica may spend and the store does not know as spent.
    pub granted_total: PicoUsd,
    /// Settled and written, by all replicas.
    pub spent: PicoUsd,
    /// What the other replicas may spend.
    pub others: PicoUsd,
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
    /// Leased to replicas that are gone with their journals: it counts as spent until one of these comes back.
    pub presumed: PicoUsd,
}

diesel::infix_operator!(Plus, " + ", sql::Picos);

/// How much of what is free a replica is granted.
fn share(request: &LeaseRequest<'_>, free: i128) -> i128 {
    request.want.picos().min(request.at_least.picos().max(free / LEASE_DIVISOR)).min(free).max(0)
}

/// The rows of a budget whose amounts are none, such as NaN.
fn bad_amounts(
    request: &LeaseRequest<'_>,
    spent: &Lenient<Picos>,
    granted: &[(String, Lenient<Picos>)],
) -> Vec<BadRow> {
    let budget = (request.scope.kind.as_str(), &*request.scope.id, request.period);
    let leases = granted.iter().map(|(_, amount)| ("budget_leases", amount));
    let amounts = std::iter::once(("budget_spend", spent)).chain(leases);
    let bad = amounts.filter_map(|(table, amount)| Some((table, amount.0.as_ref().err()?)));
    bad.map(|(table, problem)| bad_amount(table, budget, problem)).collect()
}

/// The days, weeks and months that a moment falls into: these have not ended before it.
fn names_at(at: DateTime<Utc>) -> [String; 3] {
    [BudgetPeriod::Day, BudgetPeriod::Week, BudgetPeriod::Month].map(|period| period.at(at, Tz::UTC).name.to_string())
}

impl Store {
    /// The moment that is so many microseconds from now, as this database writes it.
    fn moment_from_now(&self, micros: &str) -> String {
        match &self.backend {
            Backend::Postgres(_) => format!("clock_timestamp() + {micros} * interval '1 microsecond'"),
            Backend::Sqlite(_) => {
                format!("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) + {micros}")
            }
        }
    }

    /// Notes what was found bad when the rows of one budget were read.
    fn note_budget(&self, request: &LeaseRequest<'_>, bad: Vec<BadRow>) {
        let id = format!("{}/{}/{}", request.scope.kind.as_str(), request.scope.id, request.period);
        let (spend, leases) = bad.into_iter().partition(|row| row.table == "budget_spend");
        self.bad_rows().read_some("budget_spend", [id.as_str()], spend);
        self.bad_rows().read_some("budget_leases", [id.as_str()], leases);
    }

    /// Grants a replica a slice of what is free, as much of `want` as the limit leaves.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lease(&self, request: LeaseRequest<'_>) -> Result<Lease, StoreError> {
        let (kind, id) = (request.scope.kind.as_str(), &*request.scope.id);
        let (period, replica) = (request.period, request.replica);
        let expires_at = FromNow::after(request.stands);
        tx!(self, c => {
            // The row of what is spent is the lock of the budget: an update that changes nothing holds it to the end.
            let spent: Lenient<Picos> = diesel::insert_into(budget_spend::table)
                .values((
                    budget_spend::scope.eq(kind),
                    budget_spend::scope_id.eq(id),
                    budget_spend::period.eq(period),
                    budget_spend::spent.eq(Picos::default()),
                ))
                .on_conflict((budget_spend::scope, budget_spend::scope_id, budget_spend::period))
                .do_update()
                .set(budget_spend::spent.eq(budget_spend::spent))
                .returning(budget_spend::spent)
                .get_result(&mut *c)
                .await?;
            let granted: Vec<(String, Lenient<Picos>)> = budget_leases::table
                .filter(budget_leases::scope.eq(kind))
                .filter(budget_leases::scope_id.eq(id))
                .filter(budget_leases::period.eq(period))
                .select((budget_leases::replica, budget_leases::granted))
                .load(&mut *c)
                .await?;
            let bad = bad_amounts(&request, &spent, &granted);
            // Nobody knows what is left of a budget with such a row: nothing is granted.
            let free_at_most = if bad.is_empty() { i128::MAX } else { 0 };
            self.note_budget(&request, bad);
            let spent = spent.0.map_or(request.limit, |spent| spent.0);
            let sum = |own: bool| {
                let of = granted.iter().filter(|(of, _)| (of == replica) == own);
                of.fold(PicoUsd::default(), |sum, (_, granted)| sum.plus(granted.0.as_ref().map(|granted| granted.0).unwrap_or_default()))
            };
            let (own, others) = (sum(true), sum(false));
            let free = request.limit.minus(spent).minus(own).minus(others);
            let added = Picos::from_picos(share(&request, free.picos().min(free_at_most)));
            if added.0 == PicoUsd::default() {
                return Ok(Lease { added: added.0, granted_total: own, spent, others });
            }
            // Added in the database, so that a lease that was released meanwhile does not come back.
            diesel::insert_into(budget_leases::table)
                .values((
                    budget_leases::scope.eq(kind),
                    budget_leases::scope_id.eq(id),
                    budget_leases::period.eq(period),
                    budget_leases::replica.eq(replica),
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
                    budget_leases::granted.eq(Plus::new(budget_leases::granted, added.into_sql::<sql::Picos>())),
                    budget_leases::expires_at.eq(expires_at),
                ))
                .execute(&mut *c)
                .await?;
            Ok::<_, Error>(Lease { added: added.0, granted_total: own.plus(added.0), spent, others })
        })
    }

    /// Gives back what a replica does not need; what it no longer holds is not given back.
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
        let (kind, id) = (scope.kind.as_str(), &*scope.id);
        tx!(self, c => {
            for statement in [
                "DELETE FROM budget_leases \
                 WHERE granted <= $1 AND scope = $2 AND scope_id = $3 AND period = $4 AND replica = $5",
                "UPDATE budget_leases SET granted = granted - $1 \
                 WHERE granted > $1 AND scope = $2 AND scope_id = $3 AND period = $4 AND replica = $5",
            ] {
                let changed = diesel::sql_query(statement)
                    .bind::<sql::Picos, _>(Picos(amount))
                    .bind::<Text, _>(kind)
                    .bind::<Text, _>(id)
                    .bind::<Text, _>(period)
                    .bind::<Text, _>(replica)
                    .execute(&mut *c)
                    .await?;
                if changed > 0 {
                    break;
                }
            }
            Ok::<_, Error>(())
        })
    }

    /// Takes a replica's lease down to what it really holds, where the store believes in more: after an answer that was lost
    /// nobody knows whether a slice was granted or given back. `held` is read while nothing else of the replica can
    /// change the lease.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn true_up(
        &self,
        scope: &Scope,
        period: &str,
        replica: &str,
        held: impl Fn() -> PicoUsd,
    ) -> Result<(), StoreError> {
        let (kind, id) = (scope.kind.as_str(), &*scope.id);
        tx!(self, c => {
            // Both updates change nothing: they wait for a transaction whose connection was lost and that is not over yet.
            diesel::update(budget_spend::table.find((kind, id, period)))
                .set(budget_spend::spent.eq(budget_spend::spent))
                .execute(&mut *c)
                .await?;
            let granted = diesel::update(budget_leases::table.find((kind, id, period, replica)))
                .set(budget_leases::granted.eq(budget_leases::granted))
                .returning(budget_leases::granted)
                .get_result::<Picos>(&mut *c)
                .await
                .optional()?;
            let held = held().max(PicoUsd::default());
            let lease = budget_leases::table.find((kind, id, period, replica));
            if granted.is_some() && held == PicoUsd::default() {
                diesel::delete(lease).execute(&mut *c).await?;
            } else if granted.is_some_and(|granted| granted.0 > held) {
                diesel::update(lease).set(budget_leases::granted.eq(Picos(held))).execute(&mut *c).await?;
            }
            Ok::<_, Error>(())
        })
    }

    /// Removes the leases of a replica that hold nothing, lets the others stand for so long from now, and tells which
    /// budgets and periods these are of.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_leases(&self, replica: &str, stands: Duration) -> Result<Vec<BudgetName>, StoreError> {
        let expires_at = FromNow::after(stands);
        // On the lane like every writer of leases, so that two of one process cannot wait for each other for ever.
        let renewed: Vec<(String, String, String)> = tx!(self, c => {
            let own = budget_leases::replica.eq(replica);
            let empty = budget_leases::granted.eq(Picos::default());
            diesel::delete(budget_leases::table.filter(own).filter(empty)).execute(&mut *c).await?;
            diesel::update(budget_leases::table.filter(own))
                .set(budget_leases::expires_at.eq(expires_at))
                .returning((budget_leases::scope, budget_leases::scope_id, budget_leases::period))
                .load(c)
                .await
        })?;
        let named = |(kind, id, period): (String, String, String)| {
            Some((Scope::new(kind.parse::<ScopeKind>().ok()?, id), period.into()))
        };
        Ok(renewed.into_iter().filter_map(named).collect())
    }

    /// Ends all leases of a replica, which spends no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release_replica(&self, replica: &str) -> Result<(), StoreError> {
        tx!(self, c => {
            diesel::delete(budget_leases::table.filter(budget_leases::replica.eq(replica))).execute(c).await
        })
        .map(drop)
    }

    /// The replicas whose leases ended longer than `ago` without being renewed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn expired_replicas(&self, ago: Duration) -> Result<Vec<String>, StoreError> {
        let expired = budget_leases::table.filter(budget_leases::expires_at.lt(FromNow::before(ago)));
        read!(self, c => expired.select(budget_leases::replica).distinct().load(c))
    }

    /// Every budget that was spent from or is leased, in all periods, at one moment. What leases hold that ended longer
    /// than `abandoned` ago is presumed to be spent.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn budget_figures(&self, abandoned: Duration) -> Result<Vec<BudgetFigures>, StoreError> {
        let ago = self.moment_from_now("$1");
        // One statement, so that what is settled meanwhile is not seen twice or not at all.
        let statement = format!(
            "SELECT scope, scope_id, period, spent AS amount, {SPENT} AS kind FROM budget_spend UNION ALL \
             SELECT scope, scope_id, period, granted, CASE WHEN expires_at < {ago} THEN {PRESUMED} ELSE {LEASED} END \
             FROM budget_leases"
        );
        let micros = FromNow::before(abandoned).micros();
        let rows = read!(self, c => diesel::sql_query(&statement).bind::<BigInt, _>(micros).load(c))?;
        let (figures, bad) = figures::join(rows);
        let (spend, leases) = bad.into_iter().partition(|row| row.table == "budget_spend");
        self.bad_rows().read_all("budget_spend", spend);
        self.bad_rows().read_all("budget_leases", leases);
        Ok(figures)
    }

    /// What all budgets have spent in some periods, as far as the store knows.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn all_spend(&self, periods: &[&str]) -> Result<Vec<BudgetFigures>, StoreError> {
        let rows: Vec<(String, String, String, Lenient<Picos>)> =
            read!(self, c => budget_spend::table.filter(budget_spend::period.eq_any(periods)).load(c))?;
        let figure = |(scope, scope_id, period, amount)| Figure { scope, scope_id, period, amount, kind: SPENT };
        let (figures, bad) = figures::join(rows.into_iter().map(figure).collect());
        self.bad_rows().read_some("budget_spend", [], bad);
        Ok(figures)
    }

    /// Removes what was spent in periods that ended before a moment; totals never end.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_spend_before(&self, at: DateTime<Utc>) -> Result<usize, StoreError> {
        let [day, week, month] = names_at(at);
        again!(self, c => diesel::sql_query(format!("DELETE FROM budget_spend WHERE {OVER}"))
            .bind::<Text, _>(&day)
            .bind::<Text, _>(&week)
            .bind::<Text, _>(&month)
            .execute(c))
    }

    /// Removes the leases that ended longer than `abandoned` ago and are of periods that ended before a moment: nothing
    /// can be spent of these.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_leases_before(&self, at: DateTime<Utc>, abandoned: Duration) -> Result<usize, StoreError> {
        let [day, week, month] = names_at(at);
        let ago = self.moment_from_now("$4");
        let micros = FromNow::before(abandoned).micros();
        tx!(self, c => {
            diesel::sql_query(format!("DELETE FROM budget_leases WHERE {OVER} AND expires_at < {ago}"))
                .bind::<Text, _>(&day)
                .bind::<Text, _>(&week)
                .bind::<Text, _>(&month)
                .bind::<BigInt, _>(micros)
                .execute(c)
                .await
        })
    }

    /// What a budget has spent in a period, as far as the store knows.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn spent(&self, scope: &Scope, period: &str) -> Result<PicoUsd, StoreError> {
        let row = budget_spend::table.find((scope.kind.as_str(), &*scope.id, period)).select(budget_spend::spent);
        let spent = read!(self, c => async { row.first::<Picos>(c).await.optional() })?;
        Ok(spent.unwrap_or_default().0)
    }
}
