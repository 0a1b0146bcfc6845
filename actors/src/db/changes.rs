//! What changed in the tables that processes keep in memory: the log that their triggers write, whoever writes them.
//!
//! A mark says which transactions a process has seen. On PostgreSQL it is a snapshot: what other transactions wrote is
//! seen once they have committed, however long that took and whatever the clocks say. On SQLite, which has one writer at
//! a time, it is a number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::backend::conn::Backend;
use super::backend::lenient::Lenient;
use super::{Store, StoreError};
use crate::clock::Moment;

/// More changes than these are read as whole tables.
const MAX_CHANGES: usize = 1_000;

/// How long a mark can be used: what is older may have been removed from the log.
const MARK_TTL: Duration = Duration::from_secs(1_800);

/// How many changes one statement removes: none of them may last longer than a statement may.
const REMOVE_BATCH_SIZE: usize = 5_000;

/// What a process has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The server that said so: after a restart or a failover its word is worth nothing.
    server: String,
    seen: String,
    /// By a clock that a suspension of the machine does not stop: others remove changes meanwhile.
    at: Moment,
}

/// Which rows of a table are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those of some ids, as the log writes them.
    Some(BTreeSet<String>),
}

/// What changed since a mark.
#[derive(Clone, Debug)]
pub struct Changes {
    /// What to ask with next time, once all of this is read.
    pub mark: Mark,
    /// By table; none where everything is to be read.
    tables: Option<BTreeMap<String, Which>>,
}

impl Changes {
    /// Which rows of a table are to be read, if any.
    pub fn of(&self, table: &str) -> Option<Which> {
        match &self.tables {
            None => Some(Which::All),
            Some(tables) => tables.get(table).cloned(),
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    server: String,
    #[diesel(sql_type = Text)]
    seen: String,
    #[diesel(sql_type = Nullable<Text>)]
    table_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    row_id: Option<Lenient<String>>,
}

/// One statement, so that the new mark and the changes are of the same moment. A number beyond the present is one that
/// another server gave, before the log was copied here.
const POSTGRES: &str = "SELECT now.server, now.seen, change.table_name, change.row_id FROM \
    (SELECT pg_backend_pid() || ' ' || pg_postmaster_start_time() AS server, pg_current_snapshot()::text AS seen) now \
    LEFT JOIN (SELECT table_name, row_id FROM change_log \
    WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot()) \
    AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot) LIMIT 1001) change ON true";

const SQLITE: &str = "SELECT '' AS server, now.seen, change.table_name, change.row_id FROM \
    (SELECT CAST(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0) AS TEXT) AS seen) now \
    LEFT JOIN (SELECT table_name, row_id FROM change_log WHERE seq > CAST($1 AS INTEGER) LIMIT 1001) change ON true";

/// Replicas that do this at the same time share the work, and never wait for each other.
const POSTGRES_FORGET: &str = "DELETE FROM change_log WHERE ctid = ANY(ARRAY(SELECT ctid FROM change_log \
    WHERE xid < pg_snapshot_xmin($1::pg_snapshot) ORDER BY xid LIMIT $2 FOR UPDATE SKIP LOCKED))";

const SQLITE_FORGET: &str = "DELETE FROM change_log WHERE seq IN \
    (SELECT seq FROM change_log WHERE seq <= CAST($1 AS INTEGER) ORDER BY seq LIMIT $2)";

impl Store {
    /// What anybody has changed since `mark`; without one, everything.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn changes_since(&self, mark: Option<&Mark>) -> Result<Changes, StoreError> {
        let at = Moment::now();
        let seen = mark.map(|mark| mark.seen.clone());
        let sql = match &self.backend {
            Backend::Postgres(_) => POSTGRES,
            Backend::Sqlite(_) => SQLITE,
        };
        let rows: Vec<Row> = read!(self, c => diesel::sql_query(sql).bind::<Nullable<Text>, _>(&seen).get_results(c))?;
        let [first, ..] = rows.as_slice() else { return Err(StoreError::Log) };
        let now = Mark { server: first.server.clone(), seen: first.seen.clone(), at };
        let is_good = mark.is_some_and(|mark| mark.leads_to(&now)) && rows.len() <= MAX_CHANGES;
        let tables = is_good.then(|| by_table(rows));
        Ok(Changes { mark: now, tables })
    }

    /// Removes what every process has read since long: what was there when `mark` was made.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_changes(&self, mark: &Mark) -> Result<usize, StoreError> {
        let sql = match &self.backend {
            Backend::Postgres(_) => POSTGRES_FORGET,
            Backend::Sqlite(_) => SQLITE_FORGET,
        };
        let at_once = i64::try_from(REMOVE_BATCH_SIZE).unwrap_or(i64::MAX);
        let mut all = 0;
        loop {
            let delete = || diesel::sql_query(sql).bind::<Text, _>(&mark.seen).bind::<BigInt, _>(at_once);
            let removed = again!(self, c => delete().execute(c))?;
            if removed == 0 {
                return Ok(all);
            }
            all += removed;
        }
    }
}

impl Mark {
    /// Whether what changed from here to another mark is known.
    fn leads_to(&self, now: &Self) -> bool {
        // A file's number that went back is that of a copy that was put in its place.
        let went_back = |before: u64| now.seen.parse().is_ok_and(|seen: u64| seen < before);
        self.is_of_the_server_of(now)
            && now.at.saturating_duration_since(self.at) < MARK_TTL
            && !self.seen.parse().is_ok_and(went_back)
    }

    /// Whether both were given by the same server, without a restart in between.
    pub fn is_of_the_server_of(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

fn by_table(rows: Vec<Row>) -> BTreeMap<String, Which> {
    let mut tables = BTreeMap::new();
    for row in rows {
        let Some(table) = row.table_name else { continue };
        let which = tables.entry(table).or_insert_with(|| Which::Some(BTreeSet::new()));
        // A row whose id is no text is found by reading all.
        match (row.row_id.and_then(|id| id.0.ok()), which) {
            (Some(id), Which::Some(ids)) => drop(ids.insert(id)),
            (None, which) => *which = Which::All,
            (Some(_), Which::All) => {}
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H-4: a mark is too old after so much time by the clock that a suspension does not stop (L-5).
    #[test]
    fn h_4_a_mark_ages_while_the_machine_is_suspended() {
        let at = |at: Moment| Mark { server: String::new(), seen: "1".to_owned(), at };
        let then = Moment::now();
        assert!(at(then).leads_to(&at(then + (MARK_TTL - Duration::from_secs(1)))));
        assert!(!at(then).leads_to(&at(then + MARK_TTL)));
    }
}
