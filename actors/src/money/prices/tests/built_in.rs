//! The prices that come with the gateway.

use std::collections::HashSet;

use gateway_wire::{ServiceTier, Usage};

use super::cost;
use crate::money::prices::PriceTable;

/// The formula, not the slip of the sample that prints 0.0000075 for these tokens.
#[test]
fn ten_and_fifteen_tokens_of_gpt_4o_mini() {
    let usage = Usage { prompt_tokens: 10, completion_tokens: 15, ..Usage::default() };
    assert_eq!(cost("openai", "gpt-4o-mini", usage).as_deref(), Some("0.0000105"));
    assert_eq!(cost("openai", "gpt-4o-mini-2024-07-18", usage).as_deref(), Some("0.0000105"));
}

/// The prices that the quick reference prints.
#[test]
fn the_quick_references_prices_hold_exactly() {
    let million = |prompt_tokens, completion_tokens| Usage { prompt_tokens, completion_tokens, ..Usage::default() };
    for (provider, model, input, output) in [
        ("openai", "gpt-4o-mini", "0.15", "0.6"),
        ("anthropic", "claude-3-sonnet", "3", "15"),
        ("anthropic", "claude-3-sonnet-20240229", "3", "15"),
        ("ollama", "llama3:8b", "0", "0"),
    ] {
        assert_eq!(cost(provider, model, million(1_000_000, 0)).as_deref(), Some(input), "{model}");
        assert_eq!(cost(provider, model, million(0, 1_000_000)).as_deref(), Some(output), "{model}");
    }
}

/// C2: cached tokens are inside the input tokens and are paid once, at their own price.
#[test]
fn c2_cached_tokens_are_paid_once() {
    let usage = Usage {
        prompt_tokens: 1_000_000,
        cached_tokens: 400_000,
        cache_write_tokens: 100_000,
        cache_write_1h_tokens: 100_000,
        ..Usage::default()
    };
    // 400k plain at 3, 400k read at 0.30, 100k written at 3.75, 100k written for an hour at 6.
    assert_eq!(cost("anthropic", "claude-3-7-sonnet-20250219", usage).as_deref(), Some("2.295"));
}

/// C3: real thresholds and tiers, one token below, at and above 272,000.
#[test]
fn c3_gpt_5_4_above_272_000_tokens() {
    let usage = |prompt_tokens, service_tier| Usage {
        prompt_tokens,
        completion_tokens: 1000,
        service_tier,
        ..Usage::default()
    };
    for (tokens, tier, expected) in [
        (271_999, ServiceTier::Default, "0.6949975"),
        (272_000, ServiceTier::Default, "0.695"),
        (272_001, ServiceTier::Default, "1.382505"),
        (272_000, ServiceTier::Flex, "0.3475"),
        (272_001, ServiceTier::Flex, "0.6912525"),
        (1000, ServiceTier::Priority, "0.035"),
        // There is no row for it.
        (1000, ServiceTier::Batch, "0.0175"),
    ] {
        assert_eq!(cost("openai", "gpt-5.4", usage(tokens, tier)).as_deref(), Some(expected), "{tokens} {tier:?}");
    }
}

/// C1: a price of zero is a price, and an unknown model or provider has none.
#[test]
fn c1_zero_is_a_price_and_unknown_is_not_free() {
    let usage = Usage { prompt_tokens: 10, ..Usage::default() };
    for (provider, model) in [("ollama", "llama3:8b"), ("vllm", "x"), ("lmstudio", "y"), ("simulator", "sim-text")] {
        assert_eq!(cost(provider, model, usage).as_deref(), Some("0"), "{provider}");
    }
    for (provider, model) in [("openai", "gpt-unheard-of"), ("unheard-of", "gpt-4o-mini"), ("openai", "")] {
        assert_eq!(cost(provider, model, usage), None, "{provider} {model}");
    }
}

/// C1: every vendor that has public prices is there, each row once and with its source.
#[test]
fn c1_the_table_is_broad_and_each_row_names_its_source() {
    let table = PriceTable::built_in().unwrap();
    let names: HashSet<&str> = table.models().map(|(_, model)| model).collect();
    assert!(names.len() >= 150, "{}", names.len());
    let vendors: toml::Table = toml::from_str(include_str!("../../../../../config/providers.toml")).unwrap();
    for vendor in vendors.keys().filter(|vendor| *vendor != "nvidia") {
        assert!(table.rows().iter().any(|row| row.provider == *vendor), "{vendor}");
    }
    let mut seen = HashSet::new();
    for row in table.rows() {
        assert!(seen.insert((&row.provider, &row.model, row.service_tier, row.effective_from)), "{row:?}");
        let source = row.source.as_str();
        let read = source.rsplit_once(", ").and_then(|(_, date)| date.parse::<chrono::NaiveDate>().ok());
        assert!(matches!(source, "local" | "built in") || source.starts_with("https://") && read.is_some(), "{source}");
    }
}
