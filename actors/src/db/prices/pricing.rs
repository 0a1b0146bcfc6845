//! `pricing_config`: what models cost.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use gateway_wire::ServiceTier;

use super::price_row::{PriceRow, bad_price};
use crate::db::backend::lenient::{Lenient, TableRows};
use crate::db::backend::sqlite::Lite;
use crate::db::backend::types::Day;
use crate::db::schema::pricing_config;
use crate::db::{Store, StoreError};
use crate::money::prices::Price;

/// The columns of a row's key; the default tier and a row without a first day have values of their own there.
pub(in crate::db) fn key_columns(tier: ServiceTier, from: Option<NaiveDate>) -> (&'static str, Day) {
    let tier = if tier.is_default() { "" } else { tier.as_str() };
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
    /// All prices, and the rows that cannot be read. One bad row makes its model one without a price, so that nothing is
    /// billed by another row instead.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_prices(&self) -> Result<TableRows<Price>, StoreError> {
        let rows: Vec<PriceRow> = match read!(self, c => pricing_config::table.select(PriceRow::as_select()).load(c)) {
            Err(error) if error.is_unreadable() => return self.prices_by_model().await,
            rows => rows?,
        };
        Ok(TableRows::sort(rows.into_iter().map(PriceRow::price)))
    }

    /// All prices, where a row cannot be read.
    async fn prices_by_model(&self) -> Result<TableRows<Price>, StoreError> {
        use pricing_config::{model, provider, table};
        let models: Vec<(Lenient<String>, Lenient<String>)> =
            read!(self, c => table.select((provider, model)).distinct().load(c))?;
        let mut found = TableRows::default();
        for (of_provider, of_model) in models {
            let (of_provider, of_model) = (of_provider.or_unnamed(), of_model.or_unnamed());
            let rows = table.filter(provider.eq(&of_provider)).filter(model.eq(&of_model));
            match read!(self, c => rows.select(PriceRow::as_select()).load(c)) {
                Ok(rows) if rows.is_empty() => found.bad.push(bad_price(&of_provider, &of_model, "a name is no text")),
                Ok(rows) => {
                    let some = TableRows::sort(rows.into_iter().map(PriceRow::price));
                    found.rows.extend(some.rows);
                    found.bad.extend(some.bad);
                }
                Err(error) if error.is_unreadable() => {
                    found.bad.push(bad_price(
                        &of_provider,
                        &of_model,
                        "a column cannot be read, such as effective_from",
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Adds the prices that the table does not have; those of an operator stay as they are.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn seed_prices(&self, prices: &[Price]) -> Result<(), StoreError> {
        use pricing_config::{effective_from, model, provider, service_tier, table};
        let keys = table.select((provider, model, service_tier, effective_from));
        let known: Vec<Key> = read!(self, c => keys.load(c))?;
        // A row whose key cannot be read is no row of this list.
        let known: HashSet<_> = known.into_iter().filter_map(readable).collect();
        let rows: Vec<PriceRow> = prices.iter().map(PriceRow::from_price).collect::<Result<_, _>>()?;
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
        let row = PriceRow::from_price(price)?;
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
}

type Key = (Lenient<String>, Lenient<String>, Lenient<String>, Lenient<Day>);

fn readable((provider, model, tier, from): Key) -> Option<(String, String, String, Day)> {
    Some((provider.0.ok()?, model.0.ok()?, tier.0.ok()?, from.0.ok()?))
}
