//! Token counts, in one meaning for all vendors.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A number of tokens as vendors write it: `12`, `12.0`, or null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or null")
            }

            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
                Ok(Count(Some(number)))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
                whole(number).map(|number| Count(Some(number))).ok_or_else(|| E::custom("not a whole number"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// The number of tokens in a tree, as [`Count`] reads it.
pub fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| whole(value.as_f64()?))
}

fn whole(number: f64) -> Option<u64> {
    // Beyond this, not every whole number is one of this type.
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    exact.then_some(number as u64)
}

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
    pub fn from_name(word: &str) -> Self {
        match word {
            "flex" => Self::Flex,
            // OpenAI's newer word for the same price.
            "priority" | "fast" => Self::Priority,
            "batch" => Self::Batch,
            _ => Self::Default,
        }
    }

    /// The word that the tier is known by.
    pub fn as_str(self) -> &'static str {
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
    #[serde(skip_serializing_if = "is_zero")]
    pub prompt_tokens: u64,
    /// All output tokens, reasoning included.
    #[serde(skip_serializing_if = "is_zero")]
    pub completion_tokens: u64,
    /// The part of `prompt_tokens` read from the vendor's prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// The part of `prompt_tokens` written to the vendor's prompt cache with its shortest lifetime.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// The part of `prompt_tokens` written to the vendor's prompt cache for an hour (Anthropic).
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h_tokens: u64,
    /// The part of `completion_tokens` spent on reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// The part of `prompt_tokens` that was sound.
    #[serde(skip_serializing_if = "is_zero")]
    pub audio_prompt_tokens: u64,
    /// The part of `completion_tokens` that was sound.
    #[serde(skip_serializing_if = "is_zero")]
    pub audio_completion_tokens: u64,
    /// The part of `prompt_tokens` that was pictures, where the vendor tells it apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub image_prompt_tokens: u64,
    /// How the answer was served, which its price depends on.
    #[serde(skip_serializing_if = "ServiceTier::is_default")]
    pub service_tier: ServiceTier,
    /// Whether the answer was served in the vendor's fast mode, where that is told (Anthropic's `speed`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_fast: Option<bool>,
    /// Whether the answer was made in the United States alone, where that is told (Anthropic's `inference_geo`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_in_us: Option<bool>,
    /// Whether `prompt_tokens` is the sum of input and output, which the vendor does not tell apart.
    #[serde(skip)]
    pub is_sum: bool,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// Input and output together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}
