//! Budgets: what a request may cost is reserved before it is sent and settled when it ends, so that no limit is ever
//! exceeded. Pure parts: the clock is an argument, and the store is the ledger's matter.

pub mod account;
pub mod accounts;
pub mod contents;
pub mod demand;
pub mod estimate;
pub mod options;
pub mod output_limit;
mod part;
pub mod period;
pub mod reservation;
pub mod scope;

#[cfg(test)]
mod tests;
