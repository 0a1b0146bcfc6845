//! What a million tokens cost, by provider and model, and what some usage costs exactly.

mod built_in;
mod check;
mod cost;
mod models;
mod price;
mod rates;
mod table;

pub use built_in::BuiltInError;
pub use check::BadPrice;
pub use models::{ModelFacts, ModelTable, Multiplier, Multipliers};
pub use price::{Above, Price};
pub use table::PriceTable;

#[cfg(test)]
mod tests;
