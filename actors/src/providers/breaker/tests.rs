use std::sync::Barrier;
use std::thread;

use uuid::Uuid;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Opens at 50 % of at least 10 requests, or with fewer at 3 failures in a row, for 10 seconds.
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

fn of_key(key: u128) -> Fault {
    Fault { key: Uuid::from_u128(key), is_outage: false }
}

fn outage() -> Fault {
    Fault { is_outage: true, ..of_key(1) }
}

/// One request that is admitted and fails.
fn fail(breaker: &Breaker, fault: Fault, now: Instant) -> Option<Transition> {
    let admitted = breaker.admit(now).unwrap();
    breaker.failed(&admitted, fault, now)
}

fn succeed(breaker: &Breaker, now: Instant) {
    let admitted = breaker.admit(now).unwrap();
    assert!(!admitted.is_probe());
    assert_eq!(breaker.succeeded(&admitted, now), None);
}

/// The cooldown that the breaker opened for, after failures of the keys 1, 2 and 3.
fn open(breaker: &Breaker, now: Instant) -> Duration {
    match (1..=3).filter_map(|key| fail(breaker, of_key(key), now)).collect::<Vec<_>>()[..] {
        [Transition::Opened(cooldown)] => cooldown,
        ref other => panic!("three failures gave {other:?}"),
    }
}

fn probe(breaker: &Breaker, now: Instant) -> GateTicket {
    let probe = breaker.admit(now).unwrap();
    assert!(probe.is_probe());
    probe
}

#[test]
fn failures_of_several_keys_in_a_row_open_it_and_it_says_how_long_to_wait() {
    let (breaker, now) = breaker();
    assert_eq!(fail(&breaker, of_key(1), now), None);
    assert_eq!(fail(&breaker, of_key(1), now), None);
    assert_eq!(breaker.state(now), BreakerState::Closed);
    assert_eq!(fail(&breaker, of_key(2), now), Some(Transition::Opened(10 * SECOND)));
    assert_eq!(breaker.state(now), BreakerState::Open);
    assert!(breaker.refuses(now));
    assert_eq!(breaker.admit(now + 4 * SECOND).unwrap_err(), 6 * SECOND);
    assert_eq!(breaker.times_opened(), 1);
}

/// J 3: what one key alone sees, below the requests that the share needs, closes the provider for nobody.
#[test]
fn j3_failures_of_one_key_do_not_open_it() {
    let (breaker, mut now) = breaker();
    for _ in 0..20 {
        for _ in 0..5 {
            assert_eq!(fail(&breaker, of_key(1), now), None);
        }
        now += 40 * SECOND;
    }
    // Failures that any key would have seen do.
    assert_eq!(fail(&breaker, outage(), now), None);
    assert_eq!(fail(&breaker, outage(), now), None);
    assert_eq!(fail(&breaker, outage(), now), Some(Transition::Opened(10 * SECOND)));
}

/// J 3: with traffic the share decides, however many failures come in a row and from whom.
#[test]
fn j3_with_traffic_the_share_of_failures_alone_decides() {
    let (breaker, now) = breaker();
    (0..100).for_each(|_| succeed(&breaker, now));
    for key in 0..99 {
        assert_eq!(fail(&breaker, Fault { is_outage: true, ..of_key(key) }, now), None);
    }
    assert_eq!(fail(&breaker, of_key(1), now), Some(Transition::Opened(10 * SECOND)));
}

#[test]
fn a_success_starts_the_count_of_failures_in_a_row_again() {
    let (breaker, now) = breaker();
    for _ in 0..2 {
        assert_eq!(fail(&breaker, of_key(1), now), None);
        assert_eq!(fail(&breaker, of_key(2), now), None);
        succeed(&breaker, now);
    }
    assert_eq!(fail(&breaker, of_key(1), now), None);
    assert_eq!(fail(&breaker, of_key(2), now), None);
}

#[test]
fn the_percentage_counts_once_the_window_has_enough_requests() {
    let (breaker, now) = breaker();
    for _ in 0..4 {
        assert_eq!(fail(&breaker, of_key(1), now), None);
        succeed(&breaker, now);
    }
    succeed(&breaker, now);
    assert_eq!(breaker.counts(now), Counts { successes: 5, failures: 4 });
    assert_eq!(fail(&breaker, of_key(1), now), Some(Transition::Opened(10 * SECOND)));
}

/// H-5: the window moves with the clock, and needs nobody who moves it.
#[test]
fn h5_failures_leave_the_window_by_themselves() {
    let (breaker, now) = breaker();
    for _ in 0..4 {
        assert_eq!(fail(&breaker, of_key(1), now), None);
        succeed(&breaker, now);
    }
    assert_eq!(breaker.counts(now + 15 * SECOND), Counts { successes: 4, failures: 4 });
    let later = now + 30 * SECOND;
    assert_eq!(breaker.counts(later), Counts::default());
    (0..8).for_each(|_| succeed(&breaker, later));
    assert_eq!(fail(&breaker, of_key(1), later), None);
    assert_eq!(fail(&breaker, of_key(1), later), None);
}

#[test]
fn a_good_probe_closes_it_with_clean_counts() {
    let (breaker, now) = breaker();
    open(&breaker, now);
    let later = now + 10 * SECOND;
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    assert!(!breaker.refuses(later));
    let probe = probe(&breaker, later);
    assert!(breaker.refuses(later));
    assert_eq!(breaker.admit(later).unwrap_err(), SECOND);
    assert_eq!(breaker.succeeded(&probe, later), Some(Transition::Closed));
    assert_eq!(breaker.state(later), BreakerState::Closed);
    assert_eq!(breaker.counts(later), Counts::default());
    assert_eq!(fail(&breaker, of_key(4), later), None);
}

