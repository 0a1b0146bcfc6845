//! Servers and folders of the tests' own; a development dependency only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what the tests need fails by panicking")]

pub mod compression;
pub mod database;
pub mod postgres;
pub mod redis;
mod server;
pub mod temp_dir;
