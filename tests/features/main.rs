//! The gateway as its users meet it: the real binary over real sockets, in front of scripted fake providers.
//!
//! One file a feature; `harness/` has the fake provider, the gateway as a process, and a client that can misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers fail by panicking")]

mod harness;

mod admin;
mod alerts;
mod billing;
mod breaker;
mod budgets;
mod caching;
mod canary;
mod cancel;
mod chat;
mod cli;
mod client_bodies;
mod conditional;
mod config_header;
mod counting;
mod deploy;
mod disk;
mod docs;
mod embedding_models;
mod errors;
mod fallback;
mod first_start;
mod fleet;
mod framing;
mod health;
mod hostile_upstream;
mod keepalive;
mod keys;
mod leases;
mod limits;
mod load_balance;
mod locked_store;
mod logs;
mod manners;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod mixed_endings;
mod model_hub;
mod one_reading;
mod outages;
mod overload;
mod providers;
mod proxies;
mod python;
mod retention;
mod retries;
mod semantic;
mod shadow;
mod shutdown;
mod store_edits;
mod storm;
mod streaming;
mod subscription;
mod timeouts;
mod transport;
mod vendor_costs;
