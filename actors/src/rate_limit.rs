//! Requests per minute, for a key and for a client address, by the GCRA algorithm of the `governor` crate.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota};

/// What a limit of zero tells its callers to wait; no wait would help.
const NEVER: Duration = Duration::from_secs(60);

/// What is left of a limit after a request was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSnapshot {
    /// Requests per minute.
    pub limit: u32,
    /// Requests that would be let through at once now.
    pub remaining: u32,
    /// Until the whole limit is there again, if no request comes.
    pub reset: Duration,
}

/// A request over its limit; it cost nothing (E5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRefusal {
    /// Requests per minute.
    pub limit: u32,
    /// Until the next request is let through.
    pub retry_after: Duration,
    /// Until the whole limit is there again, if no request comes.
    pub reset: Duration,
}

/// A limit of requests per minute: a burst of as many, then evenly spaced ones.
#[derive(Debug)]
pub struct RateLimiter<C: Clock = DefaultClock> {
    /// `None` is the limit 0, which lets nothing through.
    bucket: Option<governor::RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>>,
}

impl RateLimiter {
    /// A limit of `limit` requests per minute; 0 lets nothing through.
    pub fn per_minute(limit: u32) -> Self {
        Self::with_clock(limit, DefaultClock::default())
    }
}

impl<C: Clock> RateLimiter<C> {
    /// A limit of `limit` requests per minute by a clock of one's own; 0 lets nothing through.
    pub fn with_clock(limit: u32, clock: C) -> Self {
        let bucket = NonZeroU32::new(limit)
            .map(|limit| governor::RateLimiter::direct_with_clock(Quota::per_minute(limit), clock).with_middleware());
        Self { bucket }
    }

    /// Lets one request through, or refuses it.
    ///
    /// # Errors
    /// Where the limit is used up; the refusal itself uses nothing.
    pub fn check(&self) -> Result<RateSnapshot, RateRefusal> {
        let Some(bucket) = &self.bucket else { return Err(refuse_all()) };
        bucket.check().map(snapshot).map_err(|until| refusal(until, bucket.clock()))
    }
}

/// A limit of requests per minute for each client address; the addresses of one IPv6 /64 network share one.
#[derive(Debug)]
pub struct KeyedRateLimiter<C: Clock = DefaultClock> {
    /// `None` is the limit 0, which lets nothing through.
    buckets: Option<governor::RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, StateInformationMiddleware>>,
}

impl KeyedRateLimiter {
    /// A limit of `limit` requests per minute for each address; 0 lets nothing through.
    pub fn per_minute(limit: u32) -> Self {
        Self::with_clock(limit, DefaultClock::default())
    }
}

impl<C: Clock> KeyedRateLimiter<C> {
    /// A limit of `limit` requests per minute for each address by a clock of one's own; 0 lets nothing through.
    pub fn with_clock(limit: u32, clock: C) -> Self {
        let buckets = NonZeroU32::new(limit)
            .map(|limit| governor::RateLimiter::hashmap_with_clock(Quota::per_minute(limit), clock).with_middleware());
        Self { buckets }
    }

    /// Lets one request from this address through, or refuses it.
    ///
    /// # Errors
    /// Where the limit is used up; the refusal itself uses nothing.
    pub fn check(&self, address: IpAddr) -> Result<RateSnapshot, RateRefusal> {
        let Some(buckets) = &self.buckets else { return Err(refuse_all()) };
        buckets.check_key(&network(address)).map(snapshot).map_err(|until| refusal(until, buckets.clock()))
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

fn snapshot(state: StateSnapshot) -> RateSnapshot {
    let quota = state.quota();
    let limit = quota.burst_size().get();
    let remaining = state.remaining_burst_capacity();
    RateSnapshot { limit, remaining, reset: quota.replenish_interval() * limit.saturating_sub(remaining) }
}

fn refusal<C: Clock>(until: NotUntil<C::Instant>, clock: &C) -> RateRefusal {
    let quota = until.quota();
    let limit = quota.burst_size().get();
    let retry_after = until.wait_time_from(clock.now());
    RateRefusal { limit, retry_after, reset: retry_after + quota.replenish_interval() * (limit - 1) }
}

fn refuse_all() -> RateRefusal {
    RateRefusal { limit: 0, retry_after: NEVER, reset: NEVER }
}

#[cfg(test)]
mod tests;
