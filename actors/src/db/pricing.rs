//! `pricing_config`: what models cost.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate};
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::price_row::PriceRow;
use super::schema::pricing_config;
use super::sqlite::Lite;
use super::types::{At, Day, latest};
use super::{Store, StoreError};
use crate::prices::Price;
use crate::wire::ServiceTier;

/// Tells whether any price was added, changed or removed since it was last read, also by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricesVersion {
    count: i64,
    latest: Option<At>,
}

/// The columns of a row's key; the default tier and a row without a first day have values of their own there.
pub(super) fn key_columns(tier: ServiceTier, from: Option<NaiveDate>) -> (&'static str, Day) {
    let tier = if tier.is_default() { "" } else { tier.word() };
    (tier, Day(from.unwrap_or(DateTime::UNIX_EPOCH.date_naive())))
}

/// Adding the prices that another replica has not added meanwhile.
trait Seed {
    async fn add_prices(&mut self, rows: &[PriceRow]) -> QueryResult<()>;
}

impl Seed for AsyncPgConnection {
    /// In one statement: the server may be far away.
    async fn add_prices(&mut self, rows: &[PriceRow]) -> QueryResult<()> {
        diesel::insert_into(pricing_config::table).values(rows).on_conflict_do_nothing().execute(self).await.map(drop)
    }
}

impl Seed for Lite {
    async fn add_prices(&mut self, rows: &[PriceRow]) -> QueryResult<()> {
        for row in rows {
            diesel::insert_into(pricing_config::table).values(row).on_conflict_do_nothing().execute(self).await?;
        }
        Ok(())
    }
}

impl Store {
    /// All prices.
    ///
    /// # Errors
    /// Where the database fails, or a row cannot be read.
    pub async fn list_prices(&self) -> Result<Vec<Price>, StoreError> {
        let rows: Vec<PriceRow> = again!(self, c => pricing_config::table.select(PriceRow::as_select()).load(c))?;
        rows.into_iter().map(PriceRow::price).collect()
    }

    /// Adds the prices that the table does not have; those of an operator stay as they are.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn seed_prices(&self, prices: &[Price]) -> Result<(), StoreError> {
        use pricing_config::{effective_from, model, provider, service_tier, table};
        let keys = table.select((provider, model, service_tier, effective_from));
        let known: Vec<(String, String, String, Day)> = again!(self, c => keys.load(c))?;
        let known: HashSet<_> = known.into_iter().collect();
        let rows: Vec<PriceRow> = prices.iter().map(PriceRow::of).collect::<Result<_, _>>()?;
        let missing: Vec<PriceRow> = rows.into_iter().filter(|row| !known.contains(&row.key())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        tx!(self, c => { c.add_prices(&missing).await })
    }

    /// Sets one price, replacing the one of the same provider, model, service tier and date.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_price(&self, price: &Price) -> Result<(), StoreError> {
        use pricing_config::{effective_from, model, provider, service_tier, table};
        let row = PriceRow::of(price)?;
        let set = again!(self, c => diesel::insert_into(table)
            .values(&row)
            .on_conflict((provider, model, service_tier, effective_from))
            .do_update()
            .set(&row)
            .execute(c));
        set.map(drop)
    }

    /// Removes one price and tells whether it was there. A built-in price comes back with the next start.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_price(
        &self,
        provider: &str,
        model: &str,
        tier: ServiceTier,
        from: Option<NaiveDate>,
    ) -> Result<bool, StoreError> {
        let (tier, from) = key_columns(tier, from);
        let row = pricing_config::table.find((provider, model, tier, from));
        on!(self, c => diesel::delete(row).execute(c)).map(|rows| rows > 0)
    }

    /// What to compare in order to learn whether prices changed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn prices_version(&self) -> Result<PricesVersion, StoreError> {
        let version = pricing_config::table.select((count_star(), latest(pricing_config::updated_at)));
        let (count, latest) = again!(self, c => version.get_result::<(i64, Option<At>)>(c))?;
        Ok(PricesVersion { count, latest })
    }
}
