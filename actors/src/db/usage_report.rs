//! The usage log, added up.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::Serialize;

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

    fn sql(self) -> &'static str {
        match self {
            Self::Day => "date(timestamp / 1000000, 'unixepoch')",
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
    #[diesel(sql_type = BigInt)]
    cost: i64,
    #[diesel(sql_type = BigInt)]
    estimated: i64,
}

impl Store {
    /// Usage from `from` to before `to`, in microseconds since 1970, by group.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn usage_report(&self, group: UsageGroup, from: i64, to: i64) -> Result<Vec<UsageSum>, StoreError> {
        let query = format!(
            "SELECT {} AS label, count(*) AS requests, sum(prompt_tokens) AS prompt_tokens, \
             sum(completion_tokens) AS completion_tokens, coalesce(sum(cost), 0) AS cost, \
             sum(estimated) AS estimated FROM llm_usage_log WHERE timestamp >= ? AND timestamp < ? \
             GROUP BY label ORDER BY label",
            group.sql()
        );
        let read = move |connection: &mut SqliteConnection| {
            diesel::sql_query(query).bind::<BigInt, _>(from).bind::<BigInt, _>(to).load::<Row>(connection)
        };
        let sum = |row: Row| UsageSum {
            group: row.label,
            requests: row.requests,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            cost_usd: PicoUsd::from_picos(i128::from(row.cost)).to_string(),
            estimated: row.estimated,
        };
        Ok(self.with(read).await?.into_iter().map(sum).collect())
    }
}
