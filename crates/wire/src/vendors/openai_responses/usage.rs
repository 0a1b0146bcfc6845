//! What the vendor counted.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::usage::Count;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    input_tokens_details: Option<Input>,
    output_tokens_details: Option<Output>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    cached_tokens: Count,
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Output {
    reasoning_tokens: Count,
    audio_tokens: Count,
}

/// What a `usage` field tells; one that cannot be read or has no numbers tells nothing.
pub(super) fn read(raw: &RawValue) -> Option<Usage> {
    // A list would pass for an object's values in their order.
    let text = Some(raw.get()).filter(|text| text.starts_with('{'))?;
    let wire: Wire = serde_json::from_str(text).ok()?;
    let (prompt, completion) = match (wire.input_tokens.0, wire.output_tokens.0, wire.total_tokens.0) {
        (None, None, None) => return None,
        (Some(input), Some(output), _) => (input, output),
        (Some(input), None, total) => (input, total.unwrap_or(0).saturating_sub(input)),
        (None, Some(output), total) => (total.unwrap_or(0).saturating_sub(output), output),
        (None, None, Some(total)) => (total, 0),
    };
    let input = wire.input_tokens_details.unwrap_or_default();
    let output = wire.output_tokens_details.unwrap_or_default();
    Some(Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        cached_tokens: input.cached_tokens.0.unwrap_or(0),
        cache_write_tokens: input.cache_write_tokens.0.unwrap_or(0),
        reasoning_tokens: output.reasoning_tokens.0.unwrap_or(0),
        audio_prompt_tokens: input.audio_tokens.0.unwrap_or(0),
        audio_completion_tokens: output.audio_tokens.0.unwrap_or(0),
        image_prompt_tokens: input.image_tokens.0.unwrap_or(0),
        is_sum: wire.input_tokens.0.is_none() && wire.output_tokens.0.is_none(),
        ..Usage::default()
    })
}
