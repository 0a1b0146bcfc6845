//! What can go wrong between the gateway and its database.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::backend::postgres;

/// What the databases say of a value that cannot be; diesel tells these errors from outages by nothing else.
const REFUSALS: [&str; 15] = [
    // PostgreSQL's class 22.
    "invalid byte sequence",
    "invalid input syntax",
    "value too long",
    "out of range",
    "field overflow",
    "unsupported Unicode",
    "division by zero",
    "overflows numeric",
    // Its class 54: a text that no index can hold.
    "index row size",
    "index row requires",
    // SQLite's.
    "integer overflow",
    "cannot store",
    "too big",
    "datatype mismatch",
    // The gateway's own triggers.
    "refused by the gateway",
];

/// A failure of the store. None of them carries a credential.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one that this store opens.
    #[error(
        "database url: {0}; write sqlite://PATH, such as sqlite://data/gateway.db, or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    Url(&'static str),
    /// The database file or its folder could not be created.
    #[error("database file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The path of the database leads to another file than the one that was opened, or to none.
    #[error(
        "database file {}: it was deleted or replaced while the gateway runs; put it back, or restart the gateway with the \
         file that it is to use", .0.display()
    )]
    Replaced(PathBuf),
    /// The database could not be opened.
    #[error("database file {}: {source}", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: diesel::ConnectionError,
    },
    /// PostgreSQL could not be reached.
    #[error("PostgreSQL is unavailable: {0}")]
    Postgres(String),
    /// PostgreSQL does not let the gateway in, or its address is none.
    #[error("PostgreSQL: {0}")]
    Refused(String),
    /// PostgreSQL could not be reached a moment ago, and is not tried again yet.
    #[error("the database is unavailable")]
    Away,
    /// The database did not answer in time; whether it did what it was asked is not known.
    #[error("the database did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migrate(String),
    /// A price cannot be written.
    #[error("pricing_config: {0}")]
    Price(String),
    /// The log of changes gives no answer.
    #[error("change_log: no answer")]
    Log,
    /// The usage journal could not be read.
    #[error("usage journal: {0}")]
    Journal(#[from] io::Error),
    /// A statement failed.
    #[error("database: {0}")]
    Query(#[from] diesel::result::Error),
}

impl StoreError {
    /// What PostgreSQL's driver said, without the password that its address holds.
    pub(super) fn postgres(url: &str, reason: &str) -> Self {
        Self::Postgres(without_password(url, reason))
    }

    /// A mistake in the address or on the server, without the password.
    pub(super) fn refused(url: &str, reason: &str) -> Self {
        Self::Refused(without_password(url, reason))
    }

    /// What went wrong with the schema, without the password that the address holds.
    pub(super) fn migrate(url: &str, reason: impl std::fmt::Display) -> Self {
        Self::Migrate(without_password(url, &reason.to_string()))
    }

    /// Whether the database has certainly done nothing. After a lost connection or a missing answer nobody knows.
    pub fn did_nothing(&self) -> bool {
        !matches!(self, Self::Timeout(_)) && !self.is_lost()
    }

    /// Whether the database is away, rather than wrong: it may come.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Away | Self::Timeout(_))
            || self.is_lost()
            || self.is_locked()
            || self.is_canceled()
    }

    /// Whether PostgreSQL gave a statement up that took too long.
    fn is_canceled(&self) -> bool {
        use diesel::result::Error;
        let Self::Query(Error::DatabaseError(_, information)) = self else { return false };
        information.message().starts_with("canceling statement due to")
    }

    /// Whether another process holds the lock of SQLite's file.
    fn is_locked(&self) -> bool {
        use diesel::result::Error;
        matches!(self, Self::Query(Error::DatabaseError(_, information)) if information.message() == "database is locked")
    }

    /// Whether the database refused what it was asked for what it holds, such as a value that a column cannot take.
    pub fn is_refusal(&self) -> bool {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        let Self::Query(Error::DatabaseError(kind, information)) = self else { return false };
        match kind {
            Kind::UniqueViolation
            | Kind::ForeignKeyViolation
            | Kind::NotNullViolation
            | Kind::CheckViolation
            | Kind::RestrictViolation
            | Kind::ExclusionViolation => true,
            Kind::Unknown => REFUSALS.iter().any(|words| information.message().contains(words)),
            _ => false,
        }
    }

    /// Whether the database failed, rather than that it refused what was asked or that another transaction came first.
    pub(super) fn is_failure(&self) -> bool {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match self {
            Self::Query(Error::DatabaseError(Kind::SerializationFailure, _)) => false,
            Self::Query(Error::DatabaseError(..)) => !self.is_refusal(),
            Self::Query(error) => postgres::is_gone(error),
            Self::Price(_) | Self::Journal(_) => false,
            _ => true,
        }
    }

    /// Whether a row that was read is not what its column should hold.
    pub(super) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Query(diesel::result::Error::DeserializationError(_)))
    }

    /// Whether the connection was lost, so that a new one may do better.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Query(error) if postgres::is_gone(error))
    }
}

fn without_password(url: &str, text: &str) -> String {
    let user_info = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user_info, _)| user_info);
    let password = user_info.and_then(|user_info| user_info.split_once(':')).map(|(_, password)| password);
    let parameter = url.split_once("password=").and_then(|(_, rest)| rest.split('&').next());
    let text = text.replace(url, "its address");
    let secrets = [password, parameter].into_iter().flatten().filter(|secret| !secret.is_empty());
    secrets.fold(text, |text, secret| text.replace(secret, "…"))
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error};

    use super::*;

    /// J 26: a value that cannot be stored is no outage, and an outage is none of a value.
    #[test]
    fn j_26_a_refused_value_is_no_failure_of_the_store() {
        let error =
            |text: &str| StoreError::Query(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(text.to_owned())));
        for text in [
            "invalid byte sequence for encoding \"UTF8\": 0x00",
            "bigint out of range",
            "integer overflow",
            "index row size 2800 exceeds btree version 4 maximum 2704",
        ] {
            assert!(error(text).is_refusal() && !error(text).is_failure(), "{text}");
        }
        for text in ["could not extend file: No space left on device", "database is locked", "disk I/O error"] {
            assert!(!error(text).is_refusal() && error(text).is_failure(), "{text}");
        }
        let slow = error("canceling statement due to statement timeout");
        assert!(slow.is_away() && slow.is_failure() && !error("no such table").is_away());
    }

    /// H1: a password of the store's address is in no error.
    #[test]
    fn h1_no_error_tells_the_password() {
        for url in
            ["postgres://u:canary@p@h/db", "postgres://u:canary@p@h/db?x=y", "postgres://h/db?password=canary@p&a=b"]
        {
            for text in [format!("no answer from {url}"), "wrong password canary@p".to_owned()] {
                let error = StoreError::postgres(url, &text).to_string();
                assert!(!error.contains("canary"), "{error}");
            }
        }
        assert_eq!(without_password("postgres://h/db", "a: b@c"), "a: b@c");
    }
}
