//! PostgreSQL: the database of a fleet. Connections are made when they are needed, and made again after a restart of the
//! server.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection, TransactionManager};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::connect::Address;
use crate::db::StoreError;

/// How long one statement may take.
pub(in crate::db) const STATEMENT: Duration = Duration::from_secs(5);

/// How long a transaction may take.
pub(in crate::db) const TRANSACTION: Duration = Duration::from_secs(10);

/// How long a sum over the usage log may take.
pub(in crate::db) const REPORT: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(2);

type Manager = <AsyncPgConnection as AsyncConnection>::TransactionManager;

/// The server, with two connections: a shared one that pipelines single statements, and a lane for one transaction at a
/// time. A report makes a third one for itself, so that nothing waits behind it.
pub(in crate::db) struct Postgres {
    address: Address,
    shared: Mutex<Option<Rc<AsyncPgConnection>>>,
    lane: Mutex<Option<AsyncPgConnection>>,
    reports: Mutex<()>,
    pause: Cell<Option<Pause>>,
}

/// Until when no connection is tried after some failures.
#[derive(Clone, Copy)]
struct Pause {
    length: Duration,
    end: Instant,
}

impl Postgres {
    pub(in crate::db) fn new(address: Address) -> Self {
        Self {
            address,
            shared: Mutex::default(),
            lane: Mutex::default(),
            reports: Mutex::default(),
            pause: Cell::default(),
        }
    }

    /// The connection that single statements share.
    pub(in crate::db) async fn shared(&self) -> Result<Rc<AsyncPgConnection>, StoreError> {
        let mut shared = self.shared.lock().await;
        if let Some(held) = &*shared {
            return Ok(held.clone());
        }
        let held = Rc::new(self.connect(STATEMENT).await?);
        *shared = Some(held.clone());
        Ok(held)
    }

    /// The place of the connection that transactions run on, one after the other.
    pub(in crate::db) async fn lane(&self) -> MutexGuard<'_, Option<AsyncPgConnection>> {
        self.lane.lock().await
    }

    /// A connection for a report, which waits for those before it.
    pub(in crate::db) async fn report(&self) -> Result<(MutexGuard<'_, ()>, AsyncPgConnection), StoreError> {
        let alone = self.reports.lock().await;
        let connection = self.connect(REPORT).await?;
        Ok((alone, connection))
    }

    /// A new connection whose statements the server cancels after `longest`.
    pub(in crate::db) async fn connect(&self, longest: Duration) -> Result<AsyncPgConnection, StoreError> {
        let pause = self.pause.get();
        if pause.is_some_and(|pause| Instant::now() < pause.end) {
            return Err(StoreError::Away);
        }
        let connected = self.set_up(longest).await;
        self.pause.set(connected.is_err().then(|| {
            let length = pause.map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(MAX_PAUSE));
            Pause { length, end: Instant::now() + length }
        }));
        connected
    }

    async fn set_up(&self, longest: Duration) -> Result<AsyncPgConnection, StoreError> {
        let mut connection = self.address.connect().await?;
        // The second one ends the locks of a process that stands still in a transaction, or whose host is gone.
        let settings = format!(
            "SET statement_timeout = {0}; SET idle_in_transaction_session_timeout = {0}; \
             SET application_name = 'gateway'",
            longest.as_millis()
        );
        let set = timeout(STATEMENT, connection.batch_execute(&settings)).await;
        set.map_err(|_elapsed| StoreError::Timeout(STATEMENT))?.map_err(|error| self.address.away(error))?;
        Ok(connection)
    }

    /// What became of a statement on the shared connection, which is given up where it is of no use any more.
    pub(in crate::db) async fn judge<T>(
        &self,
        held: &Rc<AsyncPgConnection>,
        outcome: Result<QueryResult<T>, Elapsed>,
    ) -> Result<T, StoreError> {
        if !is_usable(&outcome) {
            let mut shared = self.shared.lock().await;
            if shared.as_ref().is_some_and(|current| Rc::ptr_eq(current, held)) {
                *shared = None;
            }
        }
        flat(outcome, STATEMENT)
    }
}

/// Whether the connection can go on. A server that is frozen sends no error ever, so a connection without an answer is
/// given up.
pub(in crate::db) fn is_usable<T>(outcome: &Result<QueryResult<T>, Elapsed>) -> bool {
    match outcome {
        Ok(Err(error)) => !is_gone(error),
        Ok(Ok(_)) => true,
        Err(_elapsed) => false,
    }
}

/// The outcome as one result.
pub(in crate::db) fn flat<T>(outcome: Result<QueryResult<T>, Elapsed>, longest: Duration) -> Result<T, StoreError> {
    Ok(outcome.map_err(|_elapsed| StoreError::Timeout(longest))??)
}

/// Whether an error means that the connection is of no use any more.
pub(in crate::db) fn is_gone(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection, _) => true,
        // What a server says that is told to stop; the connection ends right after it.
        Error::DatabaseError(_, information) => information.message().contains("terminating connection"),
        Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. } => true,
        _ => false,
    }
}

/// Begins a transaction.
pub(in crate::db) async fn begin(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    Manager::begin_transaction(connection).await
}

/// Commits where the work went well, and else takes it back.
pub(in crate::db) async fn end<T>(connection: &mut AsyncPgConnection, result: QueryResult<T>) -> QueryResult<T> {
    match result {
        Ok(value) => Manager::commit_transaction(connection).await.map(|()| value),
        Err(error) => match Manager::rollback_transaction(connection).await {
            Ok(()) => Err(error),
            // A connection in an unknown state must not be used again.
            Err(_) => Err(Error::BrokenTransactionManager),
        },
    }
}
