//! What routing and the cache saved: the usage log against what its requests would have cost without them.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};

use super::usage_report::{Sum, cost_on_postgres, on_sqlite, sum_of};
use crate::db::backend::types::{Picos, sql};
use crate::db::{Store, StoreError};
use crate::money::amount::PicoUsd;

/// Requests and what they saved together; negative where they cost more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavingsSum {
    /// Requests.
    pub requests: i64,
    /// What they would have cost at the model that was asked for, less what they cost.
    pub amount: PicoUsd,
}

/// Answered requests of some time, and what was saved by which means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Savings {
    /// All answered requests.
    pub requests: i64,
    /// What they cost.
    pub cost: PicoUsd,
    /// What they would have cost at the models that were asked for.
    pub baseline: PicoUsd,
    /// Answered from the cache.
    pub cache: SavingsSum,
    /// Served by models that cost nothing, which are local ones.
    pub local_models: SavingsSum,
    /// Served by cheaper models.
    pub cheaper_routes: SavingsSum,
    /// Served by dearer models, such as those that stood in for one that failed.
    pub dearer_routes: SavingsSum,
}

impl Savings {
    /// All of it.
    pub fn saved(&self) -> PicoUsd {
        self.baseline.minus(self.cost)
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = sql::Picos)]
    cost_high: Picos,
    #[diesel(sql_type = sql::Picos)]
    cost_low: Picos,
    #[diesel(sql_type = sql::Picos)]
    baseline_high: Picos,
    #[diesel(sql_type = sql::Picos)]
    baseline_low: Picos,
}

/// What a request without a price cost, and so what it saved, is not known: it counts as nothing on both sides.
const BASELINE: &str = "CASE WHEN cost IS NULL THEN 0 ELSE coalesce(baseline_cost, cost) END";

fn query(sum: Sum) -> String {
    format!(
        "SELECT CASE WHEN status = 'cache_hit' THEN 'cache' \
         WHEN cost IS NULL OR baseline_cost IS NULL OR cost = baseline_cost THEN '' \
         WHEN cost = 0 THEN 'local' WHEN cost < baseline_cost THEN 'cheaper' ELSE 'dearer' END AS reason, \
         count(*) AS requests, {}, {} FROM llm_usage_log \
         WHERE status IN ('success', 'cache_hit') AND timestamp >= $1 AND timestamp < $2 GROUP BY 1",
        sum("cost", "cost"),
        sum(BASELINE, "baseline"),
    )
}

impl Store {
    /// What was saved from `from` to before `to`, in microseconds since 1970.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn savings(&self, from: i64, to: i64) -> Result<Savings, StoreError> {
        let rows: Vec<Row> = self.report(query(cost_on_postgres), query(on_sqlite), from, to).await?;
        let mut savings = Savings::default();
        for row in rows {
            let cost = sum_of(row.cost_high, row.cost_low);
            let baseline = sum_of(row.baseline_high, row.baseline_low);
            savings.requests += row.requests;
            savings.cost = savings.cost.plus(cost);
            savings.baseline = savings.baseline.plus(baseline);
            let by = match row.reason.as_str() {
                "cache" => &mut savings.cache,
                "local" => &mut savings.local_models,
                "cheaper" => &mut savings.cheaper_routes,
                "dearer" => &mut savings.dearer_routes,
                _ => continue,
            };
            *by = SavingsSum { requests: row.requests, amount: baseline.minus(cost) };
        }
        Ok(savings)
    }
}
