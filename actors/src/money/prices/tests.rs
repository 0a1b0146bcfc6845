//! Prices, from the vendors' answers to the exact cost.

mod built_in;
mod estimate;
mod golden;
mod rates;
mod rows;
mod table;

use chrono::{DateTime, Utc};
use gateway_wire::Usage;

use super::{Price, PriceTable};

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

/// A row of a test's own: the JSON fields that matter to it.
fn row(fields: serde_json::Value) -> Price {
    let mut row = serde_json::json!({"provider": "p", "model": "m", "input": "1", "output": "2", "source": "test"});
    row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

/// What usage costs by the prices that come with the gateway.
fn cost(provider: &str, model: &str, usage: Usage) -> Option<String> {
    let now = at("2026-11-25T12:00:00Z");
    PriceTable::built_in().unwrap().cost(provider, model, &usage, now).map(|cost| cost.to_string())
}
