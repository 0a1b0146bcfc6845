//! One request on its way: the router of its thread, the call, its attempts, its money, its stream and its record.

pub mod attempt;
pub mod cached_reply;
pub mod call;
pub mod metering;
pub mod pass_through;
pub mod request_log;
pub mod reserve_budget;
pub mod router;
pub mod stream;
pub mod translation;
