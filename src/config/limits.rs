//! `[limits]`: rate limits of keys, users and teams.

use serde::{Deserialize, Serialize};

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Output tokens that a request without its own limit takes from a token limit until its usage is known.
    pub expected_output_tokens: u64,
    /// Whether limited requests are refused while Redis is unavailable. Otherwise each process counts on its own.
    pub refuse_without_redis: bool,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { expected_output_tokens: 500, refuse_without_redis: false }
    }
}
