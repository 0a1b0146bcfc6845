//! What some usage rows add to budgets, and take off leases: one statement for many budgets on PostgreSQL.

use std::collections::{BTreeMap, HashSet};

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::backend::sqlite::Lite;
use crate::db::backend::types::{Picos, sql};
use crate::money::amount::PicoUsd;
use crate::usage::row::UsageRow;

/// Sums of costs, column by column, in the order of the keys: every replica then locks budgets in the same order.
#[derive(Default)]
pub(in crate::db) struct Sums {
    scopes: Vec<String>,
    ids: Vec<String>,
    periods: Vec<String>,
    replicas: Vec<String>,
    costs: Vec<Picos>,
}

impl Sums {
    fn push(&mut self, (scope, id, period, replica): (&str, &str, &str, &str), cost: PicoUsd) {
        self.scopes.push(scope.to_owned());
        self.ids.push(id.to_owned());
        self.periods.push(period.to_owned());
        self.replicas.push(replica.to_owned());
        self.costs.push(Picos(cost));
    }

    /// Adds up the rows whose ids are new, each once, or all: for budgets, and for the leases of replicas.
    pub(in crate::db) fn from_rows(rows: &[Box<UsageRow>], mut new: Option<HashSet<Uuid>>) -> (Self, Self) {
        let mut spend: BTreeMap<(&str, &str, &str), PicoUsd> = BTreeMap::new();
        let mut leases: BTreeMap<(&str, &str, &str, &str), PicoUsd> = BTreeMap::new();
        for row in rows {
            let cost = PicoUsd::from_picos(i128::from(row.cost.unwrap_or(0)));
            if new.as_mut().is_some_and(|new| !new.remove(&row.id)) || cost == PicoUsd::default() {
                continue;
            }
            for charge in &row.charges {
                let (scope, id, period) = (charge.scope.kind.as_str(), &*charge.scope.id, &*charge.period);
                let sum = spend.entry((scope, id, period)).or_default();
                *sum = sum.plus(cost);
                let sum = leases.entry((scope, id, period, &row.replica)).or_default();
                *sum = sum.plus(cost);
            }
        }
        let (mut of_budgets, mut of_leases) = (Self::default(), Self::default());
        for ((scope, id, period), cost) in spend {
            of_budgets.push((scope, id, period, ""), cost);
        }
        for (key, cost) in leases {
            of_leases.push(key, cost);
        }
        (of_budgets, of_leases)
    }

    pub(in crate::db) fn is_empty(&self) -> bool {
        self.costs.is_empty()
    }
}

/// Adds sums to `budget_spend`.
struct Spend<'a>(&'a Sums);

/// Takes sums off `budget_leases`.
struct Settle<'a>(&'a Sums);

impl QueryFragment<Pg> for Spend<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO budget_spend (scope, scope_id, period, spent) SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.0.scopes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.0.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.0.periods)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<sql::Picos>, _>(&self.0.costs)?;
        out.push_sql(
            ") ON CONFLICT (scope, scope_id, period) DO UPDATE SET spent = budget_spend.spent + excluded.spent",
        );
        Ok(())
    }
}

impl QueryFragment<Pg> for Settle<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "UPDATE budget_leases AS lease SET granted = greatest(lease.granted - cost.amount, 0) FROM unnest(",
        );
        out.push_bind_param::<Array<Text>, _>(&self.0.scopes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.0.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.0.periods)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.0.replicas)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<sql::Picos>, _>(&self.0.costs)?;
        out.push_sql(
            ") AS cost (scope, scope_id, period, replica, amount) WHERE lease.scope = cost.scope \
             AND lease.scope_id = cost.scope_id AND lease.period = cost.period AND lease.replica = cost.replica",
        );
        Ok(())
    }
}

impl QueryId for Spend<'_> {
    type QueryId = Spend<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryId for Settle<'_> {
    type QueryId = Settle<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// The two writes that the databases do in different ways.
pub(in crate::db) trait SpendStore {
    /// Adds sums to what budgets have spent.
    async fn add_spend(&mut self, sums: &Sums) -> QueryResult<()>;

    /// Takes sums off leases, down to nothing.
    async fn settle_leases(&mut self, sums: &Sums) -> QueryResult<()>;
}

impl SpendStore for AsyncPgConnection {
    async fn add_spend(&mut self, sums: &Sums) -> QueryResult<()> {
        Spend(sums).execute(self).await.map(drop)
    }

    async fn settle_leases(&mut self, sums: &Sums) -> QueryResult<()> {
        Settle(sums).execute(self).await.map(drop)
    }
}

/// A sum that an INTEGER cannot hold stops at the largest one, which no limit exceeds: the budget is then used up.
const ADD: &str = "INSERT INTO budget_spend (scope, scope_id, period, spent) VALUES (?, ?, ?, ?) \
     ON CONFLICT (scope, scope_id, period) DO UPDATE SET spent = CASE \
     WHEN spent > 9223372036854775807 - excluded.spent THEN 9223372036854775807 ELSE spent + excluded.spent END";

const LOWER: &str = "UPDATE budget_leases SET granted = max(granted - ?, 0) \
     WHERE scope = ? AND scope_id = ? AND period = ? AND replica = ?";

impl SpendStore for Lite {
    async fn add_spend(&mut self, sums: &Sums) -> QueryResult<()> {
        for (((scope, id), period), cost) in sums.scopes.iter().zip(&sums.ids).zip(&sums.periods).zip(&sums.costs) {
            let add = diesel::sql_query(ADD).bind::<Text, _>(scope).bind::<Text, _>(id).bind::<Text, _>(period);
            add.bind::<sql::Picos, _>(cost).execute(self).await?;
        }
        Ok(())
    }

    async fn settle_leases(&mut self, sums: &Sums) -> QueryResult<()> {
        let leases = sums.scopes.iter().zip(&sums.ids).zip(&sums.periods).zip(&sums.replicas).zip(&sums.costs);
        for ((((scope, id), period), replica), cost) in leases {
            let lower = diesel::sql_query(LOWER).bind::<sql::Picos, _>(cost).bind::<Text, _>(scope);
            let lower = lower.bind::<Text, _>(id).bind::<Text, _>(period).bind::<Text, _>(replica);
            lower.execute(self).await?;
        }
        Ok(())
    }
}
