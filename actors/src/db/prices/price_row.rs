//! Between a row of `pricing_config` and the price that it is.

use diesel::prelude::*;
use gateway_wire::ServiceTier;

use super::pricing::key_columns;
use crate::db::StoreError;
use crate::db::backend::types::{Day, Nanos};
use crate::db::bad_rows::BadRow;
use crate::db::schema::pricing_config;
use crate::money::amount::PerMillion;
use crate::money::prices::{Above, Price};

/// One row; its `updated_at` is the database's own.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pricing_config)]
#[diesel(primary_key(provider, model, service_tier, effective_from))]
#[diesel(treat_none_as_null = true)]
pub(in crate::db) struct PriceRow {
    provider: String,
    model: String,
    service_tier: String,
    effective_from: Day,
    input: Nanos,
    output: Nanos,
    cached_input: Option<Nanos>,
    cache_write: Option<Nanos>,
    cache_write_1h: Option<Nanos>,
    reasoning: Option<Nanos>,
    audio_input: Option<Nanos>,
    audio_output: Option<Nanos>,
    image_input: Option<Nanos>,
    above: String,
    max_output_tokens: Option<i64>,
    source: String,
}

/// Nanos in a micro-dollar.
const NANOS: i64 = 1_000;

impl PriceRow {
    /// The row of a price.
    pub(in crate::db) fn from_price(price: &Price) -> Result<Self, StoreError> {
        let bad = |problem: &str| unreadable(&price.provider, &price.model, problem);
        let nanos = |amount: PerMillion| amount.micros().checked_mul(NANOS).map(Nanos);
        let nanos = |amount| nanos(amount).ok_or_else(|| bad("an amount is too large"));
        let optional = |amount: Option<PerMillion>| amount.map(nanos).transpose();
        let (tier, effective_from) = key_columns(price.service_tier, price.effective_from);
        let tokens = price.max_output_tokens.map(i64::try_from).transpose();
        Ok(Self {
            provider: price.provider.clone(),
            model: price.model.clone(),
            service_tier: tier.to_owned(),
            effective_from,
            input: nanos(price.input)?,
            output: nanos(price.output)?,
            cached_input: optional(price.cached_input)?,
            cache_write: optional(price.cache_write)?,
            cache_write_1h: optional(price.cache_write_1h)?,
            reasoning: optional(price.reasoning)?,
            audio_input: optional(price.audio_input)?,
            audio_output: optional(price.audio_output)?,
            image_input: optional(price.image_input)?,
            above: serde_json::to_string(&price.above).map_err(|error| bad(&error.to_string()))?,
            max_output_tokens: tokens.map_err(|_too_large| bad("max_output_tokens is too large"))?,
            source: price.source.clone(),
        })
    }

    /// What makes the row the only one of its kind.
    pub(in crate::db) fn key(&self) -> (String, String, String, Day) {
        (self.provider.clone(), self.model.clone(), self.service_tier.clone(), self.effective_from)
    }

    /// The price in the row.
    pub(in crate::db) fn price(self) -> Result<Price, BadRow> {
        let bad = |problem: &str| bad_price(&self.provider, &self.model, problem);
        let amount = |Nanos(nanos): Nanos| {
            if nanos < 0 || nanos % NANOS != 0 {
                return Err(bad("an amount has more than six decimals, or is negative"));
            }
            Ok(PerMillion::from_micros(nanos / NANOS))
        };
        let optional = |nanos: Option<Nanos>| nanos.map(amount).transpose();
        // Not `ServiceTier::from_name`, to which a misspelt tier would be the default.
        let tier = match self.service_tier.as_str() {
            "" | "default" => Some(ServiceTier::Default),
            "flex" => Some(ServiceTier::Flex),
            "priority" => Some(ServiceTier::Priority),
            "batch" => Some(ServiceTier::Batch),
            _ => None,
        };
        let above: Result<Vec<Above>, _> = serde_json::from_str(&self.above);
        let tokens = self.max_output_tokens.map(u64::try_from).transpose();
        let always = key_columns(ServiceTier::Default, None).1;
        Ok(Price {
            service_tier: tier.ok_or_else(|| bad("service_tier must be empty, flex, priority or batch"))?,
            effective_from: (self.effective_from != always).then_some(self.effective_from.0),
            input: amount(self.input)?,
            output: amount(self.output)?,
            cached_input: optional(self.cached_input)?,
            cache_write: optional(self.cache_write)?,
            cache_write_1h: optional(self.cache_write_1h)?,
            reasoning: optional(self.reasoning)?,
            audio_input: optional(self.audio_input)?,
            audio_output: optional(self.audio_output)?,
            image_input: optional(self.image_input)?,
            above: above.map_err(|error| bad(&format!("above: {error}")))?,
            max_output_tokens: tokens.map_err(|_negative| bad("max_output_tokens is negative"))?,
            provider: self.provider.clone(),
            model: self.model.clone(),
            source: self.source.clone(),
        })
    }
}

/// A row without a price that can be read.
pub(in crate::db) fn bad_price(provider: &str, model: &str, problem: &str) -> BadRow {
    BadRow::new("pricing_config", format!("{provider}/{model}"), problem)
}

fn unreadable(provider: &str, model: &str, problem: &str) -> StoreError {
    StoreError::Price(format!("{provider} {model}: {problem}"))
}
