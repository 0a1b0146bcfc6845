//! Limits that each process keeps by itself, by the GCRA algorithm of the `governor` crate: of client addresses, and of
//! retries.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota};

/// What a limit of zero tells its callers to wait; no wait would help.
const ZERO_LIMIT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A limit per minute: a burst of as many, then evenly spaced ones.
#[derive(Debug)]
pub struct LocalRateLimiter<C: Clock = DefaultClock> {
    /// `None` is the limit 0, which lets nothing through.
    bucket: Option<governor::RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>>,
}

impl<C: Clock> LocalRateLimiter<C> {
    /// A limit of `limit` per minute by a clock of one's own; 0 lets nothing through.
    pub fn with_clock(limit: u32, clock: C) -> Self {
        let bucket = NonZeroU32::new(limit)
            .map(|limit| governor::RateLimiter::direct_with_clock(Quota::per_minute(limit), clock));
        Self { bucket }
    }

    /// Lets one through, or refuses it.
    ///
    /// # Errors
    /// How long to wait for the next one; the refusal itself uses nothing (E5).
    pub fn check(&self) -> Result<(), Duration> {
        let Some(bucket) = &self.bucket else { return Err(ZERO_LIMIT_RETRY_AFTER) };
        bucket.check().map_err(|until| wait(until, bucket.clock()))
    }
}

type Buckets<C> = governor::RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limit of requests per minute for each client address; the addresses of one IPv6 /64 network share one.
#[derive(Debug)]
pub struct AddressRateLimiter<C: Clock = DefaultClock> {
    /// `None` is the limit 0, which lets nothing through.
    buckets: Option<Buckets<C>>,
}

impl AddressRateLimiter {
    /// A limit of `limit` requests per minute for each address; 0 lets nothing through.
    pub fn per_minute(limit: u32) -> Self {
        Self::with_clock(limit, DefaultClock::default())
    }
}

impl<C: Clock> AddressRateLimiter<C> {
    /// A limit of `limit` requests per minute for each address by a clock of one's own; 0 lets nothing through.
    pub fn with_clock(limit: u32, clock: C) -> Self {
        let buckets = NonZeroU32::new(limit)
            .map(|limit| governor::RateLimiter::hashmap_with_clock(Quota::per_minute(limit), clock));
        Self { buckets }
    }

    /// Lets one request from this address through, or refuses it.
    ///
    /// # Errors
    /// How long to wait for the next one; the refusal itself uses nothing (E5).
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(buckets) = &self.buckets else { return Err(ZERO_LIMIT_RETRY_AFTER) };
        buckets.check_key(&network(address)).map_err(|until| wait(until, buckets.clock()))
    }

    /// Forgets the addresses whose whole limit is there again; call it now and then, since addresses are many.
    pub fn forget_idle(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }

    /// How many addresses are remembered.
    pub fn remembered(&self) -> usize {
        self.buckets.as_ref().map_or(0, governor::RateLimiter::len)
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64 network, which is what one subscriber is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

fn wait<C: Clock>(until: NotUntil<C::Instant>, clock: &C) -> Duration {
    until.wait_time_from(clock.now())
}

#[cfg(test)]
mod tests;
