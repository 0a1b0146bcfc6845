//! One query for two databases: the macros build the same diesel expression once for each of them.

use super::postgres::Postgres;
use super::sqlite::Sqlite;

/// The database that an address names.
pub(in crate::db) enum Backend {
    /// A server that replicas share.
    Postgres(Box<Postgres>),
    /// A file of this process.
    Sqlite(Sqlite),
}

/// Runs a query, given as the future that it is, on one of SQLite's connections.
macro_rules! run {
    ($store:expr, $lane:ident, $c:ident => $query:expr) => {
        async {
            match &$store.backend {
                $crate::db::backend::conn::Backend::Postgres(postgres) => {
                    let held = postgres.shared().await?;
                    let outcome = {
                        let $c = &mut &*held;
                        tokio::time::timeout($crate::db::backend::postgres::STATEMENT, $query).await
                    };
                    postgres.judge(&held, outcome).await
                }
                $crate::db::backend::conn::Backend::Sqlite(sqlite) => {
                    let mut held = sqlite.$lane.hold().await?;
                    let outcome = {
                        let $c = &mut *held.connection;
                        tokio::time::timeout($crate::db::backend::sqlite::STATEMENT, $query).await
                    };
                    held.judge(outcome, $crate::db::backend::sqlite::STATEMENT)
                }
            }
        }
    };
}

/// Runs a query that may write.
macro_rules! on {
    ($store:expr, $c:ident => $query:expr) => {{
        let work = run!($store, writer, $c => $query);
        $store.heard(work.await)
    }};
}

/// Runs a query that may write and does no harm when it runs twice: once more where a restart of the server had cut the
/// connection.
macro_rules! again {
    ($store:expr, $c:ident => $query:expr) => {
        match on!($store, $c => $query) {
            Err(error) if error.is_lost() => on!($store, $c => $query),
            result => result,
        }
    };
}

/// Runs a query that only reads: on SQLite it never waits behind a write that waits for another process' lock.
macro_rules! read {
    ($store:expr, $c:ident => $query:expr) => {{
        let work = run!($store, reader, $c => $query);
        match $store.heard_read(work.await) {
            Err(error) if error.is_lost() => {
                let work = run!($store, reader, $c => $query);
                $store.heard_read(work.await)
            }
            result => result,
        }
    }};
}

/// Runs queries that take effect together or not at all. The block ends with an `Ok` whose error type is diesel's.
///
/// On SQLite the transaction takes the writers' lock at its beginning, since a reader that becomes a writer is refused
/// without waiting; one that is given up in the middle is taken back before the connection is used again. On PostgreSQL
/// the connection is taken out of its place and put back on completion only: a connection with a cancelled transaction
/// would turn all later ones into savepoints that are never committed.
macro_rules! tx {
    ($store:expr, $c:ident => $work:block) => {{
        let work = async {
            match &$store.backend {
                $crate::db::backend::conn::Backend::Postgres(postgres) => {
                    let mut lane = postgres.lane().await;
                    let mut own = match lane.take() {
                        Some(own) => own,
                        None => postgres.connect($crate::db::backend::postgres::TRANSACTION).await?,
                    };
                    let outcome = tokio::time::timeout($crate::db::backend::postgres::TRANSACTION, async {
                        $crate::db::backend::postgres::begin(&mut own).await?;
                        let result = {
                            let $c = &mut own;
                            async { $work }.await
                        };
                        $crate::db::backend::postgres::end(&mut own, result).await
                    });
                    let outcome = outcome.await;
                    if $crate::db::backend::postgres::is_usable(&outcome) {
                        *lane = Some(own);
                    }
                    $crate::db::backend::postgres::flat(outcome, $crate::db::backend::postgres::TRANSACTION)
                }
                $crate::db::backend::conn::Backend::Sqlite(sqlite) => {
                    let mut held = sqlite.writer.hold().await?;
                    let own = &mut *held.connection;
                    let outcome = tokio::time::timeout($crate::db::backend::sqlite::TRANSACTION, async {
                        $crate::db::backend::sqlite::begin(own).await?;
                        let result = {
                            let $c = &mut *own;
                            async { $work }.await
                        };
                        $crate::db::backend::sqlite::end(own, result).await
                    });
                    let outcome = outcome.await;
                    held.judge(outcome, $crate::db::backend::sqlite::TRANSACTION)
                }
            }
        };
        $store.heard(work.await)
    }};
}
