//! What the processes of a fleet share through Redis.

pub mod announce;
pub mod redis_link;
