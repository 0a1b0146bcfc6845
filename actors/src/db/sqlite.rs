//! SQLite: the database of a gateway with nothing else installed.

use std::error::Error;
use std::fs::OpenOptions;
use std::future::ready;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::{Connection, QueryResult, SqliteConnection};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use diesel_async::{AsyncConnection, TransactionManager};
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::StoreError;
use crate::sealing::create_parent;

/// How long a statement waits for another process' lock.
const BUSY: Duration = Duration::from_secs(5);

/// `busy_timeout` comes first, because switching to WAL needs the lock that another process may hold.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA foreign_keys = ON;";

/// Runs SQLite on the thread that owns the connection: a statement on a small table takes about 10 µs there, and three
/// times that through a thread pool.
pub(super) struct Inline;

impl SpawnBlocking for Inline {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        let result = task();
        Box::pin(ready(Ok(result)))
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// A connection on the thread that owns it.
pub(super) type Lite = SyncConnectionWrapper<SqliteConnection, Inline>;

type Manager = <Lite as AsyncConnection>::TransactionManager;

/// The file and the one connection to it: a second writer on this thread would block the first.
pub(super) struct Sqlite {
    path: PathBuf,
    pub(super) connection: Mutex<Lite>,
}

impl Sqlite {
    pub(super) fn new(path: &Path, connection: SqliteConnection) -> Self {
        let connection = Mutex::new(SyncConnectionWrapper::with_runtime(connection, Inline));
        Self { path: path.to_owned(), connection }
    }

    /// Runs a query that may take long on a thread and a connection of its own.
    pub(super) async fn report<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let report = tokio::task::spawn_blocking(move || Ok(query(&mut connect(&path)?)?));
        report.await.map_err(|_ended| StoreError::Away)?
    }
}

/// Begins a transaction that may write.
pub(super) async fn begin(connection: &mut Lite) -> QueryResult<()> {
    connection
        .spawn_blocking(|connection| AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"))
        .await
}

/// Commits where the work went well, and else takes it back.
pub(super) async fn end<T>(connection: &mut Lite, result: QueryResult<T>) -> QueryResult<T> {
    match result {
        Ok(value) => Manager::commit_transaction(connection).await.map(|()| value),
        Err(error) => Manager::rollback_transaction(connection).await.and(Err(error)),
    }
}

/// The file that a `sqlite://` address names.
pub(super) fn path_of(url: &str) -> Result<&Path, StoreError> {
    let path = url.strip_prefix("sqlite://").ok_or(StoreError::Url("it names no database that the gateway knows"))?;
    if path.is_empty() {
        return Err(StoreError::Url("the path is missing"));
    }
    if path.contains(['?', '#']) {
        return Err(StoreError::Url("parameters after ? or # are not supported"));
    }
    Ok(Path::new(path))
}

/// Opens the file, which with its folder is made private if it is new: it holds who may spend what.
pub(super) fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    create_parent(path).map_err(failed)?;
    // SQLite gives its -wal and -shm files the mode of the main file. A file that is there must not even be opened: closing
    // it would take from this process the locks by which others know that its connections exist.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    // `./` keeps SQLite from reading a path such as `file:x` as an address.
    let name = Path::new(".").join(path);
    let mut connection = SqliteConnection::establish(&name.to_string_lossy())
        .map_err(|source| StoreError::Connect { path: path.to_owned(), source })?;
    set_up(&mut connection)?;
    Ok(connection)
}

/// SQLite refuses at once, busy timeout or not, where two connections switch a new file to WAL at the same time.
fn set_up(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        match connection.batch_execute(PRAGMAS) {
            Err(error) if error.to_string().contains("database is locked") && begun.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return Ok(result?),
        }
    }
}
