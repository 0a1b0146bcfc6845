//! The server process: its start, its workers and its end.

mod assemble;
mod connection;
mod descriptors;
mod first_start;
mod housekeeping;
mod http_server;
mod memory;
mod providers;
mod pulse;
mod run;
pub(crate) mod shutdown;
mod startup;
pub(crate) mod state;

pub use run::run;
