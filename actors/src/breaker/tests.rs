use std::sync::Barrier;
use std::thread;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Opens at 3 consecutive failures, or at 50 % of at least 10 requests, for 10 seconds.
fn settings() -> BreakerSettings {
    BreakerSettings {
        failure_threshold: 3,
        failure_threshold_percentage: 50,
        minimum_requests: 10,
        window_ms: 30_000,
        cooldown_ms: 10_000,
    }
}

fn breaker() -> (Breaker, Instant) {
    let now = Instant::now();
    (Breaker::new(settings(), now), now)
}

/// One request that is admitted and fails.
fn fail(breaker: &mut Breaker, now: Instant) -> Option<Transition> {
    let admitted = breaker.gate().admit(now).unwrap();
    let strike = breaker.gate().failed(&admitted).unwrap();
    breaker.failed(strike, now)
}

fn succeed(breaker: &Breaker, now: Instant) {
    let admitted = breaker.gate().admit(now).unwrap();
    assert!(!admitted.is_probe());
    breaker.gate().succeeded();
}

/// The cooldown that the breaker opened for.
fn open(breaker: &mut Breaker, now: Instant) -> Duration {
    match (0..3).filter_map(|_| fail(breaker, now)).collect::<Vec<_>>()[..] {
        [Transition::Opened(cooldown)] => cooldown,
        ref other => panic!("three failures gave {other:?}"),
    }
}

#[test]
fn consecutive_failures_open_it_and_it_says_how_long_to_wait() {
    let (mut breaker, now) = breaker();
    assert_eq!(fail(&mut breaker, now), None);
    assert_eq!(fail(&mut breaker, now), None);
    assert_eq!(breaker.gate().state(now), BreakerState::Closed);
    assert_eq!(fail(&mut breaker, now), Some(Transition::Opened(10 * SECOND)));
    assert_eq!(breaker.gate().state(now), BreakerState::Open);
    assert!(breaker.gate().refuses(now));
    assert_eq!(breaker.gate().admit(now + 4 * SECOND).unwrap_err(), 6 * SECOND);
}

#[test]
fn a_success_starts_the_count_of_consecutive_failures_again() {
    let (mut breaker, now) = breaker();
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, now), None);
        assert_eq!(fail(&mut breaker, now), None);
        for _ in 0..4 {
            succeed(&breaker, now);
        }
    }
}

#[test]
fn the_percentage_counts_once_the_window_has_enough_requests() {
    let (mut breaker, now) = breaker();
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, now), None);
        succeed(&breaker, now);
    }
    succeed(&breaker, now);
    assert_eq!(breaker.counts(), Counts { successes: 5, failures: 4 });
    assert_eq!(fail(&mut breaker, now), Some(Transition::Opened(10 * SECOND)));
}

#[test]
fn failures_leave_the_window_after_two_rotations() {
    let (mut breaker, now) = breaker();
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, now), None);
        succeed(&breaker, now);
    }
    breaker.rotate();
    assert_eq!(breaker.counts(), Counts { successes: 4, failures: 4 });
    breaker.rotate();
    assert_eq!(breaker.counts(), Counts::default());
    for _ in 0..8 {
        succeed(&breaker, now);
    }
    assert_eq!(fail(&mut breaker, now), None);
    assert_eq!(fail(&mut breaker, now), None);
}

#[test]
fn a_good_probe_closes_it_with_clean_counts() {
    let (mut breaker, now) = breaker();
    open(&mut breaker, now);
    let later = now + 10 * SECOND;
    assert_eq!(breaker.gate().state(later), BreakerState::HalfOpen);
    assert!(!breaker.gate().refuses(later));
    let probe = breaker.gate().admit(later).unwrap();
    assert!(probe.is_probe());
    assert!(breaker.gate().refuses(later));
    assert_eq!(breaker.gate().admit(later).unwrap_err(), SECOND);
    breaker.gate().succeeded();
    assert_eq!(breaker.probe_succeeded(probe.epoch()), Some(Transition::Closed));
    assert_eq!(breaker.gate().state(later), BreakerState::Closed);
    assert_eq!(breaker.counts(), Counts::default());
    assert_eq!(fail(&mut breaker, later), None);
}

