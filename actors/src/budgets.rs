//! Budgets: what a request may cost is reserved before it is sent and settled when it ends, so that no limit is ever
//! exceeded. Pure parts: the clock is an argument, and the store is the ledger's matter.

pub mod account;
pub mod accounts;
pub mod demand;
pub mod ledger;
pub mod ledger_actor;
pub(crate) mod ledger_figures;
pub mod output_limit;
pub mod reservation;

#[cfg(test)]
mod tests;
