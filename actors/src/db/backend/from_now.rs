//! Moments by the clock of the database, which all replicas share.

use std::time::Duration;

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use super::types::sql;

/// So many microseconds from now, which may be negative.
#[derive(Clone, Copy, Debug, QueryId)]
pub(in crate::db) struct FromNow {
    micros: i64,
}

impl FromNow {
    pub(in crate::db) fn after(duration: Duration) -> Self {
        Self { micros: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
    }

    pub(in crate::db) fn before(duration: Duration) -> Self {
        Self { micros: -Self::after(duration).micros }
    }

    pub(in crate::db) fn micros(self) -> i64 {
        self.micros
    }
}

impl Expression for FromNow {
    type SqlType = sql::Moment;
}

impl<T> AppearsOnTable<T> for FromNow {}

impl<T> SelectableExpression<T> for FromNow {}

impl<G> ValidGrouping<G> for FromNow {
    type IsAggregate = is_aggregate::Never;
}

impl QueryFragment<Pg> for FromNow {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("(clock_timestamp() + ");
        out.push_bind_param::<BigInt, _>(&self.micros)?;
        out.push_sql(" * interval '1 microsecond')");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for FromNow {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("(CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) + ");
        out.push_bind_param::<BigInt, _>(&self.micros)?;
        out.push_sql(")");
        Ok(())
    }
}
