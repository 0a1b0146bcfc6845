//! `[server]`: the HTTP server.

use serde::{Deserialize, Serialize};

use super::memory_limit::memory_limit;
use super::proxies::TrustedProxies;
use crate::api::body_budget::BodyBudget;

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port to listen on; port 0 takes any free one.
    pub listen: String,
    /// Worker threads; 0 for one per core.
    pub workers: usize,
    /// Client requests under way at once; one more is answered 503.
    pub max_in_flight: usize,
    /// The largest request body, in bytes; a larger one is answered 413.
    pub max_body_bytes: usize,
    /// The silence after which a stream gets a comment, in milliseconds; 0 for never.
    pub keepalive_ms: u64,
    /// How long a client may take to send the head of its request, in milliseconds.
    pub header_timeout_ms: u64,
    /// How long a client may take to send the body of its request, in milliseconds; a slower one is answered 408.
    pub body_timeout_ms: u64,
    /// The least rate of a body after its first seconds, in bytes a second; a slower one is answered 408. 0 for none.
    pub min_body_rate: u64,
    /// Bytes of all request bodies under way, at most; one more is answered 503. 0 for a quarter of the memory.
    pub max_bodies_bytes: u64,
    /// How long a client may take nothing of its answer, in milliseconds, until its connection is reset; 0 for ever.
    pub write_timeout_ms: u64,
    /// How long the listener stays open after SIGTERM, for load balancers to see the readiness, in milliseconds.
    pub drain_delay_ms: u64,
    /// How long requests under way may go on after that, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Requests per minute of one client address; 0 for no limit.
    pub ip_rate_limit_per_minute: u32,
    /// Wrong admin tokens per minute of one client address; 0 for no limit.
    pub admin_guesses_per_minute: u32,
    /// Origins of pages that may use the API in a browser (`https://app.example`, or `*`); empty for none.
    pub cors: Vec<String>,
    /// Addresses or networks (`10.0.0.0/8`) of proxies whose `x-forwarded-for` is believed.
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
            admin_guesses_per_minute: 30,
            cors: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// How many worker threads to start.
    pub fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }

    /// The bound of all request bodies under way.
    pub fn bodies(&self) -> BodyBudget {
        let max_bytes = match self.max_bodies_bytes {
            0 => memory_limit() / 4,
            bytes => bytes,
        };
        BodyBudget::new(usize::try_from(max_bytes).unwrap_or(usize::MAX), self.max_body_bytes)
    }

    /// The trusted proxies; malformed ones are left out, which the check of the configuration refuses beforehand.
    pub fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trusted_proxies.iter().filter_map(|text| text.parse().ok()).collect())
    }
}
