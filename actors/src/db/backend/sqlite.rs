//! SQLite: the database of a gateway with nothing else installed.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::result::Error;
use diesel::{Connection, QueryResult, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::file_identity::FileIdentity;
use super::migrate;
use super::postgres::is_gone;
use super::private_file::create_parent;
use super::sqlite_thread::SqliteThread;
use crate::db::StoreError;
use crate::db::health::StoreHealth;

/// How long a statement waits for another process' lock; others wait behind it for their turn.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// `busy_timeout` comes first, because switching to WAL needs the lock that another process may hold.
const PRAGMAS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA foreign_keys = ON;";

/// How long one statement may take: longer than [`BUSY_TIMEOUT`], so that the wait for another process' lock has a sure end.
pub(in crate::db) const STATEMENT: Duration = Duration::from_secs(5);

/// How often a file that could not be written is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What tells whether the disk takes a write: a transaction that changes nothing touches no disk. The value is another
/// one each time, for SQLite leaves a page alone that stays as it is.
const PROBE: &str = "INSERT INTO settings (name, value) VALUES ('write_probe', strftime('%Y-%m-%d %H:%M:%f', 'now')) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// How long a start waits for another process that migrates.
const MIGRATING: &str = "PRAGMA busy_timeout = 8000";

const MIGRATED: &str = "PRAGMA busy_timeout = 2000";

/// How long a transaction may take.
pub(in crate::db) const TRANSACTION: Duration = Duration::from_secs(10);

/// The connection, as its owner uses it: every statement runs on the thread of SQLite.
pub(in crate::db) type Lite = SyncConnectionWrapper<SqliteConnection, SqliteThread>;

type Manager = <Lite as AsyncConnection>::TransactionManager;

/// The file, with one connection that writes and one that reads, so that nobody who reads waits behind a write that waits
/// for another process' lock. A second writer here would wait for the first.
pub(in crate::db) struct Sqlite {
    path: PathBuf,
    pub(in crate::db) writer: Rc<Lane>,
    pub(in crate::db) reader: Lane,
    /// Whether somebody tries whether the file can be written again.
    watched: Rc<Cell<bool>>,
}

/// One connection, and the thread that its statements run on.
pub(in crate::db) struct Lane {
    path: PathBuf,
    file: FileIdentity,
    thread: SqliteThread,
    connection: Mutex<Lite>,
    /// Whether somebody gave up in the middle: a statement may still run, and a transaction be open.
    left_open: Cell<bool>,
}

/// The connection while one caller uses it.
pub(in crate::db) struct LaneGuard<'a> {
    pub(in crate::db) connection: MutexGuard<'a, Lite>,
    left_open: &'a Cell<bool>,
}

impl LaneGuard<'_> {
    /// What became of the work; a connection that did not end it is put in order before it is used again.
    pub(in crate::db) fn judge<T>(
        self,
        outcome: Result<QueryResult<T>, Elapsed>,
        longest: Duration,
    ) -> Result<T, StoreError> {
        let outcome = outcome.map_err(|_elapsed| StoreError::Timeout(longest))?;
        self.left_open.set(outcome.as_ref().is_err_and(is_gone));
        Ok(outcome?)
    }
}

impl Lane {
    /// A connection that `open` makes on the new thread.
    async fn new(
        path: &Path,
        open: impl FnOnce(&Path) -> Result<SqliteConnection, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let file = path.to_owned();
        let thread = SqliteThread::start().map_err(|source| StoreError::File { path: file.clone(), source })?;
        let opened = thread.run(move || open(&file)).await;
        let connection = opened.map_err(|error| StoreError::Migrate(error.to_string()))??;
        let connection = Mutex::new(SyncConnectionWrapper::with_runtime(connection, thread.clone()));
        let file = FileIdentity::read(path)?;
        Ok(Self { path: path.to_owned(), file, thread, connection, left_open: Cell::new(false) })
    }

