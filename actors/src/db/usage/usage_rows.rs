//! The columns of `llm_usage_log`, and its rows in one statement: PostgreSQL takes an array a column, SQLite a list of
//! values.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use diesel::SqliteConnection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::backend::sqlite::Lite;
use crate::db::backend::types::{At, Id, Picos, sql};
use crate::usage::row::{SharedRows, UsageRow};

/// PostgreSQL's texts cannot hold the character NUL; one such row would keep all others from being written.
fn clean(text: &str) -> Cow<'_, str> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
        None => Cow::Borrowed(text),
    }
}

/// The bytes of a trace id and of a provider's name, of a user's or a team's id, and of a model's name, so that a row
/// has 4 KB at most (G7). Whatever the gateway takes is no longer; what is written by hand may be.
const MAX_TEXT_BYTES: (usize, usize, usize) = (200, 800, 1_024);

fn short(text: &str, longest: usize) -> Cow<'_, str> {
    match clean(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..text.floor_char_boundary(longest)).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.truncate(text.floor_char_boundary(longest));
            Cow::Owned(text)
        }
    }
}

/// Rows in one statement of PostgreSQL's.
const POSTGRES_ROWS: usize = 1_000;

/// Rows in one statement of SQLite's. To prepare a statement costs as much as to run it, so that few rows in one that is
/// prepared once are quicker than many in one that is not.
const LITE_ROWS: usize = 64;

/// The same where fewer are left.
const FEW_LITE_ROWS: usize = 8;

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn picos(amount: i64) -> Picos {
    Picos::from_picos(i128::from(amount))
}

/// Makes the table of columns: name, SQL type, Rust type, and the value in a row.
macro_rules! columns {
    ($row:ident; $first:ident: $first_sql:ty = $first_type:ty, $first_value:expr;
     $($name:ident: $sql:ty = $type:ty, $value:expr;)*) => {
        /// Some rows, column by column. As a query of PostgreSQL's it writes them.
        struct UsageColumns<'a> {
            /// Whether it is to be told which rows are new, and not only how many: on PostgreSQL always, as it knows
            /// this query by its type.
            tells_new: bool,
            $first: Vec<$first_type>,
            $($name: Vec<$type>,)*
        }

        impl<'a> UsageColumns<'a> {
            fn from_rows(rows: &'a [Box<UsageRow>], tells_new: bool) -> Self {
                let mut columns = Self {
                    tells_new,
                    $first: Vec::with_capacity(rows.len()),
                    $($name: Vec::with_capacity(rows.len()),)*
                };
                for $row in rows {
                    columns.$first.push($first_value);
                    $(columns.$name.push($value);)*
                }
                columns
            }
        }

        const INSERT: &str = concat!(
            "INSERT INTO llm_usage_log (", stringify!($first), $(", ", stringify!($name),)* ") "
        );

        const ONCE: &str = " ON CONFLICT (id) DO NOTHING";

        const TOLD: &str = " RETURNING id";

        impl QueryFragment<Pg> for UsageColumns<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql(INSERT);
                out.push_sql("SELECT * FROM unnest(");
                out.push_bind_param::<Array<$first_sql>, _>(&self.$first)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<Array<$sql>, _>(&self.$name)?;
                )*
                out.push_sql(")");
                out.push_sql(ONCE);
                if self.tells_new {
                    out.push_sql(TOLD);
                }
                Ok(())
            }
        }

        impl<const N: usize> QueryFragment<Sqlite> for LiteInsert<'_, N> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                let columns = &self.0;
                if N == 0 {
                    out.unsafe_to_cache_prepared();
                }
                out.push_sql(INSERT);
                for (at, $first) in columns.$first.iter().enumerate() {
                    out.push_sql(if at == 0 { "VALUES (" } else { "), (" });
                    out.push_bind_param::<$first_sql, _>($first)?;
                    $(
                        out.push_sql(", ");
                        if let Some(value) = columns.$name.get(at) {
                            out.push_bind_param::<$sql, _>(value)?;
                        }
                    )*
                }
                out.push_sql(")");
                out.push_sql(ONCE);
                if columns.tells_new {
                    out.push_sql(TOLD);
                }
                Ok(())
            }
        }
    };
}

/// Some rows as SQLite writes them: `N` of them, by a statement that is prepared once, or with 0 any number.
struct LiteInsert<'a, const N: usize>(UsageColumns<'a>);

