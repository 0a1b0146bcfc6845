//! Providers: how each is configured, reached and guarded by breakers, and the simulator that stands in for one.

pub mod actor;
pub mod breaker;
mod breakers;
pub mod catalogue;
pub mod handle;
pub mod pass_through;
pub mod resolve;
pub mod retry_after;
mod retry_budget;
pub mod settings;
pub mod simulator;
pub mod upstream;
