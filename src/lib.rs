//! The gateway over HTTP: a request's way is `routes` → `chat` → `completion` → `admit` → (the router actor) → `reply`.

pub mod admin;
mod admit;
mod auth;
mod body;
mod cache_headers;
mod chat;
mod client_config;
mod client_headers;
mod completion;
pub mod config;
mod embeddings;
mod error;
mod first_start;
mod health;
mod log_writer;
pub mod logging;
pub mod model_files;
mod models;
mod pulse;
mod reply;
mod routes;
pub mod server;
mod shutdown;
mod sse_body;
mod starting;
mod state;
mod trace;
