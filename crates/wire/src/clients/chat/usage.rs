//! Token counts in OpenAI's shape.

use serde_json::{Value, json};

use crate::{ServiceTier, Usage};

/// `cache_write_tokens` is an extra; what was not told apart is not told.
pub(super) fn usage_json(usage: &Usage) -> Value {
    let mut told = json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens.saturating_add(usage.cache_write_1h_tokens),
        },
    });
    let details = [
        ("prompt_tokens_details", "audio_tokens", usage.audio_prompt_tokens),
        ("prompt_tokens_details", "image_tokens", usage.image_prompt_tokens),
        ("completion_tokens_details", "reasoning_tokens", usage.reasoning_tokens),
        ("completion_tokens_details", "audio_tokens", usage.audio_completion_tokens),
    ];
    for (side, name, count) in details {
        if count > 0 {
            told[side][name] = json!(count);
        }
    }
    told
}

/// The tier that an answer was served with, where that is known.
pub(super) fn service_tier(told: Option<ServiceTier>, usage: Option<&Usage>) -> Option<&'static str> {
    let counted = usage.map(|usage| usage.service_tier).filter(|tier| !tier.is_default());
    told.or(counted).map(ServiceTier::as_str)
}
