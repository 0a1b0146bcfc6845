use std::thread;

use actix_rt::Arbiter;

use super::*;
use crate::settings::{BreakerSettings, Dialect, Timeouts};
use crate::upstream::ConnectCause;

const SECOND: Duration = Duration::from_secs(1);

/// Opens at 2 consecutive failures for 60 seconds; 4 attempts at once.
fn settings() -> ProviderSettings {
    let breaker = BreakerSettings {
        failure_threshold: 2,
        failure_threshold_percentage: 0,
        minimum_requests: 0,
        window_ms: 600_000,
        cooldown_ms: 60_000,
    };
    ProviderSettings {
        dialect: Dialect::Simulator,
        base_url: String::new(),
        base_url_env: None,
        api_key_env: None,
        auth_header: String::new(),
        auth_prefix: String::new(),
        headers: std::collections::BTreeMap::new(),
        models: Vec::new(),
        output_limit_field: crate::settings::OutputLimitField::default(),
        timeouts: Timeouts::default(),
        max_in_flight: 4,
        breaker,
        retry_budget_percent: 20,
    }
}

fn provider(settings: ProviderSettings) -> ProviderHandle {
    ProviderActor::start("acme", settings, 64, 60 * SECOND, &Arbiter::current())
}

/// What the actor knows once it has handled everything that it was told before.
async fn state(provider: &ProviderHandle) -> ProviderState {
    provider.mailbox().ask(ReportProvider).await.unwrap()
}

/// Opens the circuit; the instant at which its cooldown is surely over.
async fn open(provider: &ProviderHandle) -> Instant {
    for _ in 0..2 {
        provider.admit(Instant::now()).unwrap().failed(FailureKind::Status(503));
    }
    assert_eq!(state(provider).await.breaker, BreakerState::Open);
    Instant::now() + 60 * SECOND
}

#[actix_rt::test]
async fn failures_open_the_circuit_and_a_good_probe_closes_it() {
    let provider = provider(settings());
    let later = open(&provider).await;
    let Err(Refused::CircuitOpen { retry_after }) = provider.admit(Instant::now()) else { panic!("admitted") };
    assert!(retry_after > 59 * SECOND && retry_after <= 60 * SECOND);
    assert!(provider.is_open(Instant::now()) && !provider.is_open(later));

    let probe = provider.admit(later).unwrap();
    assert!(provider.is_open(later));
    assert!(matches!(provider.admit(later), Err(Refused::CircuitOpen { .. })));
    probe.succeeded();
    let state = state(&provider).await;
    assert_eq!(
        (state.breaker, state.times_opened, state.last_failure),
        (BreakerState::Closed, 1, Some("server_error"))
    );
    assert!(provider.admit(Instant::now()).is_ok());
}

#[actix_rt::test]
async fn a_failed_probe_opens_the_circuit_for_twice_as_long() {
    let provider = provider(settings());
    let later = open(&provider).await;
    provider.admit(later).unwrap().failed(FailureKind::FirstByteTimeout);
    assert_eq!(state(&provider).await.times_opened, 2);
    let Err(Refused::CircuitOpen { retry_after }) = provider.admit(Instant::now()) else { panic!("admitted") };
    assert!(retry_after > 119 * SECOND && retry_after <= 120 * SECOND);
}

/// E1: a user's errors take nothing down, and do not hide the provider's failures either.
#[actix_rt::test]
async fn e1_client_errors_never_count() {
    let provider = provider(settings());
    for status in [400, 401, 403, 404, 422, 429].into_iter().cycle().take(100) {
        provider.admit(Instant::now()).unwrap().failed(FailureKind::Status(status));
    }
    let state = state(&provider).await;
    assert_eq!((state.breaker, state.window, state.last_failure), (BreakerState::Closed, Counts::default(), None));
}

/// E1: a provider that answers 400 to the probe is there again.
#[actix_rt::test]
async fn e1_a_probe_that_gets_a_client_error_closes_the_circuit() {
    let provider = provider(settings());
    let later = open(&provider).await;
    provider.admit(later).unwrap().failed(FailureKind::Status(400));
    assert_eq!(state(&provider).await.breaker, BreakerState::Closed);
}

/// E1: an answer that has begun closes the circuit and keeps its slot; a break after that is an ordinary failure.
#[actix_rt::test]
async fn e1_a_probe_that_has_begun_closes_the_circuit() {
    let provider = provider(settings());
    let later = open(&provider).await;
    let mut probe = provider.admit(later).unwrap();
    probe.begun();
    assert_eq!(state(&provider).await.breaker, BreakerState::Closed);
    assert_eq!(provider.in_flight(), 1);
    provider.admit(Instant::now()).unwrap().succeeded();
    probe.failed(FailureKind::Broken);
    let closed = state(&provider).await;
    assert_eq!((closed.breaker, closed.window), (BreakerState::Closed, Counts { successes: 1, failures: 1 }));
    provider.admit(Instant::now()).unwrap().failed(FailureKind::Broken);
    assert_eq!(state(&provider).await.breaker, BreakerState::Open, "it was one of the two that open it");
}

