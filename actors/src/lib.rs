//! The gateway's actors, and the pure parts that they are thin shells around.
//!
//! Nothing here knows an HTTP server: the root package translates between HTTP and the messages of this crate.
//! Only `upstream` talks hyper, only `db` talks diesel, only `embed::embedder` and `embed::known` talk
//! fastembed.

pub mod actor_stats;
pub mod afford;
pub mod attempt;
pub mod bad_rows;
pub mod breaker;
pub mod budget;
pub mod budget_ledger;
pub mod cache;
pub mod cache_actor;
pub mod call;
pub mod catalogue;
pub mod changes;
pub mod content_coding;
pub mod control;
pub mod db;
mod decimal;
pub mod embed;
pub mod failure;
pub mod in_flight;
pub mod journal;
mod json_line;
pub mod key_registry;
pub mod key_table;
pub mod ledger;
pub mod limit_keeper;
pub mod limits;
pub mod metering;
pub mod metrics;
pub mod metrics_actor;
pub mod moment;
pub mod money;
mod outbox;
pub mod panics;
pub mod plan;
pub mod prices;
pub mod provider;
pub mod pump;
pub mod rate_limit;
pub mod recall;
pub mod record;
pub mod redis_link;
pub mod resolve;
pub mod retry_after;
pub mod router;
pub mod sealing;
pub mod secret;
pub mod settings;
pub mod simulator;
pub mod store_health;
#[cfg(test)]
mod test_keeper;
#[cfg(test)]
mod test_postgres;
#[cfg(test)]
#[allow(dead_code, reason = "the feature tests use more of it")]
mod test_redis;
mod throttle;
pub mod tokens;
pub mod upstream;
pub mod usage_row;
pub mod virtual_key;
pub mod wire;