#[test]
fn failed_probes_double_the_cooldown_up_to_eight_times_until_it_closes() {
    let (breaker, mut now) = breaker();
    let mut cooldown = open(&breaker, now);
    for (key, seconds) in [(11, 20), (12, 40), (13, 80), (14, 80)] {
        now += cooldown;
        let probe = probe(&breaker, now);
        cooldown = seconds * SECOND;
        assert_eq!(breaker.failed(&probe, of_key(key), now), Some(Transition::Opened(cooldown)));
        assert_eq!(breaker.admit(now).unwrap_err(), cooldown);
    }
    now += cooldown;
    let probe = probe(&breaker, now);
    assert_eq!(breaker.succeeded(&probe, now), Some(Transition::Closed));
    assert_eq!(open(&breaker, now), 10 * SECOND);
}

/// J 3: a key that fails anyway does not keep the others out for longer by probing; a lost connection does.
#[test]
fn j3_a_probe_of_a_key_that_failed_before_does_not_double_the_cooldown() {
    let (breaker, mut now) = breaker();
    open(&breaker, now);
    for fault in [of_key(1), of_key(3), of_key(1)] {
        now += 10 * SECOND;
        let probe = probe(&breaker, now);
        assert_eq!(breaker.failed(&probe, fault, now), Some(Transition::Opened(10 * SECOND)));
    }
    now += 10 * SECOND;
    let failed = probe(&breaker, now);
    assert_eq!(breaker.failed(&failed, of_key(9), now), Some(Transition::Opened(20 * SECOND)));
    now += 20 * SECOND;
    let failed = probe(&breaker, now);
    assert_eq!(breaker.failed(&failed, of_key(9), now), Some(Transition::Opened(20 * SECOND)), "it is known by now");
    now += 20 * SECOND;
    let failed = probe(&breaker, now);
    assert_eq!(breaker.failed(&failed, outage(), now), Some(Transition::Opened(40 * SECOND)));
}

#[test]
fn an_abandoned_probe_frees_its_slot() {
    let (breaker, now) = breaker();
    open(&breaker, now);
    let later = now + 10 * SECOND;
    breaker.abandoned(&probe(&breaker, later));
    let _second = probe(&breaker, later);
}

/// A slow request from before the breaker opened tells nothing about the provider that has recovered since.
#[test]
fn what_was_admitted_before_a_transition_no_longer_counts() {
    let (breaker, now) = breaker();
    let slow = breaker.admit(now).unwrap();
    open(&breaker, now);
    assert_eq!(breaker.failed(&slow, of_key(7), now), None);
    assert_eq!(breaker.succeeded(&slow, now), None);
    let probe = probe(&breaker, now + 10 * SECOND);
    assert_eq!(breaker.succeeded(&probe, now), Some(Transition::Closed));
    assert_eq!(breaker.failed(&slow, of_key(7), now), None);
    assert_eq!(breaker.failed(&probe, of_key(7), now), None);
    breaker.abandoned(&probe);
    assert_eq!(breaker.state(now), BreakerState::Closed);
    assert_eq!(breaker.counts(now), Counts::default());
}

#[test]
fn a_threshold_of_zero_switches_it_off() {
    let now = Instant::now();
    let breaker = Breaker::new(BreakerSettings { failure_threshold: 0, ..settings() }, now);
    for key in 0..100 {
        assert_eq!(fail(&breaker, of_key(key), now), None);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn a_cooldown_of_zero_still_lets_only_one_probe_try() {
    let now = Instant::now();
    let breaker = Breaker::new(BreakerSettings { cooldown_ms: 0, ..settings() }, now);
    open(&breaker, now);
    let later = now + SECOND;
    let _first = probe(&breaker, later);
    assert!(breaker.admit(later).is_err());
}

/// E1: of many threads that ask at once when the cooldown is over, exactly one probes.
#[test]
fn e1_half_open_admits_exactly_one_probe() {
    const THREADS: usize = 8;
    let (breaker, mut now) = breaker();
    let mut cooldown = open(&breaker, now);
    for round in 0..200 {
        now += cooldown;
        let barrier = Barrier::new(THREADS);
        let probes: Vec<GateTicket> = thread::scope(|scope| {
            let ask = || {
                barrier.wait();
                breaker.admit(now).ok()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(probes.len(), 1);
        assert!(probes[0].is_probe());
        match breaker.failed(&probes[0], of_key(round), now) {
            Some(Transition::Opened(next)) => cooldown = next,
            other => panic!("a failed probe gave {other:?}"),
        }
    }
}

/// H-5: many threads that fail at once open it once, without anybody else's help.
#[test]
fn h5_failures_on_many_threads_open_it_once() {
    const THREADS: u128 = 8;
    for _ in 0..100 {
        let (breaker, now) = breaker();
        let admitted: Vec<_> = (0..THREADS).map(|key| (key, breaker.admit(now).unwrap())).collect();
        let barrier = Barrier::new(admitted.len());
        let opened: Vec<Transition> = thread::scope(|scope| {
            let end = |(key, admitted): &(u128, GateTicket)| {
                barrier.wait();
                breaker.failed(admitted, of_key(*key), now)
            };
            let threads: Vec<_> = admitted.iter().map(|one| scope.spawn(move || end(one))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(opened, [Transition::Opened(10 * SECOND)]);
        assert_eq!(breaker.times_opened(), 1);
    }
}
