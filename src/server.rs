//! The server process: its start, its workers and its end.

mod connection;
mod descriptors;
mod first_start;
mod http_server;
mod memory;
mod pulse;
mod run;
pub(crate) mod shutdown;
mod startup;
pub(crate) mod state;
mod ways_out;

pub use run::run;
