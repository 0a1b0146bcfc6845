//! The prices that come with the gateway.

use serde::Deserialize;
use toml::{Table, Value};

use super::check::BadPrice;
use super::models::{ModelFacts, ModelTable};
use super::price::Price;
use super::table::PriceTable;

const BUILT_IN: &str = include_str!("../../../../config/prices.toml");

/// Why the prices that come with the gateway cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// The file is not in its format.
    #[error("config/prices.toml: {0}")]
    Format(#[from] toml::de::Error),
    /// A row lacks a field, or has one of the wrong kind.
    #[error("config/prices.toml: {row}: {problem}")]
    Row {
        /// The row as it stands.
        row: String,
        /// What is wrong with it.
        problem: toml::de::Error,
    },
    /// A field of a row cannot be.
    #[error("config/prices.toml: {provider}/{model}: {bad}")]
    Field {
        /// The row's provider.
        provider: String,
        /// The row's model.
        model: String,
        /// What is wrong with it.
        bad: BadPrice,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    adds_input: Vec<String>,
    list: Vec<List>,
}

/// A provider's rows; they inherit what all of them share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    provider: String,
    source: String,
    price: Vec<Table>,
}

impl PriceTable {
    /// The table that comes with the gateway.
    ///
    /// # Errors
    /// Where a row is malformed; the text names it.
    pub fn built_in() -> Result<Self, BuiltInError> {
        let file: File = toml::from_str(BUILT_IN)?;
        let mut rows = Vec::new();
        for list in file.list {
            for mut row in list.price {
                FACTS.iter().for_each(|name| drop(row.remove(*name)));
                add_rows(row, &list.provider, &list.source, &mut rows)?;
            }
        }
        Ok(Self::new(rows))
    }
}

/// The fields of a row that are no prices.
const FACTS: [&str; 2] = ["max_input_tokens", "multipliers"];

/// What a row tells beside its prices.
#[derive(Deserialize)]
struct FactsRow {
    model: String,
    #[serde(default)]
    also: Vec<String>,
    provider: Option<String>,
    #[serde(flatten)]
    facts: ModelFacts,
}

impl ModelTable {
    /// The table that comes with the gateway.
    ///
    /// # Errors
    /// Where a row is malformed; the text names it.
    pub fn built_in() -> Result<Self, BuiltInError> {
        let file: File = toml::from_str(BUILT_IN)?;
        let mut models = Vec::new();
        for list in file.list {
            for row in list.price.into_iter().filter(|row| FACTS.iter().any(|name| row.contains_key(*name))) {
                let text = row.to_string();
                let row: FactsRow = row.try_into().map_err(|problem| BuiltInError::Row { row: text, problem })?;
                let provider = row.provider.unwrap_or_else(|| list.provider.clone());
                let names = std::iter::once(row.model).chain(row.also);
                models.extend(names.map(|model| (provider.clone(), model, row.facts)));
            }
        }
        Ok(Self::new(models, file.adds_input))
    }
}

/// Adds a row for the `model` of one in the file, and one for each further name or pattern that it is `also` for.
fn add_rows(mut row: Table, provider: &str, source: &str, rows: &mut Vec<Price>) -> Result<(), BuiltInError> {
    let text = row.to_string();
    let in_row = |problem| BuiltInError::Row { row: text.clone(), problem };
    let also = row.remove("also").unwrap_or_else(|| Value::Array(Vec::new()));
    let also: Vec<String> = also.try_into().map_err(in_row)?;
    row.entry("provider").or_insert_with(|| provider.into());
    row.entry("source").or_insert_with(|| source.into());
    let price: Price = row.try_into().map_err(in_row)?;
    for model in std::iter::once(price.model.clone()).chain(also) {
        let price = Price { model, ..price.clone() };
        price.validate().map_err(|bad| {
            let Price { provider, model, .. } = price.clone();
            BuiltInError::Field { provider, model, bad }
        })?;
        rows.push(price);
    }
    Ok(())
}
