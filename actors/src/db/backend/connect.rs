//! The way to PostgreSQL: its address, and whether what went wrong on it is an outage or a mistake.

use std::error::Error;
use std::io;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, Socket};

use super::tls::Tls;
use crate::db::StoreError;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The parameters of an address that say how it is encrypted.
const OURS: [&str; 2] = ["sslmode=", "sslrootcert="];

/// The classes of SQLSTATE that a server tells an outage with: connection, resources, operator, system.
const OUTAGES: [&str; 4] = ["08", "53", "57", "58"];

/// Where a server is, how to log in, and how the way is encrypted.
pub(in crate::db) struct Address {
    config: Config,
    tls: Option<Tls>,
    url: String,
}

impl Address {
    pub(in crate::db) fn parse(url: &str) -> Result<Self, StoreError> {
        // What the driver does not know is taken out for it.
        let (base, parameters) = url.rsplit_once('?').unwrap_or((url, ""));
        let (ours, its): (Vec<_>, Vec<_>) =
            parameters.split('&').partition(|parameter| OURS.iter().any(|name| parameter.starts_with(name)));
        let of = |name| ours.iter().rev().find_map(|parameter| parameter.strip_prefix(name));
        let mut config: Config =
            format!("{base}?{}", its.join("&")).parse().map_err(|error| refused(url, &told(&error)))?;
        let tls = match of("sslmode=") {
            None | Some("disable" | "prefer") => Ok(None),
            Some("require") if of("sslrootcert=").is_none() => Tls::unverified().map(Some),
            Some("require" | "verify-full") => {
                Tls::verified(of("sslrootcert=").filter(|path| *path != "system")).map(Some)
            }
            Some(_) => Err("sslmode must be disable, require or verify-full".to_owned()),
        };
        let tls = tls.map_err(|reason| refused(url, &reason))?;
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, tls, url: url.to_owned() })
    }

    /// A new connection.
    pub(in crate::db) async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let set_up = async {
            match &self.tls {
                Some(tls) => self.open(tls.clone()).await,
                None => self.open(NoTls).await,
            }
        };
        timeout(CONNECT_TIMEOUT, set_up).await.unwrap_or_else(|_elapsed| Err(self.away("no answer")))
    }

    async fn open<T>(&self, tls: T) -> Result<AsyncPgConnection, StoreError>
    where
        T: MakeTlsConnect<Socket, Stream: Send + 'static>,
    {
        let connected = self.config.connect(tls).await;
        let (client, connection) = connected.map_err(|error| self.failure(&error))?;
        let connected = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
        connected.map_err(|error| self.away(error))
    }

    /// An error that says that the server is away.
    pub(in crate::db) fn away(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::postgres(&self.url, &reason.to_string())
    }

    /// An error about the schema.
    pub(in crate::db) fn migrate(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::migrate(&self.url, reason)
    }

    fn failure(&self, error: &tokio_postgres::Error) -> StoreError {
        if is_outage(error) { self.away(told(error)) } else { refused(&self.url, &told(error)) }
    }
}

fn refused(url: &str, reason: &str) -> StoreError {
    StoreError::refused(url, reason)
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
