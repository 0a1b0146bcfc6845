//! The usage log, added up.

use diesel::QueryableByName;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Text, Untyped};
use diesel::sqlite::Sqlite;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use tokio::time::timeout;

use super::conn::Backend;
use super::postgres::{self, REPORT};
use super::types::{At, Picos, sql};
use super::{Store, StoreError};
use crate::money::PicoUsd;

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

impl UsageGroup {
    /// The group that a word of the admin API means.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "day" => Self::Day,
            "key" => Self::Key,
            "user" => Self::User,
            "team" => Self::Team,
            "provider" => Self::Provider,
            "model" => Self::Model,
            _ => return None,
        })
    }

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
    #[diesel(sql_type = BigInt)]
    prompt_tokens: i64,
    #[diesel(sql_type = BigInt)]
    completion_tokens: i64,
    #[diesel(sql_type = sql::Picos)]
    micros: Picos,
    #[diesel(sql_type = sql::Picos)]
    picos: Picos,
    #[diesel(sql_type = BigInt)]
    estimated: i64,
}

/// What differs between the databases.
struct Dialect {
    day: &'static str,
    /// The cost in two sums. SQLite's is an integer of pico-dollars that may be too large for one.
    cost: &'static str,
    estimated: &'static str,
}

const POSTGRES: Dialect = Dialect {
    day: "to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    cost: "0::numeric AS micros, coalesce(sum(cost), 0) AS picos",
    estimated: "count(*) FILTER (WHERE estimated)",
};

const SQLITE: Dialect = Dialect {
    day: "date(timestamp / 1000000, 'unixepoch')",
    cost: "coalesce(sum(cost / 1000000), 0) AS micros, coalesce(sum(cost % 1000000), 0) AS picos",
    estimated: "sum(estimated)",
};

/// A sum of whole micro-dollars, of which there are so many pico-dollars.
pub(super) const PICOS: i128 = 1_000_000;

fn query(group: UsageGroup, dialect: &Dialect) -> String {
    let Dialect { day, cost, estimated } = dialect;
    let label = group.sql(day);
    // Casts, since PostgreSQL adds BIGINTs up to a NUMERIC.
    format!(
        "SELECT {label} AS label, count(*) AS requests, CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens, \
         CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens, {cost}, {estimated} AS estimated \
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
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            cost_usd: PicoUsd::from_picos(row.micros.0.picos() * PICOS).plus(row.picos.0).to_string(),
            estimated: row.estimated,
        };
        Ok(rows.into_iter().map(sum).collect())
    }

    /// Runs a query of many rows, whose parameters are two moments, beside all others.
    pub(super) async fn report<R>(
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
