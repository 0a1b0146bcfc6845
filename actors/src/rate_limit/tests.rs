use governor::clock::FakeRelativeClock;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_burst_of_the_limit_passes_then_one_an_interval() {
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::with_clock(6, clock.clone());
    let remaining: Vec<u32> = (0..6).map(|_| limiter.check().unwrap().remaining).collect();
    assert_eq!(remaining, [5, 4, 3, 2, 1, 0]);
    let refused = RateRefusal { limit: 6, retry_after: 10 * SECOND, reset: 60 * SECOND };
    assert_eq!(limiter.check(), Err(refused));
    clock.advance(9 * SECOND);
    assert_eq!(limiter.check().unwrap_err().retry_after, SECOND);
    clock.advance(SECOND);
    assert_eq!(limiter.check(), Ok(RateSnapshot { limit: 6, remaining: 0, reset: 60 * SECOND }));
}

/// E5: refused requests leave `remaining`, and the wait, unchanged.
#[test]
fn e5_refused_requests_cost_nothing() {
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::with_clock(2, clock.clone());
    assert!(limiter.check().is_ok() && limiter.check().is_ok());
    let first = limiter.check().unwrap_err();
    for _ in 0..1_000 {
        assert_eq!(limiter.check(), Err(first));
    }
    clock.advance(60 * SECOND);
    assert_eq!(limiter.check().map(|left| left.remaining), Ok(1));
}

#[test]
fn reset_tells_when_the_whole_limit_is_back() {
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::with_clock(60, clock.clone());
    let left = limiter.check().unwrap();
    assert_eq!((left.remaining, left.reset), (59, SECOND));
    clock.advance(left.reset);
    assert_eq!(limiter.check(), Ok(left));
}

#[test]
fn a_limit_of_zero_refuses_everything() {
    assert_eq!(RateLimiter::per_minute(0).check().unwrap_err().limit, 0);
    assert_eq!(KeyedRateLimiter::per_minute(0).check(address("10.0.0.1")).unwrap_err().limit, 0);
}

#[test]
fn addresses_have_limits_of_their_own_and_an_ipv6_network_shares_one() {
    let limiter = KeyedRateLimiter::with_clock(1, FakeRelativeClock::default());
    assert!(limiter.check(address("10.0.0.1")).is_ok());
    assert!(limiter.check(address("10.0.0.2")).is_ok());
    assert!(limiter.check(address("::ffff:10.0.0.1")).is_err(), "the same client by its IPv6 notation");
    assert!(limiter.check(address("2001:db8:0:1::1")).is_ok());
    assert!(limiter.check(address("2001:db8:0:1:ffff::2")).is_err(), "the same /64");
    assert!(limiter.check(address("2001:db8:0:2::1")).is_ok());
}

#[test]
fn idle_addresses_are_forgotten_and_busy_ones_kept() {
    let clock = FakeRelativeClock::default();
    let limiter = KeyedRateLimiter::with_clock(1, clock.clone());
    assert!(limiter.check(address("10.0.0.1")).is_ok());
    clock.advance(180 * SECOND);
    assert!(limiter.check(address("10.0.0.2")).is_ok());
    limiter.forget_idle();
    assert_eq!(limiter.remembered(), 1);
    assert!(limiter.check(address("10.0.0.2")).is_err());
}