#[test]
fn failed_probes_double_the_cooldown_up_to_eight_times_until_it_closes() {
    let (mut breaker, mut now) = breaker();
    let mut cooldown = open(&mut breaker, now);
    for seconds in [20, 40, 80, 80] {
        now += cooldown;
        let probe = breaker.gate().admit(now).unwrap();
        cooldown = seconds * SECOND;
        assert_eq!(breaker.probe_failed(probe.epoch(), now), Some(Transition::Opened(cooldown)));
        assert_eq!(breaker.gate().admit(now).unwrap_err(), cooldown);
    }
    now += cooldown;
    let probe = breaker.gate().admit(now).unwrap();
    assert_eq!(breaker.probe_succeeded(probe.epoch()), Some(Transition::Closed));
    assert_eq!(open(&mut breaker, now), 10 * SECOND);
}

#[test]
fn an_abandoned_probe_frees_its_slot() {
    let (mut breaker, now) = breaker();
    open(&mut breaker, now);
    let later = now + 10 * SECOND;
    let probe = breaker.gate().admit(later).unwrap();
    breaker.gate().abandoned(&probe);
    let next = breaker.gate().admit(later).unwrap();
    assert!(next.is_probe());
}

/// A slow request from before the breaker opened tells nothing about the provider that has recovered since.
#[test]
fn what_was_admitted_before_a_transition_no_longer_counts() {
    let (mut breaker, now) = breaker();
    let slow = breaker.gate().admit(now).unwrap();
    let queued = breaker.gate().failed(&breaker.gate().admit(now).unwrap()).unwrap();
    breaker.gate().succeeded();
    open(&mut breaker, now);
    assert_eq!(breaker.gate().failed(&slow), None);
    let probe = breaker.gate().admit(now + 10 * SECOND).unwrap();
    assert_eq!(breaker.probe_succeeded(slow.epoch()), None);
    assert_eq!(breaker.probe_succeeded(probe.epoch()), Some(Transition::Closed));
    assert_eq!(breaker.failed(Strike { consecutive: 99, ..queued }, now), None);
    assert_eq!(breaker.probe_failed(probe.epoch(), now), None);
    breaker.gate().abandoned(&probe);
    assert_eq!(breaker.gate().state(now), BreakerState::Closed);
}

#[test]
fn a_threshold_of_zero_switches_it_off() {
    let now = Instant::now();
    let mut breaker = Breaker::new(BreakerSettings { failure_threshold: 0, ..settings() }, now);
    for _ in 0..100 {
        assert_eq!(fail(&mut breaker, now), None);
    }
    assert_eq!(breaker.gate().state(now), BreakerState::Closed);
}

#[test]
fn a_cooldown_of_zero_still_lets_only_one_probe_try() {
    let now = Instant::now();
    let mut breaker = Breaker::new(BreakerSettings { cooldown_ms: 0, ..settings() }, now);
    open(&mut breaker, now);
    let later = now + SECOND;
    assert!(breaker.gate().admit(later).unwrap().is_probe());
    assert!(breaker.gate().admit(later).is_err());
}

/// E1: of many threads that ask at once when the cooldown is over, exactly one probes.
#[test]
fn e1_half_open_admits_exactly_one_probe() {
    const THREADS: usize = 8;
    let (mut breaker, mut now) = breaker();
    let mut cooldown = open(&mut breaker, now);
    for _ in 0..200 {
        now += cooldown;
        let barrier = Barrier::new(THREADS);
        let gate = breaker.gate();
        let probes: Vec<Admitted> = thread::scope(|scope| {
            let ask = || {
                barrier.wait();
                gate.admit(now).ok()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(probes.len(), 1);
        assert!(probes[0].is_probe());
        match breaker.probe_failed(probes[0].epoch(), now) {
            Some(Transition::Opened(next)) => cooldown = next,
            other => panic!("a failed probe gave {other:?}"),
        }
    }
}
