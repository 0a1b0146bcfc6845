use governor::clock::FakeRelativeClock;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_burst_of_the_limit_passes_then_one_an_interval() {
    let clock = FakeRelativeClock::default();
    let limiter = LocalRateLimiter::with_clock(6, clock.clone());
    assert!((0..6).all(|_| limiter.check().is_ok()));
    assert_eq!(limiter.check(), Err(10 * SECOND));
    clock.advance(9 * SECOND);
    assert_eq!(limiter.check(), Err(SECOND));
    clock.advance(SECOND);
    assert_eq!((limiter.check(), limiter.check()), (Ok(()), Err(10 * SECOND)));
}

/// E5: refused requests leave the wait unchanged.
#[test]
fn e5_refused_requests_cost_nothing() {
    let clock = FakeRelativeClock::default();
    let limiter = LocalRateLimiter::with_clock(2, clock.clone());
    assert!(limiter.check().is_ok() && limiter.check().is_ok());
    assert!((0..1_000).all(|_| limiter.check() == Err(30 * SECOND)));
    clock.advance(60 * SECOND);
    assert_eq!((limiter.check(), limiter.check(), limiter.check()), (Ok(()), Ok(()), Err(30 * SECOND)));
}

#[test]
fn a_limit_of_zero_refuses_everything() {
    assert!(LocalRateLimiter::with_clock(0, FakeRelativeClock::default()).check().is_err());
    assert!(AddressRateLimiter::per_minute(0).check(address("10.0.0.1")).is_err());
}

#[test]
fn addresses_have_limits_of_their_own_and_an_ipv6_network_shares_one() {
    let limiter = AddressRateLimiter::with_clock(1, FakeRelativeClock::default());
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
    let limiter = AddressRateLimiter::with_clock(1, clock.clone());
    assert!(limiter.check(address("10.0.0.1")).is_ok());
    clock.advance(180 * SECOND);
    assert!(limiter.check(address("10.0.0.2")).is_ok());
    limiter.forget_idle();
    assert_eq!(limiter.remembered(), 1);
    assert!(limiter.check(address("10.0.0.2")).is_err());
}
