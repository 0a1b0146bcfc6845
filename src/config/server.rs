//! `[server]`: the HTTP server.

use serde::{Deserialize, Serialize};

use super::base_url::is_http_url;
use super::check::at_least_one;
use super::memory_limit::memory_limit;
use super::proxies::{Network, TrustedProxies};
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

/// Addresses must be addresses, and bodies must fit.
pub(super) fn check(server: &ServerSettings, wrong: &mut dyn FnMut(&str, String)) {
    if server.listen.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) {
        wrong("server.listen", format!("'{}' must be an address and port, such as 127.0.0.1:8000", server.listen));
    }
    if server.workers > 1024 {
        wrong("server.workers", "must be at most 1024".to_owned());
    }
    let settings = [
        ("server.max_in_flight", server.max_in_flight as u64),
        ("server.max_body_bytes", server.max_body_bytes as u64),
        ("server.body_timeout_ms", server.body_timeout_ms),
    ];
    at_least_one(&settings, wrong);
    if (1..server.max_body_bytes as u64).contains(&server.max_bodies_bytes) {
        wrong("server.max_bodies_bytes", "must be at least server.max_body_bytes, or 0".to_owned());
    }
    for (at, origin) in server.cors.iter().enumerate() {
        if origin != "*" && !is_origin(origin) {
            let message = format!("'{origin}' must be an origin, such as https://app.example, or *");
            wrong(&format!("server.cors[{at}]"), message);
        }
    }
    for (at, network) in server.trusted_proxies.iter().enumerate() {
        if network.parse::<Network>().is_err() {
            let message = format!("'{network}' must be an address or network, such as 10.0.0.0/8");
            wrong(&format!("server.trusted_proxies[{at}]"), message);
        }
    }
}

/// Whether this is how a browser writes the origin of a page: no path, not even a slash.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    is_http_url(text) && !host.contains(['/', '@', '?', '#']) && text.to_ascii_lowercase() == text
}
