//! The gateway's actors, and the pure parts that they are thin shells around.
//!
//! Nothing here knows an HTTP server: the root package translates between HTTP and the messages of this crate.
//! Only `upstream` talks awc, only `db` talks diesel.

pub mod failure;
pub mod secret;
pub mod settings;
pub mod wire;
