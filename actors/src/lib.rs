//! The gateway's actors, and the pure parts that they are thin shells around.
//!
//! Nothing here knows an HTTP server: the root package translates between HTTP and the messages of this crate.
//! Only `providers::upstream` talks hyper, only `db` talks diesel, only `embed::embedder` and `embed::known` talk
//! fastembed.

pub mod budgets;
pub mod cache;
pub mod clock;
pub mod content_coding;
pub mod db;
pub mod embed;
pub mod failure;
pub mod fleet;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod money;
mod pattern;
pub mod providers;
pub mod request;
pub mod routing;
pub mod runtime;
pub mod scope;
pub mod secret;
pub mod system;
pub mod usage;
