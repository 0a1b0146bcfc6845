//! Rates and what they fall back to.

use gateway_wire::Usage;
use serde_json::{Value, json};

use super::row;

/// The cost of a million tokens of one kind.
fn of(prices: Value, usage: Usage) -> String {
    row(prices).cost(&usage).to_string()
}

const MILLION: u64 = 1_000_000;

/// Input of one kind, which `mark` says which.
fn input(mark: fn(&mut Usage)) -> Usage {
    let mut usage = Usage { prompt_tokens: MILLION, ..Usage::default() };
    mark(&mut usage);
    usage
}

/// Output of one kind.
fn output(mark: fn(&mut Usage)) -> Usage {
    let mut usage = Usage { completion_tokens: MILLION, ..Usage::default() };
    mark(&mut usage);
    usage
}

#[test]
fn c2_each_kind_has_a_price_or_falls_back() {
    let kinds = [
        ("cached_input", input(|usage| usage.cached_tokens = MILLION), "1"),
        ("cache_write", input(|usage| usage.cache_write_tokens = MILLION), "1"),
        ("cache_write_1h", input(|usage| usage.cache_write_1h_tokens = MILLION), "1"),
        ("audio_input", input(|usage| usage.audio_prompt_tokens = MILLION), "1"),
        ("image_input", input(|usage| usage.image_prompt_tokens = MILLION), "1"),
        ("reasoning", output(|usage| usage.reasoning_tokens = MILLION), "2"),
        ("audio_output", output(|usage| usage.audio_completion_tokens = MILLION), "2"),
    ];
    for (kind, usage, fallback) in kinds {
        assert_eq!(of(json!({}), usage), fallback, "{kind}");
        assert_eq!(of(json!({kind: "7"}), usage), "7", "{kind}");
    }
    let hour = input(|usage| usage.cache_write_1h_tokens = MILLION);
    assert_eq!(of(json!({"cache_write": "5"}), hour), "5", "an hour's write costs as a write");
}

/// C3: the threshold itself is not above it; cached input counts towards it; gaps are filled from the same tier.
#[test]
fn c3_the_whole_request_costs_by_the_highest_tier_that_it_exceeds() {
    let price = json!({"cached_input": "0.5", "reasoning": "3", "audio_input": "9", "above": [
        {"tokens": 100, "input": "10", "output": "20"},
        {"tokens": 200, "input": "100", "output": "200", "cached_input": "50", "reasoning": "300"},
    ]});
    let cost = |prompt_tokens, cached_tokens| {
        let usage =
            Usage { prompt_tokens, cached_tokens, completion_tokens: 2, reasoning_tokens: 1, ..Usage::default() };
        of(price.clone(), usage)
    };
    for (tokens, cached, expected) in [
        // 99 × 1 + 1 × 2 + 1 × 3, and so on, in millionths.
        (99, 0, "0.000104"),
        (100, 0, "0.000105"),
        (101, 0, "0.00105"),
        (101, 101, "0.00105"),
        (200, 0, "0.00204"),
        (201, 0, "0.0206"),
        (201, 201, "0.01055"),
    ] {
        assert_eq!(cost(tokens, cached), expected, "{tokens} {cached}");
    }
    let sound = Usage { prompt_tokens: 101, audio_prompt_tokens: 101, ..Usage::default() };
    assert_eq!(of(price, sound), "0.00101", "sound costs no less than text in the same tier");
}

/// C2: whatever a vendor reports, no token is paid twice, and what it reports as cached is paid.
#[test]
fn c2_overlapping_counts_are_paid_once() {
    let price = json!({"cached_input": "0.5", "audio_input": "4", "image_input": "3", "reasoning": "5"});
    // 80 cached, then 20 of the 50 that were sound.
    let cached_sound = Usage {
        prompt_tokens: 100,
        cached_tokens: 80,
        audio_prompt_tokens: 50,
        image_prompt_tokens: 9,
        ..Usage::default()
    };
    assert_eq!(of(price.clone(), cached_sound), "0.00012");
    let more_cached_than_input = Usage { prompt_tokens: 10, cached_tokens: 100, ..Usage::default() };
    assert_eq!(of(price.clone(), more_cached_than_input), "0.00005");
    let more_reasoning_than_output =
        Usage { completion_tokens: 10, reasoning_tokens: 20, audio_completion_tokens: 5, ..Usage::default() };
    assert_eq!(of(price, more_reasoning_than_output), "0.00005");
}

#[test]
fn the_largest_counts_overflow_nothing() {
    let most = Usage { prompt_tokens: u64::MAX, cached_tokens: u64::MAX, cache_write_tokens: 1, ..Usage::default() };
    assert_eq!(of(json!({"cached_input": "1"}), most), "18446744073709.551616");
}
