//! `llm_usage_log`, and what is added up from it. A row counts once, however often it is written.

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;

use super::schema::{budget_leases, budget_spend, llm_usage_log};
use super::{Store, StoreError};
use crate::usage_row::UsageRow;

#[derive(Insertable)]
#[diesel(table_name = llm_usage_log)]
struct LogRow {
    id: String,
    timestamp: i64,
    trace_id: String,
    request_id: String,
    virtual_key_id: String,
    user_id: Option<String>,
    team_id: Option<String>,
    provider: String,
    model: String,
    endpoint: String,
    status: String,
    attempt: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cached_tokens: i64,
    cache_write_tokens: i64,
    reasoning_tokens: i64,
    cost: Option<i64>,
    estimated: bool,
    stream: bool,
    duration_ms: i64,
    time_to_first_token_ms: Option<i64>,
    replica: String,
}

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn log_row(row: &UsageRow) -> LogRow {
    let usage = &row.usage;
    LogRow {
        id: row.id.to_string(),
        timestamp: row.timestamp,
        trace_id: row.trace_id.clone(),
        request_id: row.request_id.clone(),
        virtual_key_id: row.virtual_key_id.to_string(),
        user_id: row.user_id.clone(),
        team_id: row.team_id.clone(),
        provider: row.provider.to_string(),
        model: row.model.clone(),
        endpoint: row.endpoint.to_string(),
        status: row.status.to_string(),
        attempt: i64::from(row.attempt),
        prompt_tokens: tokens(usage.prompt_tokens),
        completion_tokens: tokens(usage.completion_tokens),
        cached_tokens: tokens(usage.cached_tokens),
        cache_write_tokens: tokens(usage.cache_write_tokens + usage.cache_write_1h_tokens),
        reasoning_tokens: tokens(usage.reasoning_tokens),
        cost: row.cost,
        estimated: row.estimated,
        stream: row.stream,
        duration_ms: row.duration_ms,
        time_to_first_token_ms: row.time_to_first_token_ms,
        replica: row.replica.to_string(),
    }
}

impl Store {
    /// Writes rows, adds the cost of those that are new to what their budgets have spent, and takes it off the leases
    /// of their replicas: all of it, or nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_usage(&self, rows: &[&UsageRow]) -> Result<(), StoreError> {
        let written: Vec<LogRow> = rows.iter().map(|row| log_row(row)).collect();
        let charges: Vec<_> = rows
            .iter()
            .map(|row| (row.id.to_string(), row.cost.unwrap_or(0), row.replica.to_string(), row.charges.clone()))
            .collect();
        let write = move |connection: &mut SqliteConnection| {
            let mut new = HashSet::new();
            for row in &written {
                let added = diesel::insert_into(llm_usage_log::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(connection)?;
                if added > 0 {
                    new.insert(row.id.as_str());
                }
            }
            let mut sums: BTreeMap<_, i64> = BTreeMap::new();
            for (id, cost, replica, charges) in &charges {
                if *cost == 0 || !new.contains(id.as_str()) {
                    continue;
                }
                for charge in charges {
                    let sum = sums.entry((&charge.scope, &*charge.period, replica)).or_default();
                    *sum = sum.saturating_add(*cost);
                }
            }
            for ((scope, period, replica), cost) in sums {
                let (kind, id) = (scope.kind.word(), &*scope.id);
                diesel::insert_into(budget_spend::table)
                    .values((
                        budget_spend::scope.eq(kind),
                        budget_spend::scope_id.eq(id),
                        budget_spend::period.eq(period),
                        budget_spend::spent.eq(cost),
                    ))
                    .on_conflict((budget_spend::scope, budget_spend::scope_id, budget_spend::period))
                    .do_update()
                    .set(budget_spend::spent.eq(budget_spend::spent + cost))
                    .execute(connection)?;
                let lease = budget_leases::table.find((kind, id, period, replica));
                let granted: Option<i64> = lease.select(budget_leases::granted).first(connection).optional()?;
                if let Some(granted) = granted {
                    let left = granted.saturating_sub(cost).max(0);
                    diesel::update(lease).set(budget_leases::granted.eq(left)).execute(connection)?;
                }
            }
            Ok(())
        };
        self.transaction(write).await
    }
}
