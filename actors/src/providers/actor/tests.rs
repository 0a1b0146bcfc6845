use std::sync::mpsc;
use std::thread;

use actix_rt::Arbiter;
use gateway_wire::Dialect;
use gateway_wire::vendors::Quirks;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::failure::ConnectCause;
use crate::failure::FailureKind;
use crate::providers::breaker::{BreakerState, Counts};
use crate::providers::breakers::MAX_MODELS;
use crate::providers::handle::{AttemptPermit, ProviderRejection};
use crate::providers::settings::{BreakerSettings, Timeouts};

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
        pass_through: Vec::new(),
        stream_options: true,
        dialect: Dialect::Simulator,
        serves_responses: None,
        responses_models: Vec::new(),
        responses_models_with_tools: Vec::new(),
        quirks: Quirks::default(),
        base_url: String::new(),
        base_url_env: None,
        api_key_env: None,
        auth_header: String::new(),
        auth_prefix: String::new(),
        headers: std::collections::BTreeMap::new(),
        models: Vec::new(),
        output_limit_field: crate::providers::settings::OutputLimitField::default(),
        proxy: None,
        ca: None,
        keep_alive_ms: 50_000,
        timeouts: Timeouts::default(),
        max_in_flight: 4,
        breaker,
        retry_budget_percent: 20,
    }
}

const MODEL: &str = "small";

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn admit(provider: &ProviderHandle, now: Instant) -> Result<AttemptPermit, ProviderRejection> {
    provider.admit(MODEL, key(1), now)
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
    for number in [1, 2] {
        provider.admit(MODEL, key(number), Instant::now()).unwrap().failed(FailureKind::Status(503));
    }
    assert_eq!(state(provider).await.whole.breaker, BreakerState::Open);
    Instant::now() + 60 * SECOND
}

#[actix_rt::test]
async fn failures_open_the_circuit_and_a_good_probe_closes_it() {
    let provider = provider(settings());
    let later = open(&provider).await;
    let Err(ProviderRejection::CircuitOpen { retry_after }) = admit(&provider, Instant::now()) else {
        panic!("admitted")
    };
    assert!(retry_after > 59 * SECOND && retry_after <= 60 * SECOND);
    assert!(provider.is_open(MODEL, Instant::now()) && !provider.is_open(MODEL, later));

    let probe = admit(&provider, later).unwrap();
    assert!(provider.is_open(MODEL, later));
    assert!(matches!(admit(&provider, later), Err(ProviderRejection::CircuitOpen { .. })));
    probe.succeeded();
    let state = state(&provider).await;
    assert_eq!(
        (state.whole.breaker, state.whole.times_opened, state.last_failure),
        (BreakerState::Closed, 1, Some("server_error"))
    );
    assert!(admit(&provider, Instant::now()).is_ok());
}

#[actix_rt::test]
async fn a_failed_probe_opens_the_circuit_for_twice_as_long() {
    let provider = provider(settings());
    let later = open(&provider).await;
    admit(&provider, later).unwrap().failed(FailureKind::FirstByteTimeout);
    assert_eq!(state(&provider).await.whole.times_opened, 2);
    let Err(ProviderRejection::CircuitOpen { retry_after }) = admit(&provider, Instant::now()) else {
        panic!("admitted")
    };
    assert!(retry_after > 119 * SECOND && retry_after <= 120 * SECOND);
}

/// E1: a user's errors take nothing down, and do not hide the provider's failures either.
#[actix_rt::test]
async fn e1_client_errors_never_count() {
    let provider = provider(settings());
    for status in [400, 401, 403, 404, 422, 429].into_iter().cycle().take(100) {
        admit(&provider, Instant::now()).unwrap().failed(FailureKind::Status(status));
    }
    let state = state(&provider).await;
    assert_eq!(
        (state.whole.breaker, state.whole.window, state.last_failure),
        (BreakerState::Closed, Counts::default(), None)
    );
}

