//! The routes of clients: from a request's bytes to a message for the router, and from its reply to bytes.

pub(crate) mod admit;
mod body;
pub(crate) mod body_budget;
mod cache_headers;
mod chat_completions;
pub(crate) mod coding;
pub(crate) mod config_cache;
mod embeddings;
pub(crate) mod inference;
mod key_header;
pub(crate) mod manners;
mod models;
pub(crate) mod reply;
mod request_headers;
pub mod routes;
mod routing_config;
mod sse_body;
mod trace;
mod whole_body;
