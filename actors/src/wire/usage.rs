//! Token counts, in one meaning for all vendors.

use serde::Serialize;

/// What one attempt consumed, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// All input tokens, those read from or written to the vendor's prompt cache included (OpenAI's way of counting).
    pub prompt_tokens: u64,
    /// All output tokens, reasoning included.
    pub completion_tokens: u64,
    /// The part of `prompt_tokens` read from the vendor's prompt cache.
    pub cached_tokens: u64,
    /// The part of `prompt_tokens` written to the vendor's prompt cache with its shortest lifetime.
    pub cache_write_tokens: u64,
    /// The part of `prompt_tokens` written to the vendor's prompt cache for an hour (Anthropic).
    pub cache_write_1h_tokens: u64,
    /// The part of `completion_tokens` spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Input and output together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}
