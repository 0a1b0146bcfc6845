//! `[redis]`: what a fleet shares.

use std::fmt;

use gateway_actors::fleet::redis_link::RedisLink;
use gateway_actors::system::RedisLinks;
use serde::{Deserialize, Serialize};

/// `[redis]`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://:PASSWORD@HOST:6379/0`; empty for none. `REDIS_URL` wins over it.
    pub url: String,
}

impl fmt::Debug for RedisSettings {
    /// Tells whether there is one; the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("is_set", &!self.url.is_empty()).finish_non_exhaustive()
    }
}

impl RedisSettings {
    /// Links that are not connected yet, where there is a Redis.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn links(&self) -> Result<Option<RedisLinks>, String> {
        if self.url.is_empty() {
            return Ok(None);
        }
        RedisLinks::new(&self.url).map(Some).map_err(|error| format!("redis.url: {error}"))
    }
}

/// The address must be one.
pub(super) fn check(redis: &RedisSettings, wrong: &mut dyn FnMut(&str, String)) {
    if !redis.url.is_empty()
        && let Err(error) = RedisLink::new(&redis.url, "limits")
    {
        let message = format!("{error}; such as redis://:PASSWORD@HOST:6379/0 (also where REDIS_URL sets it)");
        wrong("redis.url", message);
    }
}
