//! What can go wrong between the gateway and its database.

use std::io;
use std::path::PathBuf;

/// A failure of the store. None of them carries a credential.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one that this store opens.
    #[error("database url: {0}; write sqlite://PATH, such as sqlite://data/gateway.db")]
    Url(&'static str),
    /// The database file or its folder could not be created.
    #[error("database file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database could not be opened.
    #[error("database file {}: {source}", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: diesel::ConnectionError,
    },
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migrate(Box<dyn std::error::Error + Send + Sync>),
    /// A price cannot be read or written.
    #[error("pricing_config: {0}")]
    Price(String),
    /// The usage journal could not be read.
    #[error("usage journal: {0}")]
    Journal(#[from] io::Error),
    /// A statement failed.
    #[error("database: {0}")]
    Query(#[from] diesel::result::Error),
}
