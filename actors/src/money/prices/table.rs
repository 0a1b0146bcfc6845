//! Every known price, and the way to the row that holds.

use std::cmp::Reverse;

use chrono::{DateTime, NaiveDate, Utc};
use foldhash::HashMap;
use gateway_wire::{ServiceTier, Usage};

use super::price::Price;
use crate::money::amount::PicoUsd;
use crate::pattern::matches_pattern;

/// Every known price.
#[derive(Debug, Default)]
pub struct PriceTable {
    rows: Vec<Price>,
    providers: HashMap<String, ProviderRows>,
    /// The first row of each model that is named without a pattern.
    named: Vec<usize>,
}

/// One provider's rows; a name or pattern without any has no price.
#[derive(Debug, Default)]
struct ProviderRows {
    exact: HashMap<String, Vec<usize>>,
    /// The longest first.
    patterns: Vec<(String, Vec<usize>)>,
}

impl PriceTable {
    /// The table of these rows; of two for the same model, service tier and day the later one wins.
    pub fn new(rows: Vec<Price>) -> Self {
        let mut table = Self::default();
        for (at, row) in rows.iter().enumerate() {
            let provider = table.providers.entry(row.provider.clone()).or_default();
            if row.model.contains('*') {
                match provider.patterns.iter_mut().find(|(pattern, _)| *pattern == row.model) {
                    Some((_, of_pattern)) => of_pattern.push(at),
                    None => provider.patterns.push((row.model.clone(), vec![at])),
                }
            } else {
                let of_model = provider.exact.entry(row.model.clone()).or_default();
                if of_model.is_empty() {
                    table.named.push(at);
                }
                of_model.push(at);
            }
        }
        for provider in table.providers.values_mut() {
            provider.patterns.sort_by_key(|(pattern, _)| Reverse(pattern.len()));
            let of_patterns = provider.patterns.iter_mut().map(|(_, of_pattern)| of_pattern);
            for same in provider.exact.values_mut().chain(of_patterns) {
                same.sort_by_key(|at| Reverse((rows.get(*at).and_then(|row| row.effective_from), *at)));
            }
        }
        table.rows = rows;
        table
    }

    /// The same table, in which a model, or all that fit a pattern, have no price, whatever other rows say.
    #[must_use]
    pub fn without(mut self, provider: &str, model: &str) -> Self {
        let rows = self.providers.entry(provider.to_owned()).or_default();
        if !model.contains('*') {
            rows.exact.insert(model.to_owned(), Vec::new());
            return self;
        }
        rows.patterns.retain(|(pattern, _)| pattern != model);
        rows.patterns.push((model.to_owned(), Vec::new()));
        rows.patterns.sort_by_key(|(pattern, _)| Reverse(pattern.len()));
        self
    }

    /// The exact cost of some usage at a time, or `None` for a model without a price.
    pub fn cost(&self, provider: &str, model: &str, usage: &Usage, now: DateTime<Utc>) -> Option<PicoUsd> {
        self.find(provider, model, usage.service_tier, now).map(|price| price.cost(usage))
    }

    /// The row in force at a time: of the model's own name, else of the longest pattern that it fits; of the tier, else
    /// of the default tier; the newest.
    pub fn find(&self, provider: &str, model: &str, tier: ServiceTier, now: DateTime<Utc>) -> Option<&Price> {
        let rows = self.providers.get(provider)?;
        let today = now.date_naive();
        let fitting = rows.patterns.iter().filter(|(pattern, _)| matches_pattern(pattern, model));
        let same_model = rows.exact.get(model).into_iter().chain(fitting.map(|(_, same)| same));
        // Not the next best row where one could not be read: nobody knows what it says.
        let mut known = same_model.take_while(|same| !same.is_empty());
        known.find_map(|same| self.in_force(same, tier, today))
    }

    /// Every row, as it was given.
    pub fn rows(&self) -> &[Price] {
        &self.rows
    }

    /// Every model that has a row of its own, with its provider.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.named.iter().filter_map(|at| self.rows.get(*at));
        named.map(|price| (price.provider.as_str(), price.model.as_str()))
    }

    /// Whether the model has a row of its own, so that it is known to be real.
    pub fn names(&self, provider: &str, model: &str) -> bool {
        self.providers.get(provider).is_some_and(|rows| rows.exact.contains_key(model))
    }

    /// Of rows for the same model, newest first, the one for the tier or else for the default.
    fn in_force(&self, same: &[usize], tier: ServiceTier, today: NaiveDate) -> Option<&Price> {
        let mut of_default = None;
        for row in same.iter().filter_map(|at| self.rows.get(*at)) {
            if row.effective_from.is_some_and(|from| from > today) {
                continue;
            }
            if row.service_tier == tier {
                return Some(row);
            }
            if row.service_tier.is_default() && of_default.is_none() {
                of_default = Some(row);
            }
        }
        of_default
    }
}
