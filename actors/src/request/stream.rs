//! The rest of a stream once it is committed: moved to the client, and metered.

pub(crate) mod judged;
pub(crate) mod meter;
pub mod relay;
