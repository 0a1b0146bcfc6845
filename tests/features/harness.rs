//! What the feature files share.

pub mod bodies;
pub mod client;
pub mod clients;
pub mod connect_proxy;
pub mod deaf_proxy;
pub mod fake_hub;
pub mod fake_provider;
pub mod gateway;
pub mod http;
pub mod metrics;
pub mod models;
pub mod money;
pub mod raw_provider;
pub mod reply;
pub mod slow_proxy;
pub mod temp_dir;
pub mod tls_front;
pub mod told;
pub mod upstreams;

use std::future::Future;
use std::time::Duration;

pub use client::{Answer, EventStream, Request};
pub use fake_provider::FakeProvider;
pub use gateway::{Gateway, Setup};
pub use reply::{Gate, Reply};

/// How long anything may take before a test gives up on it; generous, as tests share the machine.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Awaits with the tests' patience; `what` says in the panic what did not happen.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(TEST_TIMEOUT, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within {TEST_TIMEOUT:?}: {what}"),
    }
}

/// How often a test looks whether something has come about.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Looks again and again, with the tests' patience, until it is so; `what` says in the panic what did not come about.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    in_time(what, polled).await;
}

/// How many seeds a test of chance takes: few in each run, many at night (`scripts/test --long`).
pub fn seeds(few: u64, many: u64) -> std::ops::Range<u64> {
    0..if std::env::var_os("GATEWAY_LONG_TESTS").is_some() { many } else { few }
}
