//! What is known of models beside their prices: how much they take in, and what their vendor's options cost.

use std::cmp::Reverse;

use foldhash::HashMap;
use gateway_wire::Usage;
use serde::Deserialize;

use crate::money::amount::{PerMillion, PicoUsd};
use crate::pattern::matches_pattern;

/// A factor of a price, exact to six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Multiplier(PerMillion);

impl Multiplier {
    const ONE: Self = Self(PerMillion::from_micros(1_000_000));

    /// The cost with the factor applied, rounded up to a whole pico-dollar.
    pub fn of(self, cost: PicoUsd) -> PicoUsd {
        if self == Self::ONE {
            return cost;
        }
        let product = cost.picos().saturating_mul(i128::from(self.0.micros()));
        PicoUsd::from_picos(product.saturating_add(999_999).div_euclid(1_000_000))
    }

    fn times(self, other: Self) -> Self {
        let product = i128::from(self.0.micros()) * i128::from(other.0.micros()) / 1_000_000;
        Self(PerMillion::from_micros(i64::try_from(product).unwrap_or(i64::MAX)))
    }
}

/// The factors of a vendor's options, which multiply with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Multipliers {
    /// Of `speed: fast`.
    pub speed_fast: Option<Multiplier>,
    /// Of `inference_geo: us`.
    pub inference_geo_us: Option<Multiplier>,
}

impl Multipliers {
    /// The factor of a request served with these options; an option without a factor of its own costs nothing more.
    pub fn factor(&self, is_fast: bool, is_in_us: bool) -> Multiplier {
        let used = [self.speed_fast.filter(|_| is_fast), self.inference_geo_us.filter(|_| is_in_us)];
        used.into_iter().flatten().fold(Multiplier::ONE, Multiplier::times)
    }
}

/// What is known of one model beside its prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ModelFacts {
    /// The most input tokens that the model takes.
    pub max_input_tokens: Option<u64>,
    /// What its vendor's options cost.
    pub multipliers: Multipliers,
}

/// Every model that something is known of.
#[derive(Debug, Default)]
pub struct ModelTable {
    /// By provider and model, so that a look makes no key.
    exact: HashMap<String, HashMap<String, ModelFacts>>,
    /// Provider, pattern and facts; the longest pattern first.
    patterns: Vec<(String, String, ModelFacts)>,
    adds_input: Vec<String>,
}

impl ModelTable {
    /// The table of these models, and of the patterns of models that search by themselves.
    pub(super) fn new(models: impl IntoIterator<Item = (String, String, ModelFacts)>, adds_input: Vec<String>) -> Self {
        let mut table = Self { adds_input, ..Self::default() };
        for (provider, model, facts) in models {
            match model.contains('*') {
                true => table.patterns.push((provider, model, facts)),
                false => drop(table.exact.entry(provider).or_default().insert(model, facts)),
            }
        }
        table.patterns.sort_by_key(|(_, pattern, _)| Reverse(pattern.len()));
        table
    }

    /// What is known of a model; nothing of one that no row names.
    pub fn find(&self, provider: &str, model: &str) -> ModelFacts {
        if let Some(facts) = self.exact.get(provider).and_then(|models| models.get(model)) {
            return *facts;
        }
        let fits = |row: &&(String, String, ModelFacts)| row.0 == provider && matches_pattern(&row.1, model);
        self.patterns.iter().find(fits).map(|(_, _, facts)| *facts).unwrap_or_default()
    }

    /// Whether a model adds input by itself, as those that search do.
    pub fn adds_input(&self, model: &str) -> bool {
        self.adds_input.iter().any(|pattern| matches_pattern(pattern, model))
    }

    /// The factor of some usage.
    pub fn factor(&self, provider: &str, model: &str, usage: &Usage) -> Multiplier {
        let (is_fast, is_in_us) = (usage.is_fast == Some(true), usage.is_in_us == Some(true));
        if !is_fast && !is_in_us {
            return Multiplier::ONE;
        }
        self.find(provider, model).multipliers.factor(is_fast, is_in_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picos(amount: i128) -> PicoUsd {
        PicoUsd::from_picos(amount)
    }

    /// B19: the factors of the vendor's price page, together and apart.
    #[test]
    fn b19_options_multiply() {
        let table = ModelTable::built_in().unwrap();
        let options = table.find("anthropic", "claude-opus-4-8").multipliers;
        for (is_fast, is_in_us, expected) in
            [(false, false, 1_000_001), (true, false, 2_000_002), (false, true, 1_100_002), (true, true, 2_200_003)]
        {
            assert_eq!(options.factor(is_fast, is_in_us).of(picos(1_000_001)), picos(expected));
        }
        assert_eq!(table.find("anthropic", "claude-haiku-4-5").multipliers, Multipliers::default());
    }

    /// H-2: windows are known for the models of the table, dated names too, and models that search are known by name.
    #[test]
    fn h2_the_input_that_a_model_takes_is_known() {
        let table = ModelTable::built_in().unwrap();
        let window = |provider, model| table.find(provider, model).max_input_tokens;
        assert_eq!(window("openai", "gpt-4o-mini"), Some(128_000));
        assert_eq!(window("anthropic", "claude-haiku-4-5-20251001"), Some(200_000));
        assert_eq!(window("anthropic", "unheard-of"), None);
        for model in ["sonar-pro", "perplexity/sonar", "gpt-4o-search-preview", "openai/gpt-4o:online", "groq/compound"]
        {
            assert!(table.adds_input(model), "{model}");
        }
        assert!(!table.adds_input("gpt-4o-mini") && !table.adds_input("claude-opus-4-8"));
    }
}
