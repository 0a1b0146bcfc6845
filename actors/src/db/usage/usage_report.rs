//! The usage log, added up.

use std::str::FromStr;

use diesel::QueryableByName;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Text, Untyped};
use diesel::sqlite::Sqlite;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use tokio::time::timeout;

use crate::db::backend::conn::Backend;
use crate::db::backend::postgres::{self, REPORT};
use crate::db::backend::types::{At, Picos, sql};
use crate::db::{Store, StoreError};
use crate::money::amount::PicoUsd;

/// What usage is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageGroup {
    /// The day, UTC.
    Day,
    /// The virtual key's id.
    Key,
    /// The user.
    User,
    /// The team.
    Team,
    /// The provider.
    Provider,
    /// The model, with its provider.
    Model,
}

/// A text that is no [`UsageGroup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be day, key, user, team, provider or model")]
pub struct UnknownUsageGroup;

impl FromStr for UsageGroup {
    type Err = UnknownUsageGroup;

    fn from_str(text: &str) -> Result<Self, UnknownUsageGroup> {
        Ok(match text {
            "day" => Self::Day,
            "key" => Self::Key,
            "user" => Self::User,
            "team" => Self::Team,
            "provider" => Self::Provider,
            "model" => Self::Model,
            _ => return Err(UnknownUsageGroup),
        })
    }
}

impl UsageGroup {
    /// The group as SQL; only the day is written in two ways.
    fn sql(self, day: &'static str) -> &'static str {
        match self {
            Self::Day => day,
            Self::Key => "virtual_key_id",
            Self::User => "coalesce(user_id, '')",
            Self::Team => "coalesce(team_id, '')",
            Self::Provider => "provider",
            Self::Model => "provider || '/' || model",
        }
    }
}

/// The usage of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageSum {
    /// Which group; empty for keys without the user or team.
    pub group: String,
    /// Attempts that cost money or served a client.
    pub requests: i64,
    /// Input tokens.
    pub prompt_tokens: i64,
    /// Output tokens.
    pub completion_tokens: i64,
    /// US dollars, exact, as decimal text.
    pub cost_usd: String,
    /// How many of the requests the gateway counted itself.
    pub estimated: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = sql::Picos)]
    prompt_high: Picos,
    #[diesel(sql_type = sql::Picos)]
    prompt_low: Picos,
    #[diesel(sql_type = sql::Picos)]
    completion_high: Picos,
    #[diesel(sql_type = sql::Picos)]
    completion_low: Picos,
    #[diesel(sql_type = sql::Picos)]
    cost_high: Picos,
    #[diesel(sql_type = sql::Picos)]
    cost_low: Picos,
    #[diesel(sql_type = BigInt)]
    estimated: i64,
}

/// What differs between the databases.
struct Dialect {
    day: &'static str,
    tokens: Sum,
    cost: Sum,
    estimated: &'static str,
}

/// The SQL of a sum in two columns. SQLite's sums fail beyond 64 bits, so there it is the sum of the upper halves and that
/// of the lower ones: no figure in a row spoils the report of all.
pub(in crate::db) type Sum = fn(amount: &str, name: &str) -> String;

/// A sum on PostgreSQL, whose sums are as long as they must be; what is no number counts as nothing.
pub(in crate::db) fn cost_on_postgres(amount: &str, name: &str) -> String {
    format!("0::numeric AS {name}_high, coalesce(sum(nullif({amount}, 'NaN'::numeric)), 0) AS {name}_low")
}

/// A sum of whole numbers on PostgreSQL, told as if they were pico-dollars.
fn tokens_on_postgres(amount: &str, name: &str) -> String {
    format!("0::numeric AS {name}_high, coalesce(sum({amount}), 0) * 0.000000000001 AS {name}_low")
}

/// A sum on SQLite.
pub(in crate::db) fn on_sqlite(amount: &str, name: &str) -> String {
    format!(
        "coalesce(sum(({amount}) >> 32), 0) AS {name}_high, coalesce(sum(({amount}) & 4294967295), 0) AS {name}_low"
    )
}

/// The sum that two columns tell.
pub(in crate::db) fn sum_of(high: Picos, low: Picos) -> PicoUsd {
    PicoUsd::from_picos(high.0.picos().saturating_mul(1 << 32)).plus(low.0)
}

/// Tokens as a report tells them: no more than 64 bits.
fn tokens_of(high: Picos, low: Picos) -> i64 {
    i64::try_from(sum_of(high, low).picos()).unwrap_or(i64::MAX)
}

const POSTGRES: Dialect = Dialect {
    day: "to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    tokens: tokens_on_postgres,
    cost: cost_on_postgres,
    estimated: "count(*) FILTER (WHERE estimated)",
};

const SQLITE: Dialect = Dialect {
    day: "date(timestamp / 1000000, 'unixepoch')",
    tokens: on_sqlite,
    cost: on_sqlite,
    estimated: "sum(estimated)",
};

fn query(group: UsageGroup, dialect: &Dialect) -> String {
    let label = group.sql(dialect.day);
    let (prompt, completion) =
        ((dialect.tokens)("prompt_tokens", "prompt"), (dialect.tokens)("completion_tokens", "completion"));
    let (cost, estimated) = ((dialect.cost)("cost", "cost"), dialect.estimated);
    format!(
        "SELECT {label} AS label, count(*) AS requests, {prompt}, {completion}, {cost}, {estimated} AS estimated \
         FROM llm_usage_log WHERE timestamp >= $1 AND timestamp < $2 GROUP BY 1 ORDER BY 1"
    )
}

impl Store {
    /// Usage from `from` to before `to`, in microseconds since 1970, by group.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn usage_report(&self, group: UsageGroup, from: i64, to: i64) -> Result<Vec<UsageSum>, StoreError> {
        let rows: Vec<Row> = self.report(query(group, &POSTGRES), query(group, &SQLITE), from, to).await?;
        let sum = |row: Row| UsageSum {
            group: row.label,
            requests: row.requests,
            prompt_tokens: tokens_of(row.prompt_high, row.prompt_low),
            completion_tokens: tokens_of(row.completion_high, row.completion_low),
            cost_usd: sum_of(row.cost_high, row.cost_low).to_string(),
            estimated: row.estimated,
        };
        Ok(rows.into_iter().map(sum).collect())
    }

    /// Runs a query of many rows, whose parameters are two moments, beside all others.
    pub(in crate::db) async fn report<R>(
        &self,
        on_postgres: String,
        on_sqlite: String,
        from: i64,
        to: i64,
    ) -> Result<Vec<R>, StoreError>
    where
        R: FromSqlRow<Untyped, Pg> + FromSqlRow<Untyped, Sqlite> + Send + 'static,
    {
        match &self.backend {
            Backend::Postgres(postgres) => {
                let (_alone, mut connection) = postgres.report().await?;
                let query = diesel::sql_query(on_postgres);
                let query = query.bind::<sql::Moment, _>(At(from)).bind::<sql::Moment, _>(At(to));
                let rows = timeout(REPORT, RunQueryDsl::load(query, &mut connection)).await;
                postgres::flat(rows, REPORT)
            }
            Backend::Sqlite(sqlite) => {
                let query = diesel::sql_query(on_sqlite);
                let query = query.bind::<sql::Moment, _>(At(from)).bind::<sql::Moment, _>(At(to));
                sqlite.report(move |connection| diesel::RunQueryDsl::load(query, connection)).await
            }
        }
    }
}
