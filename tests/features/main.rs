//! The gateway as its users meet it: the real binary over real sockets, in front of scripted fake providers.
//!
//! One file a feature; `harness/` has the fake provider, the gateway as a process, and a client that can misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers fail by panicking")]

mod harness;

mod admin;
mod alerts;
mod aliases;
mod billing;
mod breaker;
mod budgets;
mod caching;
mod canary;
mod cancel;
mod chat;
mod cli;
mod client_bodies;
mod coding_agents;
mod compaction;
mod conditional;
mod config_header;
mod continued_responses;
mod counting;
mod counting_tokens;
mod deploy;
mod disk;
mod docs;
mod embedding_models;
mod errors;
mod every_format;
mod fallback;
mod first_start;
mod fleet;
mod formats;
mod framing;
mod guardrails;
mod health;
mod heartbeats;
mod histories;
mod hostile_upstream;
mod keepalive;
mod keys;
mod leases;
mod limits;
mod limits_by_format;
mod load_balance;
mod locked_store;
mod logs;
mod manners;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
mod metrics;
mod mixed_endings;
mod model_hub;
mod node;
mod one_reading;
mod outages;
mod overload;
mod pass_through;
mod providers;
mod proxies;
mod python;
mod responses;
mod retention;
mod retries;
mod schemas;
mod semantic;
mod shadow;
mod shutdown;
mod small_endpoints;
mod store_edits;
mod stored_responses;
mod storm;
mod streaming;
mod subscription;
mod timeouts;
mod transport;
mod vendor_costs;
