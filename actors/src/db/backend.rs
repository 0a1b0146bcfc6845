//! The two databases as one: connections, migrations, and types that both can store.

#[macro_use]
pub(crate) mod conn;
pub(crate) mod connect;
mod file_identity;
pub(crate) mod from_now;
pub(crate) mod lenient;
pub(in crate::db) mod migrate;
mod numeric;
pub(crate) mod postgres;
pub(crate) mod private_file;
pub(crate) mod sqlite;
mod sqlite_thread;
mod tls;
pub(crate) mod types;
