//! What a million tokens cost, by provider and model.

use serde::Deserialize;

use crate::money::{PerMillion, PicoUsd};
use crate::virtual_key::matches_pattern;
use crate::wire::Usage;

/// The prices that come with the gateway; each row names its source.
const BUILT_IN: &str = include_str!("../../config/prices.toml");

/// Every known price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    price: Vec<Price>,
}

/// One model's prices in US dollars per million tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    provider: String,
    /// A name, or a pattern in which `*` stands for any text; an exact name wins, then the longest pattern.
    model: String,
    input: PerMillion,
    output: PerMillion,
    /// Input read from the vendor's prompt cache; costs as input where absent.
    cached_input: Option<PerMillion>,
    /// Input written to the vendor's prompt cache; costs as input where absent.
    cache_write: Option<PerMillion>,
    /// Input written to the vendor's prompt cache for an hour; costs as `cache_write` where absent.
    cache_write_1h: Option<PerMillion>,
    /// Where the figure was read, and when: for people.
    #[serde(rename = "source")]
    _source: String,
}

impl PriceTable {
    /// The table that comes with the gateway.
    ///
    /// # Errors
    /// Where a row is malformed; the text names it.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(BUILT_IN)
    }

    /// The exact cost of some usage, or `None` for a model without a price.
    pub fn cost(&self, provider: &str, model: &str, usage: &Usage) -> Option<PicoUsd> {
        self.find(provider, model).map(|price| price.cost(usage))
    }

    /// Every model that has a row of its own, with its provider.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.price.iter().filter(|price| !price.model.contains('*'));
        named.map(|price| (price.provider.as_str(), price.model.as_str()))
    }

    /// Whether the model has a row of its own, so that it is known to be real.
    pub fn names(&self, provider: &str, model: &str) -> bool {
        self.price.iter().any(|price| price.provider == provider && price.model == model)
    }

    fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        let fitting =
            self.price.iter().filter(|price| price.provider == provider && matches_pattern(&price.model, model));
        fitting.max_by_key(|price| (price.model == model, price.model.len()))
    }
}

impl Price {
    fn cost(&self, usage: &Usage) -> PicoUsd {
        let cache_write = self.cache_write.unwrap_or(self.input);
        let special = usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
        let parts = [
            (self.input, usage.prompt_tokens.saturating_sub(special)),
            (self.cached_input.unwrap_or(self.input), usage.cached_tokens),
            (cache_write, usage.cache_write_tokens),
            (self.cache_write_1h.unwrap_or(cache_write), usage.cache_write_1h_tokens),
            (self.output, usage.completion_tokens),
        ];
        parts.into_iter().map(|(price, tokens)| price.times(tokens)).fold(PicoUsd::default(), PicoUsd::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(provider: &str, model: &str, usage: Usage) -> Option<String> {
        PriceTable::built_in().unwrap().cost(provider, model, &usage).map(|cost| cost.to_string())
    }

    /// The formula, not the slip of the sample that prints 0.0000075 for these tokens.
    #[test]
    fn ten_and_fifteen_tokens_of_gpt_4o_mini() {
        let usage = Usage { prompt_tokens: 10, completion_tokens: 15, ..Usage::default() };
        assert_eq!(cost("openai", "gpt-4o-mini", usage).as_deref(), Some("0.0000105"));
        assert_eq!(cost("openai", "gpt-4o-mini-2024-07-18", usage).as_deref(), Some("0.0000105"));
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

    /// C1: a price of zero is a price, and an unknown model has none.
    #[test]
    fn c1_zero_is_a_price_and_unknown_is_not_free() {
        let usage = Usage { prompt_tokens: 10, ..Usage::default() };
        assert_eq!(cost("ollama", "llama3:8b", usage).as_deref(), Some("0"));
        assert_eq!(cost("openai", "gpt-unheard-of", usage), None);
    }
}
