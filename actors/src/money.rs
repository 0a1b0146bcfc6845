//! Money: exact amounts, budget periods and prices.

pub mod amount;
mod decimal;
pub mod period;
pub mod prices;
pub mod usd;
