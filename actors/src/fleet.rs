//! What the processes of a fleet share through Redis.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the room that connects to Redis")]

pub mod announce;
pub mod redis_link;
