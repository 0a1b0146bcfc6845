//! Token counts.

use serde_json::Value;

use crate::{ServiceTier, Usage, usage};

/// Anthropic counts tokens of its prompt cache beside the input tokens, OpenAI inside them (C2). Counts are cumulative:
/// those of a later event replace those of an earlier one.
pub(super) fn add_usage(usage: &mut Usage, counts: &Value) {
    let count = |name: &str| counts.get(name).and_then(usage::count);
    let cached = |usage: &Usage| {
        usage.cached_tokens.saturating_add(usage.cache_write_tokens).saturating_add(usage.cache_write_1h_tokens)
    };
    let before = cached(usage);
    let plain = count("input_tokens").unwrap_or(usage.prompt_tokens.saturating_sub(before));
    if let Some(read) = count("cache_read_input_tokens") {
        usage.cached_tokens = read;
    }
    let lifetime = |name: &str| counts.get("cache_creation").and_then(|split| split.get(name).and_then(usage::count));
    let (short, hour) = (lifetime("ephemeral_5m_input_tokens"), lifetime("ephemeral_1h_input_tokens"));
    let split = (short.is_some() || hour.is_some()).then(|| short.unwrap_or(0).saturating_add(hour.unwrap_or(0)));
    if let Some(written) = count("cache_creation_input_tokens").or(split) {
        // The last event of a stream has the sum only; the split was told in the first.
        let hour = hour.unwrap_or(usage.cache_write_1h_tokens).min(written);
        usage.cache_write_1h_tokens = hour;
        usage.cache_write_tokens = written - hour;
    }
    usage.prompt_tokens = plain.saturating_add(cached(usage));
    if let Some(output) = count("output_tokens") {
        usage.completion_tokens = output;
    }
    let details = counts.get("output_tokens_details");
    if let Some(thinking) = details.and_then(|details| details.get("thinking_tokens").and_then(usage::count)) {
        usage.reasoning_tokens = thinking;
    }
    if let Some(word) = counts.get("service_tier").and_then(Value::as_str) {
        usage.service_tier = ServiceTier::from_name(word);
    }
    let told = |name: &str, value: &str| counts.get(name).and_then(Value::as_str).map(|word| word == value);
    usage.is_fast = told("speed", "fast").or(usage.is_fast);
    usage.is_in_us = told("inference_geo", "us").or(usage.is_in_us);
}

/// What a body counts, whether it is an answer or an error.
pub(super) fn usage_in(body: &[u8]) -> Option<Usage> {
    serde_json::from_slice::<Value>(body).ok().as_ref().and_then(usage_of)
}

/// What an answer's `usage` counts.
pub(super) fn usage_of(answer: &Value) -> Option<Usage> {
    let counts = answer.get("usage").filter(|counts| counts.is_object())?;
    let mut usage = Usage::default();
    add_usage(&mut usage, counts);
    Some(usage)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// C2: the sum at a stream's end does not turn hour-long cache writes into five-minute ones.
    #[test]
    fn c2_the_split_of_cache_writes_outlives_the_last_event() {
        let mut usage = Usage::default();
        add_usage(
            &mut usage,
            &json!({"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30,
                "output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "service_tier": "priority"}),
        );
        add_usage(
            &mut usage,
            &json!({"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30,
                "output_tokens": 42, "output_tokens_details": {"thinking_tokens": 12}}),
        );
        let expected = Usage {
            prompt_tokens: 140,
            completion_tokens: 42,
            cached_tokens: 100,
            cache_write_tokens: 10,
            cache_write_1h_tokens: 20,
            reasoning_tokens: 12,
            service_tier: ServiceTier::Priority,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
    }

    /// B19: how an answer was served is read, and told of once it is known.
    #[test]
    fn b19_options_of_the_answer_are_read() {
        let mut usage = Usage::default();
        add_usage(&mut usage, &json!({"input_tokens": u64::MAX, "cache_read_input_tokens": 9, "speed": "fast"}));
        add_usage(&mut usage, &json!({"output_tokens": 1, "inference_geo": "global"}));
        assert_eq!((usage.is_fast, usage.is_in_us, usage.prompt_tokens), (Some(true), Some(false), u64::MAX));
    }

    /// C3: what Anthropic calls standard is the default.
    #[test]
    fn c3_the_service_tier_is_read() {
        for (word, tier) in [
            ("standard", ServiceTier::Default),
            ("priority", ServiceTier::Priority),
            ("batch", ServiceTier::Batch),
            ("new", ServiceTier::Default),
        ] {
            let mut usage = Usage::default();
            add_usage(&mut usage, &json!({"input_tokens": 1, "service_tier": word}));
            assert_eq!(usage.service_tier, tier, "{word}");
        }
    }

    /// C4: numbers with a zero fraction are numbers.
    #[test]
    fn c4_fractions_of_zero_are_read() {
        let mut usage = Usage::default();
        add_usage(&mut usage, &json!({"input_tokens": 25.0, "output_tokens": 1.0, "cache_read_input_tokens": "3"}));
        assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens), (25, 1, 0));
    }

    #[test]
    fn an_event_with_output_alone_keeps_the_input() {
        let mut usage = Usage::default();
        add_usage(&mut usage, &json!({"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1}));
        add_usage(&mut usage, &json!({"output_tokens": 40, "cache_read_input_tokens": null}));
        assert_eq!((usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens), (125, 100, 40));
    }
}
