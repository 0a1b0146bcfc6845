//! The way to PostgreSQL: its address, and whether what went wrong on it is an outage or a mistake.

use std::error::Error;
use std::io;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use super::StoreError;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The classes of SQLSTATE that a server tells an outage with: connection, resources, operator, system.
const OUTAGES: [&str; 4] = ["08", "53", "57", "58"];

/// Where a server is, and how to log in.
pub(super) struct Address {
    config: Config,
    url: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let config = url.parse().map_err(|error| refused(url, &error))?;
        Ok(Self { config, url: url.to_owned() })
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let set_up = async {
            let connected = self.config.connect(NoTls).await;
            let (client, connection) = connected.map_err(|error| self.failure(&error))?;
            let connected = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
            connected.map_err(|error| self.away(error))
        };
        timeout(CONNECT, set_up).await.unwrap_or_else(|_elapsed| Err(self.away("no answer")))
    }

    /// An error that says that the server is away.
    pub(super) fn away(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::postgres(&self.url, &reason.to_string())
    }

    /// An error about the schema.
    pub(super) fn migrate(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::migrate(&self.url, reason)
    }

    fn failure(&self, error: &tokio_postgres::Error) -> StoreError {
        if is_outage(error) { self.away(told(error)) } else { refused(&self.url, error) }
    }
}

fn refused(url: &str, error: &tokio_postgres::Error) -> StoreError {
    StoreError::refused(url, &told(error))
}

/// The error with its cause, which the driver's own text leaves out.
fn told(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether a connection failed because the server is away, which passes, and not by a mistake, which does not.
fn is_outage(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return OUTAGES.iter().any(|class| code.code().starts_with(class));
    }
    match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        // A certificate that is not trusted, or a server that is no PostgreSQL.
        Some(error) => !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput),
        None => error.is_closed(),
    }
}
