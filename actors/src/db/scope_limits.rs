//! The `scope_limits` table: what users and teams may do.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::schema::scope_limits;
use super::{Store, StoreError};
use crate::budget::scope::{Scope, ScopeKind};
use crate::limits::Limits;

type Row = (String, String, Option<i64>, Option<i64>, Option<i64>);

impl Store {
    /// The limits of all users and teams.
    ///
    /// # Errors
    /// Where the database fails, or holds a limit that is none: never "no limit".
    pub async fn scope_limits(&self) -> Result<Vec<(Scope, Limits)>, StoreError> {
        let rows: Vec<Row> = again!(self, c => scope_limits::table
            .select((
                scope_limits::scope,
                scope_limits::scope_id,
                scope_limits::requests_per_minute,
                scope_limits::tokens_per_minute,
                scope_limits::max_parallel,
            ))
            .load(c))?;
        rows.into_iter().map(limits_of).collect()
    }

    /// Sets the limits of a user or team, or takes them all away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_scope_limits(&self, scope: &Scope, limits: Limits) -> Result<(), StoreError> {
        let (kind, id) = (scope.kind.word(), &*scope.id);
        if limits.is_empty() {
            let of_scope =
                scope_limits::table.filter(scope_limits::scope.eq(kind)).filter(scope_limits::scope_id.eq(id));
            return again!(self, c => diesel::delete(of_scope).execute(c)).map(drop);
        }
        let values = (
            scope_limits::requests_per_minute.eq(limits.requests_per_minute.map(i64::from)),
            scope_limits::tokens_per_minute.eq(limits.tokens_per_minute.map(i64::from)),
            scope_limits::max_parallel.eq(limits.max_parallel.map(i64::from)),
        );
        again!(self, c => diesel::insert_into(scope_limits::table)
            .values((scope_limits::scope.eq(kind), scope_limits::scope_id.eq(id), values))
            .on_conflict((scope_limits::scope, scope_limits::scope_id))
            .do_update()
            .set(values)
            .execute(c))
        .map(drop)
    }
}

fn limits_of((scope, id, requests, tokens, parallel): Row) -> Result<(Scope, Limits), StoreError> {
    let unreadable = || StoreError::Limit(format!("{scope} {id}"));
    let limit = |limit: Option<i64>| limit.map(u32::try_from).transpose().map_err(|_range| unreadable());
    let limits = Limits {
        requests_per_minute: limit(requests)?,
        tokens_per_minute: limit(tokens)?,
        max_parallel: limit(parallel)?,
    };
    let kind = ScopeKind::of_word(&scope).ok_or_else(unreadable)?;
    Ok((Scope::new(kind, id), limits))
}