columns! { row;
    id: sql::Id = Id, Id(row.id);
    timestamp: sql::Moment = At, At(row.timestamp);
    trace_id: Text = Cow<'a, str>, short(&row.trace_id, MAX_TEXT_BYTES.0);
    request_id: Text = Cow<'a, str>, clean(&row.request_id);
    virtual_key_id: Text = Cow<'a, str>, clean(&row.virtual_key_id);
    user_id: Nullable<Text> = Option<Cow<'a, str>>, row.user_id.as_deref().map(|id| short(id, MAX_TEXT_BYTES.1));
    team_id: Nullable<Text> = Option<Cow<'a, str>>, row.team_id.as_deref().map(|id| short(id, MAX_TEXT_BYTES.1));
    provider: Text = Cow<'a, str>, short(&row.provider, MAX_TEXT_BYTES.0);
    model: Text = Cow<'a, str>, short(&row.model, MAX_TEXT_BYTES.2);
    endpoint: Text = Cow<'a, str>, clean(&row.endpoint);
    status: Text = Cow<'a, str>, clean(&row.status);
    attempt: Integer = i32, i32::try_from(row.attempt).unwrap_or(i32::MAX);
    prompt_tokens: BigInt = i64, tokens(row.usage.prompt_tokens);
    completion_tokens: BigInt = i64, tokens(row.usage.completion_tokens);
    cached_tokens: BigInt = i64, tokens(row.usage.cached_tokens);
    cache_write_tokens: BigInt = i64, tokens(row.usage.cache_write_tokens.saturating_add(row.usage.cache_write_1h_tokens));
    reasoning_tokens: BigInt = i64, tokens(row.usage.reasoning_tokens);
    cost: Nullable<sql::Picos> = Option<Picos>, row.cost.map(picos);
    estimated: Bool = bool, row.estimated;
    stream: Bool = bool, row.stream;
    duration_ms: BigInt = i64, row.duration_ms;
    time_to_first_token_ms: Nullable<BigInt> = Option<i64>, row.time_to_first_token_ms;
    replica: Text = Cow<'a, str>, clean(&row.replica);
    baseline_cost: Nullable<sql::Picos> = Option<Picos>, row.baseline_cost.map(picos);
}

impl Query for UsageColumns<'_> {
    type SqlType = sql::Id;
}

impl QueryId for UsageColumns<'_> {
    type QueryId = UsageColumns<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize> Query for LiteInsert<'_, N> {
    type SqlType = sql::Id;
}

impl<const N: usize> QueryId for LiteInsert<'_, N> {
    type QueryId = LiteInsert<'static, N>;
    const HAS_STATIC_QUERY_ID: bool = N > 0;
}

impl<const N: usize> diesel::RunQueryDsl<SqliteConnection> for LiteInsert<'_, N> {}

/// Rows on their way, which the thread of SQLite reads where they are.
#[derive(Clone)]
pub(in crate::db) struct UsageBatch {
    rows: SharedRows,
    range: Range<usize>,
}

impl UsageBatch {
    /// Some of the rows.
    pub(in crate::db) fn new(rows: &SharedRows, range: Range<usize>) -> Self {
        Self { rows: rows.clone(), range }
    }

    /// The rows.
    pub(in crate::db) fn rows(&self) -> &[Box<UsageRow>] {
        self.rows.get(self.range.clone()).unwrap_or_default()
    }
}

/// The write that the databases do in different ways.
pub(in crate::db) trait UsageStore {
    /// Writes rows, those that are there already left out. Tells the ids of the new ones where that is asked or costs
    /// nothing.
    ///
    /// # Errors
    /// Where the database fails, or a row is there already and it is not asked which.
    async fn insert_usage(&mut self, batch: &UsageBatch, tells_new: bool) -> QueryResult<Option<HashSet<Uuid>>>;
}

impl UsageStore for AsyncPgConnection {
    async fn insert_usage(&mut self, batch: &UsageBatch, _: bool) -> QueryResult<Option<HashSet<Uuid>>> {
        let mut new = HashSet::new();
        for rows in batch.rows().chunks(POSTGRES_ROWS) {
            let ids: Vec<Id> = RunQueryDsl::load(UsageColumns::from_rows(rows, true), self).await?;
            new.extend(ids.into_iter().map(|id| id.0));
        }
        Ok(Some(new))
    }
}

impl UsageStore for Lite {
    async fn insert_usage(&mut self, batch: &UsageBatch, tells_new: bool) -> QueryResult<Option<HashSet<Uuid>>> {
        let batch = batch.clone();
        self.spawn_blocking(move |connection| match tells_new {
            true => insert_told(connection, batch.rows()).map(Some),
            false => insert_all(connection, batch.rows()).map(|()| None),
        })
        .await
    }
}

/// Writes rows, all of them or none.
fn insert_all(connection: &mut SqliteConnection, rows: &[Box<UsageRow>]) -> QueryResult<()> {
    use diesel::RunQueryDsl as Query;

    let (whole, rest) = rows.split_at(rows.len() - rows.len() % LITE_ROWS);
    for rows in whole.chunks(LITE_ROWS).chain(rest.chunks(FEW_LITE_ROWS)) {
        let columns = UsageColumns::from_rows(rows, false);
        let count = match rows.len() {
            LITE_ROWS => Query::execute(LiteInsert::<LITE_ROWS>(columns), connection)?,
            FEW_LITE_ROWS => Query::execute(LiteInsert::<FEW_LITE_ROWS>(columns), connection)?,
            _ => Query::execute(LiteInsert::<0>(columns), connection)?,
        };
        if count != rows.len() {
            return Err(Error::RollbackTransaction);
        }
    }
    Ok(())
}

/// Writes rows, and gives the ids of those that were not there.
fn insert_told(connection: &mut SqliteConnection, rows: &[Box<UsageRow>]) -> QueryResult<HashSet<Uuid>> {
    let mut new = HashSet::new();
    for rows in rows.chunks(LITE_ROWS) {
        let insert = LiteInsert::<0>(UsageColumns::from_rows(rows, true));
        let ids: Vec<Id> = diesel::RunQueryDsl::load(insert, connection)?;
        new.extend(ids.into_iter().map(|id| id.0));
    }
    Ok(new)
}
