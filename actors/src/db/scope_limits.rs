//! The `scope_limits` table: what users and teams may do.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::backend::lenient::Lenient;
use super::bad_rows::BadRow;
use super::changes::Which;
use super::schema::scope_limits;
use super::{Store, StoreError};
use crate::limits::Limits;
use crate::scope::{Scope, ScopeKind};

type Row = (Lenient<String>, Lenient<String>, Option<i64>, Option<i64>, Option<i64>);

/// What was read of `scope_limits`. A limit that is none lets nothing through, and its row is bad.
#[derive(Debug, Default)]
pub struct ReadScopeLimits {
    /// The limits.
    pub limits: Vec<(Scope, Limits)>,
    /// The rows that are bad.
    pub bad: Vec<BadRow>,
}

/// Lets nothing through.
const NOTHING: Limits = Limits { requests_per_minute: None, tokens_per_minute: None, max_parallel: Some(0) };

impl ReadScopeLimits {
    fn add(&mut self, (scope, id, requests, tokens, parallel): Row) {
        let (scope, id) = (scope.or_unnamed(), id.or_unnamed());
        let bad = |problem: &str| BadRow::new("scope_limits", format!("{scope}/{id}"), problem);
        let Ok(kind) = scope.parse::<ScopeKind>() else { return self.bad.push(bad("scope must be user or team")) };
        let limit = |limit: Option<i64>| limit.map(u32::try_from).transpose();
        let limits = match (limit(requests), limit(tokens), limit(parallel)) {
            (Ok(requests_per_minute), Ok(tokens_per_minute), Ok(max_parallel)) => {
                Limits { requests_per_minute, tokens_per_minute, max_parallel }
            }
            _ => {
                self.bad.push(bad("a limit is beyond its range"));
                NOTHING
            }
        };
        self.limits.push((Scope::new(kind, id.as_str()), limits));
    }
}

/// The scope that the log of changes means.
pub fn scope_of(row_id: &str) -> Option<Scope> {
    let (kind, id) = row_id.split_once('/')?;
    Some(Scope::new(kind.parse::<ScopeKind>().ok()?, id))
}

impl Store {
    /// The limits of users and teams.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn scope_limits(&self, which: &Which) -> Result<ReadScopeLimits, StoreError> {
        let all = scope_limits::table.select((
            scope_limits::scope,
            scope_limits::scope_id,
            scope_limits::requests_per_minute,
            scope_limits::tokens_per_minute,
            scope_limits::max_parallel,
        ));
        let mut read = ReadScopeLimits::default();
        match which {
            Which::All => {
                let rows: Vec<Row> = read!(self, c => all.load(c))?;
                rows.into_iter().for_each(|row| read.add(row));
            }
            Which::Some(ids) => {
                for (scope, id) in ids.iter().filter_map(|id| id.split_once('/')) {
                    let one = all.filter(scope_limits::scope.eq(scope)).filter(scope_limits::scope_id.eq(id));
                    let rows: Vec<Row> = read!(self, c => one.load(c))?;
                    rows.into_iter().for_each(|row| read.add(row));
                }
            }
        }
        Ok(read)
    }

    /// Sets the limits of a user or team, or takes them all away.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_scope_limits(&self, scope: &Scope, limits: Limits) -> Result<(), StoreError> {
        let (kind, id) = (scope.kind.as_str(), &*scope.id);
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
