//! What the processes of a fleet share through Redis.

pub mod redis_link;
