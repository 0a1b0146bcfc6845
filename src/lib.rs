//! The gateway over HTTP: a request's way in `api` is `routes` → `chat_completions` → `inference` → `admit` → (the router
//! actor) → `reply`.

pub mod admin;
pub mod api;
pub mod cli;
pub mod config;
mod error;
mod health;
pub mod logging;
pub mod server;
