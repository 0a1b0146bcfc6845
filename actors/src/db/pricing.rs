//! `pricing_config`: what models cost.

use diesel::prelude::*;

use super::schema::pricing_config;
use super::{Store, StoreError};
use crate::prices::Price;

type Row = (String, String, String, String, String);

fn row_of(price: &Price) -> Result<Row, StoreError> {
    let tier = if price.service_tier.is_default() { "" } else { price.service_tier.word() };
    let from = price.effective_from.map(|date| date.to_string()).unwrap_or_default();
    let text = serde_json::to_string(price).map_err(|error| StoreError::Price(error.to_string()))?;
    Ok((price.provider.clone(), price.model.clone(), tier.to_owned(), from, text))
}

fn write(connection: &mut SqliteConnection, row: &Row, replace: bool) -> QueryResult<usize> {
    use pricing_config::{effective_from, model, price, provider, service_tier, table};
    let values =
        (provider.eq(&row.0), model.eq(&row.1), service_tier.eq(&row.2), effective_from.eq(&row.3), price.eq(&row.4));
    let insert = diesel::insert_into(table).values(values);
    if replace {
        let key = (provider, model, service_tier, effective_from);
        insert.on_conflict(key).do_update().set(price.eq(&row.4)).execute(connection)
    } else {
        insert.on_conflict_do_nothing().execute(connection)
    }
}

impl Store {
    /// All prices.
    ///
    /// # Errors
    /// Where the database fails, or a row cannot be read.
    pub async fn list_prices(&self) -> Result<Vec<Price>, StoreError> {
        let read = |connection: &mut SqliteConnection| {
            pricing_config::table.select(pricing_config::price).load::<String>(connection)
        };
        let texts = self.with(read).await?;
        let price = |text: &String| serde_json::from_str(text).map_err(|error| StoreError::Price(error.to_string()));
        texts.iter().map(price).collect()
    }

    /// Adds the prices that the table does not have; those of an operator stay as they are.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn seed_prices(&self, prices: &[Price]) -> Result<(), StoreError> {
        let rows: Vec<Row> = prices.iter().map(row_of).collect::<Result<_, _>>()?;
        let seed = move |connection: &mut SqliteConnection| {
            rows.iter().try_for_each(|row| write(connection, row, false).map(drop))
        };
        self.transaction(seed).await
    }

    /// Sets one price, replacing the one of the same provider, model, service tier and date.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_price(&self, price: &Price) -> Result<(), StoreError> {
        let row = row_of(price)?;
        self.with(move |connection| write(connection, &row, true)).await.map(drop)
    }
}