/// E1: of an ordinary stream only the end counts, so that breaks in a row still open the circuit.
#[actix_rt::test]
async fn e1_streams_that_always_break_open_the_circuit() {
    let provider = provider(settings());
    for _ in 0..2 {
        let mut permit = provider.admit(Instant::now()).unwrap();
        permit.begun();
        permit.failed(FailureKind::Broken);
    }
    assert_eq!(state(&provider).await.breaker, BreakerState::Open);
}

/// E1: half-open never gets stuck on a probe whose client left or whose deadline passed.
#[actix_rt::test]
async fn e1_a_probe_without_a_verdict_leaves_its_slot_to_the_next() {
    let provider = provider(settings());
    let later = open(&provider).await;
    drop(provider.admit(later).unwrap());
    provider.admit(later).unwrap().failed(FailureKind::RequestTimeout);
    provider.admit(later).unwrap().succeeded();
    assert_eq!(state(&provider).await.breaker, BreakerState::Closed);
}

#[actix_rt::test]
async fn successes_cost_no_message_and_reset_the_consecutive_failures() {
    let provider = provider(settings());
    for _ in 0..3 {
        provider.admit(Instant::now()).unwrap().failed(FailureKind::Connect(ConnectCause::Refused));
        provider.admit(Instant::now()).unwrap().succeeded();
    }
    let state = state(&provider).await;
    assert_eq!((state.breaker, state.window), (BreakerState::Closed, Counts { successes: 3, failures: 3 }));
    let handled = provider.mailbox().report().handled;
    assert_eq!(handled, 4, "three failures and one question");
}

/// D7: slots come back on every ending, and a refusal takes none.
#[actix_rt::test]
async fn d7_slots_come_back_on_every_ending() {
    let provider = provider(settings());
    let now = Instant::now();
    for round in 0..1_000 {
        let permits: Vec<_> = (0..4).map(|_| provider.admit(now).unwrap()).collect();
        assert_eq!(provider.admit(now).unwrap_err(), Refused::Saturated);
        assert_eq!(provider.in_flight(), 4);
        for (index, permit) in permits.into_iter().enumerate() {
            match (round + index) % 3 {
                0 => permit.succeeded(),
                1 => permit.failed(FailureKind::Status(404)),
                _ => drop(permit),
            }
        }
        assert_eq!(provider.in_flight(), 0);
    }
}

#[actix_rt::test]
async fn a_saturated_provider_does_not_lose_its_probe() {
    let provider = provider(ProviderSettings { max_in_flight: 1, ..settings() });
    for _ in 0..2 {
        provider.admit(Instant::now()).unwrap().failed(FailureKind::Broken);
    }
    // The actor has not run yet, so this one still gets in before the circuit opens.
    let slow = provider.admit(Instant::now()).unwrap();
    assert_eq!(state(&provider).await.breaker, BreakerState::Open);
    let later = Instant::now() + 60 * SECOND;
    assert_eq!(provider.admit(later).unwrap_err(), Refused::Saturated);
    drop(slow);
    provider.admit(later).unwrap().succeeded();
    assert_eq!(state(&provider).await.breaker, BreakerState::Closed);
}

/// E1: a breaker whose owner misses a verdict lets the next request probe.
#[actix_rt::test]
async fn e1_a_verdict_that_the_actor_did_not_take_frees_the_probe() {
    let provider = ProviderActor::start("acme", settings(), 3, 60 * SECOND, &Arbiter::current());
    let later = open(&provider).await;
    let probe = provider.admit(later).unwrap();
    for _ in 0..3 {
        provider.mailbox().tell(ReportProvider).unwrap();
    }
    probe.succeeded();
    assert_eq!(provider.mailbox().report().failed, 1);
    while provider.mailbox().stats().mailbox_depth() > 0 {
        tokio::task::yield_now().await;
    }
    provider.admit(later).unwrap().succeeded();
    assert_eq!(state(&provider).await.breaker, BreakerState::Closed);
}

#[actix_rt::test]
async fn zero_means_no_limit_of_attempts() {
    let provider = provider(ProviderSettings { max_in_flight: 0, ..settings() });
    let permits: Vec<_> = (0..5_000).map(|_| provider.admit(Instant::now()).unwrap()).collect();
    assert_eq!(provider.in_flight(), permits.len());
}

#[actix_rt::test]
async fn the_report_shows_breaker_and_load() {
    let provider = provider(settings());
    let _permit = provider.admit(Instant::now()).unwrap();
    let report = provider.report().await;
    assert_eq!((report.name.as_str(), report.alive), ("provider:acme", true));
    assert_eq!(report.state["breaker"], "closed");
    assert_eq!(report.state["in_flight"], 1);
}

/// Handles and permits go to any thread, and failures told from there arrive.
#[actix_rt::test]
async fn worker_threads_share_one_breaker() {
    let provider = provider(settings());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| provider.admit(Instant::now()).unwrap().failed(FailureKind::Status(503)));
        }
    });
    let state = state(&provider).await;
    assert_eq!((state.breaker, state.last_failure), (BreakerState::Open, Some("server_error")));
}
