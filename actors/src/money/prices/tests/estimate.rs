//! The upper bound that a budget reserves.

use gateway_wire::Usage;
use serde_json::{Value, json};

use super::row;

fn estimate(prices: Value, input: u64, output: u64) -> String {
    row(prices).estimate(input, output).to_string()
}

#[test]
fn an_estimate_takes_the_dearest_kind_of_each_side() {
    assert_eq!(estimate(json!({}), 1_000_000, 1_000_000), "3");
    for kind in ["cached_input", "cache_write", "cache_write_1h", "audio_input", "image_input"] {
        assert_eq!(estimate(json!({kind: "5"}), 1_000_000, 0), "5", "{kind}");
        assert_eq!(estimate(json!({kind: "0.1"}), 1_000_000, 0), "1", "{kind}");
    }
    for kind in ["reasoning", "audio_output"] {
        assert_eq!(estimate(json!({kind: "5"}), 0, 1_000_000), "5", "{kind}");
        assert_eq!(estimate(json!({kind: "0.1"}), 0, 1_000_000), "2", "{kind}");
    }
}

/// C3: a tier counts from one token above its threshold; a cheaper tier does not lower what shorter input costs.
#[test]
fn c3_an_estimate_knows_the_tiers_in_reach() {
    let dearer = json!({"above": [{"tokens": 100, "input": "10", "output": "20"}]});
    assert_eq!(estimate(dearer.clone(), 100, 10), "0.00012");
    assert_eq!(estimate(dearer, 101, 10), "0.00121");
    let cheaper = json!({"above": [{"tokens": 100, "input": "0.1", "output": "0.2"}]});
    assert_eq!(estimate(cheaper, 101, 10), "0.000121");
}

/// No usage within the estimate's tokens costs more than it, whatever the tokens turn out to be.
#[test]
fn c3_no_usage_costs_more_than_its_estimate() {
    let price = row(json!({
        "cached_input": "0.3", "cache_write": "1.25", "cache_write_1h": "2", "audio_input": "4", "image_input": "0.7",
        "reasoning": "3", "audio_output": "8",
        "above": [{"tokens": 40, "input": "2", "output": "3"}, {"tokens": 70, "input": "0.5", "output": "9"}],
    }));
    // A small generator of its own, so that a failure repeats.
    let mut state = 1_u64;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % (limit + 1)
    };
    for _ in 0..20_000 {
        let (input, output) = (below(100), below(100));
        let (prompt_tokens, completion_tokens) = (below(input), below(output));
        let (cached_tokens, cache_write_tokens) = (below(prompt_tokens / 3), below(prompt_tokens / 3));
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
            cached_tokens,
            cache_write_tokens,
            cache_write_1h_tokens: below(prompt_tokens / 3),
            audio_prompt_tokens: below(prompt_tokens),
            image_prompt_tokens: below(prompt_tokens),
            reasoning_tokens: below(completion_tokens),
            audio_completion_tokens: below(completion_tokens),
            ..Usage::default()
        };
        assert!(price.cost(&usage) <= price.estimate(input, output), "{input} {output} {usage:?}");
    }
}
