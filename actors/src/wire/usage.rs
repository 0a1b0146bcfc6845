//! Token counts, in one meaning for all vendors.

use serde::{Deserialize, Serialize};

/// The class of service that an answer was served and is billed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// What a vendor does where nothing else was agreed.
    #[default]
    Default,
    /// Slower and cheaper.
    Flex,
    /// Faster and dearer.
    Priority,
    /// Answered within hours, at a discount.
    Batch,
}

impl ServiceTier {
    /// The tier that a vendor's word stands for; every word without a price of its own is the default.
    pub fn named(word: &str) -> Self {
        match word {
            "flex" => Self::Flex,
            // OpenAI's newer word for the same price.
            "priority" | "fast" => Self::Priority,
            "batch" => Self::Batch,
            _ => Self::Default,
        }
    }

    /// The word that the tier is known by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Batch => "batch",
        }
    }

    /// Whether this is the default, so that it need not be said.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

/// What one attempt consumed, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    /// The part of `prompt_tokens` that was sound.
    pub audio_prompt_tokens: u64,
    /// The part of `completion_tokens` that was sound.
    pub audio_completion_tokens: u64,
    /// The part of `prompt_tokens` that was pictures, where the vendor tells it apart.
    pub image_prompt_tokens: u64,
    /// How the answer was served, which its price depends on.
    pub service_tier: ServiceTier,
}

impl Usage {
    /// Input and output together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}