    /// The connection, for one caller at a time. Until its work is judged it counts as left open, for a caller that is
    /// dropped says nothing.
    pub(in crate::db) async fn hold(&self) -> Result<LaneGuard<'_>, StoreError> {
        let mut connection = self.connection.lock().await;
        self.file.check()?;
        if self.left_open.get() {
            // Not the connection itself, whose lock the running statement holds: to wait for it would block this thread.
            let idle = timeout(STATEMENT, self.thread.run(|| ())).await;
            idle.map_err(|_elapsed| StoreError::Timeout(STATEMENT))?.map_err(|_ended| StoreError::Away)?;
            match Manager::rollback_transaction(&mut connection).await {
                // Where no transaction is open, there is nothing to take back.
                Ok(()) | Err(Error::NotInTransaction) => {}
                Err(_unknown_state) => *connection = self.connect_again().await?,
            }
        }
        self.left_open.set(true);
        Ok(LaneGuard { connection, left_open: &self.left_open })
    }

    async fn connect_again(&self) -> Result<Lite, StoreError> {
        let path = self.path.clone();
        let connected = self.thread.run(move || connect(&path)).await.map_err(|_ended| StoreError::Away)?;
        Ok(SyncConnectionWrapper::with_runtime(connected?, self.thread.clone()))
    }

    /// Whether the file can be written now: no other process has locked it, and the disk takes it.
    pub(in crate::db) async fn takes_writes(&self) -> bool {
        let Ok(mut held) = self.hold().await else { return false };
        let outcome = timeout(TRANSACTION, async {
            begin(&mut held.connection).await?;
            let written = diesel::sql_query(PROBE).execute(&mut *held.connection).await;
            end(&mut held.connection, written).await
        });
        let outcome = outcome.await;
        held.judge(outcome, TRANSACTION).is_ok()
    }
}

impl Sqlite {
    /// Opens the file and brings its schema up to date.
    pub(in crate::db) async fn open(path: &Path) -> Result<Self, StoreError> {
        let migrated = |path: &Path| {
            let mut connection = connect(path)?;
            connection.batch_execute(MIGRATING)?;
            migrate::sqlite(&mut connection)?;
            connection.batch_execute(MIGRATED)?;
            Ok(connection)
        };
        let writer = Rc::new(Lane::new(path, migrated).await?);
        let reader = Lane::new(path, connect).await?;
        Ok(Self { path: path.to_owned(), writer, reader, watched: Rc::default() })
    }

    /// Whether somebody tries whether the file can be written again.
    pub(in crate::db) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// Tries now and then whether the file can be written again, and notes it: nobody may have anything to write.
    pub(in crate::db) fn watch(&self, health: Arc<StoreHealth>) {
        if self.watched.replace(true) {
            return;
        }
        let (writer, watched) = (Rc::downgrade(&self.writer), self.watched.clone());
        actix_rt::spawn(async move {
            while health.fails() {
                tokio::time::sleep(RETRY_INTERVAL).await;
                let Some(writer) = writer.upgrade() else { return };
                if writer.takes_writes().await && health.answered(Instant::now()) {
                    log::info!("the store is available again");
                }
            }
            watched.set(false);
        });
    }

    /// Runs a query that may take long on a thread and a connection of its own.
    pub(in crate::db) async fn report<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Else the connection would make an empty file.
        self.reader.file.check()?;
        let path = self.path.clone();
        let report = tokio::task::spawn_blocking(move || Ok(query(&mut connect(&path)?)?));
        report.await.map_err(|_ended| StoreError::Away)?
    }
}

/// Begins a transaction that may write.
pub(in crate::db) async fn begin(connection: &mut Lite) -> QueryResult<()> {
    connection
        .spawn_blocking(|connection| AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"))
        .await
}

/// Commits where the work went well, and else takes it back.
pub(in crate::db) async fn end<T>(connection: &mut Lite, result: QueryResult<T>) -> QueryResult<T> {
    match result {
        Ok(value) => Manager::commit_transaction(connection).await.map(|()| value),
        Err(error) => Manager::rollback_transaction(connection).await.and(Err(error)),
    }
}

/// The file that a `sqlite://` address names.
pub(in crate::db) fn path_of(url: &str) -> Result<&Path, StoreError> {
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
fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
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
            Err(error) if error.to_string().contains("database is locked") && begun.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return Ok(result?),
        }
    }
}
