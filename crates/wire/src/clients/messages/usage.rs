//! Token counts as the Messages API tells them: what was read from or written to the prompt cache stands beside the input.

use serde::Serialize;

use crate::{ServiceTier, Usage};

/// The counts of an answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Counts {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<Lifetimes>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// Tokens written to the cache, by how long it keeps them.
#[derive(Clone, Copy, Debug, Serialize)]
struct Lifetimes {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Details {
    thinking_tokens: u64,
}

impl From<&Usage> for Counts {
    fn from(usage: &Usage) -> Self {
        let written = usage.cache_write_tokens.saturating_add(usage.cache_write_1h_tokens);
        let lifetimes = Lifetimes {
            ephemeral_5m_input_tokens: usage.cache_write_tokens,
            ephemeral_1h_input_tokens: usage.cache_write_1h_tokens,
        };
        let thinking_tokens = usage.reasoning_tokens;
        let tier = match usage.service_tier {
            ServiceTier::Priority => Some("priority"),
            ServiceTier::Batch => Some("batch"),
            _ => None,
        };
        Self {
            input_tokens: usage.prompt_tokens.saturating_sub(usage.cached_tokens.saturating_add(written)),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: usage.cached_tokens,
            cache_creation: (written > 0).then_some(lifetimes),
            output_tokens: usage.completion_tokens,
            output_tokens_details: (thinking_tokens > 0).then_some(Details { thinking_tokens }),
            service_tier: tier,
        }
    }
}

impl Counts {
    /// What is told when an answer begins: the input as far as it is known, and never nothing, since clients draw their
    /// context meter from it (J14).
    pub fn at_start(counted: Option<&Usage>, estimate: Option<u64>) -> Self {
        let known = counted.filter(|usage| usage.prompt_tokens > 0);
        let estimated = Usage { prompt_tokens: estimate.unwrap_or(1).max(1), ..Usage::default() };
        let mut counts = Self::from(known.unwrap_or(&estimated));
        counts.output_tokens = counts.output_tokens.max(1);
        counts.output_tokens_details = None;
        counts
    }
}
