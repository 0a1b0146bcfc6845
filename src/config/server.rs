//! `[server]`: the HTTP server.

use serde::{Deserialize, Serialize};

use super::memory_limit::memory_limit;
use super::proxies::TrustedProxies;
use crate::api::body_budget::BodyBudget;

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port to listen on. Port 0 takes any free port.
    pub listen: String,
    /// Worker threads; 0 for one per core.
    pub workers: usize,
    /// Concurrent client requests. One more gets a 503.
    pub max_in_flight: usize,
    /// Maximum request body in bytes. A larger body gets a 413.
    pub max_body_bytes: usize,
    /// Silence after which a stream gets a comment, in milliseconds; 0 to switch it off.
    pub keepalive_ms: u64,
    /// Time to receive the head of a request, in milliseconds.
    pub header_timeout_ms: u64,
    /// Time to receive the body of a request, in milliseconds. A slower client gets a 408.
    pub body_timeout_ms: u64,
    /// Minimum rate of a body after its first seconds, in bytes per second. A slower client gets a 408. 0 for none.
    pub min_body_rate: u64,
    /// Maximum bytes of all request bodies in flight. One more gets a 503. 0 for a quarter of the memory.
    pub max_bodies_bytes: u64,
    /// Time in which a client may read nothing before its connection is reset, in milliseconds; 0 for no limit.
    pub write_timeout_ms: u64,
    /// Time that the listener stays open after SIGTERM, so that load balancers see the readiness, in milliseconds.
    pub drain_delay_ms: u64,
    /// Time that requests in flight have after that delay, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Requests per minute from one client address; 0 for no limit.
    pub ip_rate_limit_per_minute: u32,
    /// Wrong admin tokens per minute from one client address; 0 for no limit.
    pub admin_attempts_per_minute: u32,
    /// Origins of browser pages that may call the API (`https://app.example`, or `*`); empty for none.
    pub cors: Vec<String>,
    /// Trusted reverse proxies (`X-Forwarded-For`), as addresses or networks (`10.0.0.0/8`).
    pub trusted_proxies: Vec<String>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            workers: 0,
            max_in_flight: 4096,
            max_body_bytes: 20 << 20,
            keepalive_ms: 15_000,
            header_timeout_ms: 10_000,
            body_timeout_ms: 60_000,
            min_body_rate: 1_000,
            max_bodies_bytes: 0,
            write_timeout_ms: 30_000,
            drain_delay_ms: 0,
            drain_timeout_ms: 60_000,
            ip_rate_limit_per_minute: 0,
            admin_attempts_per_minute: 30,
            cors: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// The number of worker threads to start.
    pub fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }

    /// The limit of all request bodies in flight.
    pub fn bodies(&self) -> BodyBudget {
        let max_bytes = match self.max_bodies_bytes {
            0 => memory_limit() / 4,
            bytes => bytes,
        };
        BodyBudget::new(usize::try_from(max_bytes).unwrap_or(usize::MAX), self.max_body_bytes)
    }

    /// The trusted proxies. Leaves malformed ones out; the check of the configuration refuses them first.
    pub fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trusted_proxies.iter().filter_map(|text| text.parse().ok()).collect())
    }
}