/// E1: a provider that answers 400 to the probe is there again.
#[actix_rt::test]
async fn e1_a_probe_that_gets_a_client_error_closes_the_circuit() {
    let provider = provider(settings());
    let later = open(&provider).await;
    admit(&provider, later).unwrap().failed(FailureKind::Status(400));
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Closed);
}

/// E1: an answer that has begun closes the circuit and keeps its slot; a break after that is an ordinary failure.
#[actix_rt::test]
async fn e1_a_probe_that_has_begun_closes_the_circuit() {
    let provider = provider(settings());
    let later = open(&provider).await;
    let mut probe = admit(&provider, later).unwrap();
    probe.begun();
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Closed);
    assert_eq!(provider.in_flight(), 1);
    admit(&provider, Instant::now()).unwrap().succeeded();
    probe.failed(FailureKind::Broken);
    let closed = state(&provider).await;
    assert_eq!(
        (closed.whole.breaker, closed.whole.window),
        (BreakerState::Closed, Counts { successes: 1, failures: 1 })
    );
    provider.admit(MODEL, key(2), Instant::now()).unwrap().failed(FailureKind::Broken);
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Open, "it was one of the two that open it");
}

/// E1: of an ordinary stream only the end counts, so that breaks in a row still open the circuit.
#[actix_rt::test]
async fn e1_streams_that_always_break_open_the_circuit() {
    let provider = provider(settings());
    for number in [1, 2] {
        let mut permit = provider.admit(MODEL, key(number), Instant::now()).unwrap();
        permit.begun();
        permit.failed(FailureKind::Broken);
    }
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Open);
}

/// E1: half-open never gets stuck on a probe whose client left or whose deadline passed.
#[actix_rt::test]
async fn e1_a_probe_without_a_verdict_leaves_its_slot_to_the_next() {
    let provider = provider(settings());
    let later = open(&provider).await;
    drop(admit(&provider, later).unwrap());
    admit(&provider, later).unwrap().failed(FailureKind::RequestTimeout);
    admit(&provider, later).unwrap().succeeded();
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Closed);
}

#[actix_rt::test]
async fn requests_cost_no_message_and_successes_reset_the_failures_in_a_row() {
    let provider = provider(settings());
    for _ in 0..3 {
        admit(&provider, Instant::now()).unwrap().failed(FailureKind::Connect(ConnectCause::Refused));
        admit(&provider, Instant::now()).unwrap().succeeded();
    }
    let state = state(&provider).await;
    assert_eq!((state.whole.breaker, state.whole.window), (BreakerState::Closed, Counts { successes: 3, failures: 3 }));
    let handled = provider.mailbox().report().handled;
    assert_eq!(handled, 1, "the question");
}

