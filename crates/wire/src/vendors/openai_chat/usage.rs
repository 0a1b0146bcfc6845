//! Token counts, in all the places where vendors put them.

use serde_json::value::RawValue;

use crate::clients::chat::fields::{Fields, list};
use crate::{ServiceTier, Usage, openai};

/// What a body counts, whether it is an answer or an error (B7).
pub(super) fn usage_in(body: &[u8]) -> Option<Usage> {
    let fields = Fields::of(std::str::from_utf8(body).ok()?)?;
    let choice = fields.get("choices").and_then(list).and_then(|choices| Fields::of(choices.first()?));
    let usage = [
        fields.get("usage"),
        // Moonshot, and Groq.
        choice.and_then(|choice| choice.get("usage")),
        fields.object("x_groq").and_then(|groq| groq.get("usage")),
    ];
    let usage = usage.into_iter().flatten().find_map(read)?;
    Some(Usage { service_tier: fields.get("service_tier").and_then(tier).unwrap_or_default(), ..usage })
}

/// What a `usage` counts.
pub(super) fn read(json: &str) -> Option<Usage> {
    openai::read_usage(serde_json::from_str::<&RawValue>(json).ok()?)
}

/// The tier in a `service_tier`.
pub(super) fn tier(json: &str) -> Option<ServiceTier> {
    Some(openai::service_tier(serde_json::from_str::<&RawValue>(json).ok()?))
}
