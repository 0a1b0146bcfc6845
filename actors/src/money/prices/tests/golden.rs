//! Usage as the vendors tell it, and its cost worked out by hand in decimals.

use bytes::Bytes;
use gateway_wire::{Dialect, Usage, formats, openai};

use super::{at, cost, row};
use crate::money::prices::PriceTable;

fn openai_usage(answer: &'static str) -> Usage {
    openai::read_answer(Bytes::from_static(answer.as_bytes())).unwrap().usage.unwrap()
}

/// C2: OpenAI counts cached tokens inside the input and reasoning inside the output.
#[test]
fn c2_openai_cached_and_reasoning() {
    let usage = openai_usage(include_str!("../fixtures/openai_cached_reasoning.json"));
    // 7200 × 0.25 = 1800, 12800 × 0.025 = 320, 3000 × 2 = 6000 millionths.
    assert_eq!(cost("openai", "gpt-5-mini", usage).as_deref(), Some("0.00812"));
    assert_eq!(cost("openai", "gpt-5-mini-2025-08-07", usage).as_deref(), Some("0.00812"));
}

/// C3: the same answer served flexibly costs by the flex row.
#[test]
fn c3_openai_flex() {
    let usage = openai_usage(include_str!("../fixtures/openai_flex.json"));
    // 7200 × 0.125 = 900, 12800 × 0.0125 = 160, 3000 × 1 = 3000 millionths.
    assert_eq!(cost("openai", "gpt-5-mini", usage).as_deref(), Some("0.00406"));
}

/// C2: sound costs more than text, on both sides.
#[test]
fn c2_openai_audio() {
    let usage = openai_usage(include_str!("../fixtures/openai_audio.json"));
    // 150 × 2.50 = 375, 1000 × 32 = 32000, 100 × 10 = 1000, 400 × 64 = 25600 millionths.
    assert_eq!(cost("openai", "gpt-audio", usage).as_deref(), Some("0.058975"));
}

/// C2: Anthropic counts cached tokens outside `input_tokens`, and its two kinds of cache writes cost differently.
#[test]
fn c2_anthropic_cache_writes_and_reads() {
    let answer = include_bytes!("../fixtures/anthropic_cache.json");
    let usage = formats::vendor(Dialect::Anthropic).answer(&Bytes::from_static(answer)).unwrap().usage.unwrap();
    assert_eq!(usage.prompt_tokens, 60_000);
    // 2000 × 3 = 6000, 50000 × 0.30 = 15000, 6000 × 3.75 = 22500, 2000 × 6 = 12000, 1500 × 15 = 22500 millionths.
    assert_eq!(cost("anthropic", "claude-sonnet-4-6", usage).as_deref(), Some("0.078"));
}

/// C2: DeepSeek tells cache hits in a field of its own, inside the input.
#[test]
fn c2_deepseek_cache_hits() {
    let usage = openai_usage(include_str!("../fixtures/deepseek.json"));
    // 1808 × 0.30 = 542.4, 8192 × 0.006 = 49.152, 600 × 1.20 = 720 millionths.
    assert_eq!(cost("deepseek", "deepseek-v4-flash", usage).as_deref(), Some("0.001311552"));
}

/// C2, C3: Gemini has no dialect of its own here, so this is the usage of its OpenAI-compatible endpoint: thoughts are
/// counted beside the output, and input above 200,000 tokens prices all of the request.
#[test]
fn c2_c3_gemini_in_openais_shape() {
    let usage = openai_usage(include_str!("../fixtures/gemini_openai_shape.json"));
    let table = PriceTable::new(vec![row(serde_json::json!({
        "input": "1.25", "cached_input": "0.125", "output": "10",
        "above": [{"tokens": 200_000, "input": "2.50", "cached_input": "0.25", "output": "15"}],
    }))]);
    // 10000 × 2.50 = 25000, 200000 × 0.25 = 50000, (400 + 600) × 15 = 15000 millionths.
    let cost = table.cost("p", "m", &usage, at("2026-11-25T12:00:00Z")).map(|cost| cost.to_string());
    assert_eq!(cost.as_deref(), Some("0.09"));
}

/// C2: Bedrock has no dialect of its own here, so this is the usage of its OpenAI-compatible endpoint.
#[test]
fn c2_bedrock_in_openais_shape() {
    let usage = openai_usage(include_str!("../fixtures/bedrock_openai_shape.json"));
    let prices = serde_json::json!({"input": "0.06", "cached_input": "0.015", "output": "0.24"});
    // 2000 × 0.06 = 120, 3000 × 0.015 = 45, 700 × 0.24 = 168 millionths.
    let cost = PriceTable::new(vec![row(prices)]).cost("p", "m", &usage, at("2026-11-25T12:00:00Z"));
    assert_eq!(cost.map(|cost| cost.to_string()).as_deref(), Some("0.000333"));
}