/// D7: slots come back on every ending, and a refusal takes none.
#[actix_rt::test]
async fn d7_slots_come_back_on_every_ending() {
    let provider = provider(settings());
    let now = Instant::now();
    for round in 0..1_000 {
        let permits: Vec<_> = (0..4).map(|_| admit(&provider, now).unwrap()).collect();
        assert_eq!(admit(&provider, now).unwrap_err(), ProviderRejection::Saturated);
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
    let later = open(&provider).await;
    let slow = provider.admit("other", key(1), later).unwrap();
    assert_eq!(admit(&provider, later).unwrap_err(), ProviderRejection::Saturated);
    drop(slow);
    admit(&provider, later).unwrap().succeeded();
    assert_eq!(state(&provider).await.whole.breaker, BreakerState::Closed);
}

/// H-5: the circuit opens, probes and closes while its actor's thread stands still.
#[actix_rt::test]
async fn h5_a_blocked_actor_keeps_no_circuit_from_opening() {
    let control = Arbiter::new();
    let provider = ProviderActor::start("acme", settings(), 3, SECOND / 20, &control.handle());
    let (release, blocked) = mpsc::channel::<()>();
    let wait = move || assert!(blocked.recv().is_err());
    assert!(control.spawn_fn(wait));
    for number in 1..=20 {
        if let Ok(permit) = provider.admit(MODEL, key(number), Instant::now()) {
            permit.failed(FailureKind::Status(500));
        }
    }
    let now = Instant::now();
    assert_eq!(provider.breaker_state(now), BreakerState::Open);
    assert!(provider.is_open(MODEL, now));
    // The report shows who did not answer, and what is so all the same.
    let report = provider.report().await.state;
    assert_eq!((&report["breaker"], &report["window"]["failures"]), (&json!("open"), &json!(0)), "{report}");
    assert_eq!(report["error"], "the actor provider:acme did not answer in time");
    let later = now + 61 * SECOND;
    admit(&provider, later).unwrap().succeeded();
    assert_eq!(provider.breaker_state(later), BreakerState::Closed);
    drop(release);
    while provider.mailbox().report().handled < 2 {
        tokio::time::sleep(SECOND / 100).await;
    }
}

/// A model that fails takes no other away.
#[actix_rt::test]
async fn each_model_has_a_circuit_of_its_own() {
    let provider = provider(settings());
    let later = open(&provider).await;
    let now = Instant::now();
    assert!(provider.is_open(MODEL, now) && !provider.is_open("large", now));
    provider.admit("large", key(1), now).unwrap().succeeded();
    let state = state(&provider).await;
    assert_eq!((state.whole.breaker, state.whole.window), (BreakerState::Open, Counts { successes: 1, failures: 0 }));
    let of = |model: &str| state.models.get(model).map(|report| (report.breaker, report.times_opened));
    assert_eq!(
        (of(MODEL), of("large"), state.models.len()),
        (Some((BreakerState::Open, 1)), Some((BreakerState::Closed, 0)), 2)
    );
    admit(&provider, later).unwrap().succeeded();
    assert_eq!(provider.breaker_state(later), BreakerState::Closed);
}

/// G8: invented names take no circuit, and the others are bounded: what is beyond shares one, until there is room.
#[actix_rt::test]
async fn g8_the_circuits_of_models_are_bounded() {
    let provider = provider(ProviderSettings { max_in_flight: 0, ..settings() });
    let now = Instant::now();
    for number in 0..10_000 {
        provider.admit(&format!("invented-{number}"), key(1), now).unwrap().failed(FailureKind::Status(404));
    }
    assert!(provider.breakers_of_models(now).is_empty());
    for number in 0..10 * MAX_MODELS {
        provider.admit(&format!("real-{number}"), key(1), now).unwrap().succeeded();
    }
    assert_eq!(provider.breakers_of_models(now).len(), MAX_MODELS);
    // The first ones keep theirs; the last ones share.
    for number in [1, 2] {
        provider.admit("real-600", key(number), now).unwrap().failed(FailureKind::Status(500));
    }
    assert!(provider.is_open("real-600", now) && provider.is_open("real-601", now) && !provider.is_open("real-1", now));
    let later = now + 3_600 * SECOND;
    provider.admit("real-602", key(1), later).unwrap().succeeded();
    assert!(provider.breakers_of_models(later).len() <= 1, "what nobody asks for makes room");
}

#[actix_rt::test]
async fn zero_means_no_limit_of_attempts() {
    let provider = provider(ProviderSettings { max_in_flight: 0, ..settings() });
    let permits: Vec<_> = (0..5_000).map(|_| admit(&provider, Instant::now()).unwrap()).collect();
    assert_eq!(provider.in_flight(), permits.len());
}

#[actix_rt::test]
async fn the_report_shows_breaker_and_load() {
    let provider = provider(settings());
    let _permit = admit(&provider, Instant::now()).unwrap();
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
        for number in [1, 2] {
            let provider = &provider;
            let fail = move || {
                provider.admit(MODEL, key(number), Instant::now()).unwrap().failed(FailureKind::Status(503));
            };
            scope.spawn(fail);
        }
    });
    let state = state(&provider).await;
    assert_eq!((state.whole.breaker, state.last_failure), (BreakerState::Open, Some("server_error")));
}
