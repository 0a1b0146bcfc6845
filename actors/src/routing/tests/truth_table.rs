use std::time::Duration;

use gateway_wire::{ErrorBody, openai};

use super::*;
use crate::failure::ConnectCause;
use crate::failure::{Failure, FailureKind};

fn failure(kind: FailureKind) -> Failure {
    let error = ErrorBody { code: None, ..ErrorBody::new("api_error", "", "it failed") };
    Failure { kind, error, retry_after: None }
}

const KINDS: [FailureKind; 23] = [
    FailureKind::Status(400),
    FailureKind::Status(401),
    FailureKind::Status(404),
    FailureKind::Status(408),
    FailureKind::Status(429),
    FailureKind::Status(500),
    FailureKind::Status(503),
    FailureKind::Status(504),
    FailureKind::Status(446),
    FailureKind::Status(246),
    FailureKind::Connect(ConnectCause::Refused),
    FailureKind::ConnectTimeout,
    FailureKind::FirstByteTimeout,
    FailureKind::RequestTimeout,
    FailureKind::TotalTimeout,
    FailureKind::IdleTimeout,
    FailureKind::Broken,
    FailureKind::CircuitOpen,
    FailureKind::Saturated,
    FailureKind::NotReady,
    FailureKind::Denied,
    FailureKind::OverBudget,
    FailureKind::BudgetUnknown,
];

/// Failures of targets that were not asked at all.
const NEVER_SENT: [FailureKind; 5] = [
    FailureKind::CircuitOpen,
    FailureKind::Saturated,
    FailureKind::NotReady,
    FailureKind::OverBudget,
    FailureKind::BudgetUnknown,
];

/// What `on_errors` words mean, written out by hand.
fn word_matches(word: &str, kind: FailureKind) -> bool {
    let status = kind.status();
    match word {
        "*" => status != 246,
        "timeout" => status == 408 || status == 504,
        "rate_limit" | "429" => status == 429,
        "connection" => matches!(kind, FailureKind::Connect(_) | FailureKind::ConnectTimeout),
        "5xx" => (500..600).contains(&status),
        "246" => status == 246,
        _ => unreachable!("{word} is not in the table"),
    }
}

/// E2: every failure with every combination of retry codes, fallback codes and `on_errors` leads where the words say.
#[test]
fn e2_every_combination_leads_where_it_says() {
    let retries = [None, Some(vec![]), Some(vec![429]), Some(vec![503, 504, 502, 408]), Some(vec![446, 246])];
    let statuses = [None, Some(vec![]), Some(vec![429, 503]), Some(vec![446]), Some(vec![246])];
    let words: [Option<&[&str]>; 8] = [
        None,
        Some(&[]),
        Some(&["*"]),
        Some(&["timeout"]),
        Some(&["rate_limit", "connection"]),
        Some(&["5xx"]),
        Some(&["429"]),
        Some(&["246"]),
    ];
    let mut combinations = 0;
    for retry in &retries {
        for on_status in &statuses {
            for on_errors in &words {
                let mut first = json!({"provider": "a"});
                let mut strategy = json!({"mode": "fallback"});
                if let Some(codes) = retry {
                    first["retry"] = json!({"attempts": 1, "on_status_codes": codes, "exponential_backoff": false});
                }
                if let Some(codes) = on_status {
                    strategy["on_status_codes"] = json!(codes);
                }
                if let Some(words) = on_errors {
                    first["on_errors"] = json!(words);
                }
                let chain = chain(json!({"strategy": strategy, "targets": [first, {"provider": "b"}]}));
                for kind in KINDS {
                    let sent = !NEVER_SENT.contains(&kind);
                    let retried = sent && retry.as_ref().is_some_and(|codes| codes.contains(&kind.status()));
                    let leads_on = match (on_errors, on_status) {
                        _ if !sent => true,
                        (Some(words), _) => words.iter().any(|word| word_matches(word, kind)),
                        (None, Some(codes)) => codes.contains(&kind.status()),
                        (None, None) => kind.status() != 246,
                    };
                    let after = if leads_on { NextStep::Fallback { to: 1 } } else { NextStep::GiveUp };
                    let before = if retried { NextStep::Retry { after: Duration::from_secs(1) } } else { after };
                    let next = |done| chain.next_step(0, done, Duration::ZERO, &failure(kind), 0.5);
                    let case = format!("{kind:?} {retry:?} {on_status:?} {on_errors:?}");
                    assert_eq!((next(0), next(1)), (before, after), "{case}");
                    assert_eq!(chain.next_step(1, 0, Duration::ZERO, &failure(kind), 0.5), NextStep::GiveUp, "{case}");
                    combinations += 1;
                }
            }
        }
    }
    assert_eq!(combinations, 5 * 5 * 8 * KINDS.len());
}

/// retry-codes: what may pass is tried again where no codes are given, and nothing else.
#[test]
fn e2_what_may_pass_is_retried_by_default() {
    let chain = chain(json!({"provider": "a", "retry": {"attempts": 1, "base_delay_ms": 1}}));
    let retried = |kind| matches!(chain.next_step(0, 0, Duration::ZERO, &failure(kind), 0.5), NextStep::Retry { .. });
    for status in 400..600 {
        let passes = matches!(status, 408 | 409 | 429 | 500 | 502..=504 | 520..=524 | 529);
        assert_eq!(retried(FailureKind::Status(status)), passes, "{status}");
    }
    use FailureKind::{Broken, Connect, ConnectTimeout, FirstByteTimeout, IdleTimeout, RequestTimeout, TotalTimeout};
    for kind in [Broken, Connect(ConnectCause::Refused), ConnectTimeout, FirstByteTimeout, IdleTimeout] {
        assert!(retried(kind), "{kind:?}");
    }
    // The one is the limit that was asked for; the other would be billed each time.
    assert!(!retried(RequestTimeout) && !retried(TotalTimeout));
}

/// retry-hopeless: a quota that is used up is never tried again, and the vendor's word goes before the codes; the way to
/// the next target stays open.
#[test]
fn e2_the_vendors_word_goes_before_the_codes() {
    let with_codes = json!({"attempts": 1, "on_status_codes": [400, 429], "base_delay_ms": 1});
    let failure_of = |status: u16, should_retry: Option<bool>, body: Value| {
        let mut error = openai::error_body(status, body.to_string().as_bytes());
        if should_retry.is_some() {
            error.vendor_fields.get_or_insert_default().should_retry = should_retry;
        }
        Failure { kind: FailureKind::Status(status), error, retry_after: None }
    };
    let plain = || json!({"error": {"message": "slow down"}});
    let of = |field: &str, word: &str| json!({"error": {"message": "no", field: word}});
    let says = |message: &str| json!({"error": {"message": message}});
    for retry in [json!({"attempts": 1, "base_delay_ms": 1}), with_codes] {
        let chain = chain(json!({"strategy": "fallback", "targets": [
            {"provider": "a", "retry": retry}, {"provider": "b"}]}));
        let next = |failure: &Failure| chain.next_step(0, 0, Duration::ZERO, failure, 0.5);
        let is_retried = |failure: &Failure| matches!(next(failure), NextStep::Retry { .. });
        assert!(is_retried(&failure_of(429, None, plain())));
        assert!(is_retried(&failure_of(418, Some(true), plain())));
        for hopeless in [
            failure_of(429, Some(false), plain()),
            failure_of(503, Some(false), plain()),
            failure_of(429, None, of("code", "insufficient_quota")),
            failure_of(429, None, of("type", "insufficient_quota")),
            failure_of(429, Some(true), of("code", "billing_hard_limit_reached")),
            failure_of(400, None, says("Your credit balance is too low to access the Anthropic API.")),
            failure_of(429, None, says("Insufficient Balance")),
            failure_of(429, None, says("You exceeded your current quota, please check your plan and billing details.")),
        ] {
            assert_eq!(next(&hopeless), NextStep::Fallback { to: 1 }, "{hopeless:?}");
        }
        let passing =
            says("You exceeded your current quota, please check your plan and billing details. Please retry in 7.2s.");
        assert!(is_retried(&failure_of(429, None, passing)), "a limit by the minute");
    }
}

/// The literal meaning: a 429 of the second target does not reach the third.
#[test]
fn e2_on_errors_belong_to_their_own_target() {
    let chain = chain(json!({"strategy": "fallback", "targets": [
        {"provider": "openai", "on_errors": ["timeout", "rate_limit"]},
        {"provider": "anthropic", "on_errors": ["timeout"]},
        {"provider": "ollama", "on_errors": ["*"]}]}));
    let next = |at, kind| chain.next_step(at, 0, Duration::ZERO, &failure(kind), 0.5);
    assert_eq!(next(0, FailureKind::Status(429)), NextStep::Fallback { to: 1 });
    assert_eq!(next(0, FailureKind::Status(500)), NextStep::GiveUp);
    assert_eq!(next(1, FailureKind::Status(429)), NextStep::GiveUp);
    assert_eq!(next(1, FailureKind::FirstByteTimeout), NextStep::Fallback { to: 2 });
    assert_eq!(next(2, FailureKind::Status(500)), NextStep::GiveUp);
}

#[test]
fn nested_fallbacks_lead_from_the_inside_out() {
    let chain = chain(json!({"strategy": "fallback", "targets": [
        {"strategy": {"mode": "fallback", "on_status_codes": [429]}, "targets": [{"provider": "a"}, {"provider": "b"}]},
        {"strategy": "single", "targets": [{"provider": "c"}]}]}));
    assert_eq!(
        paths(&chain),
        ["config.targets[0].targets[0]", "config.targets[0].targets[1]", "config.targets[1].targets[0]"]
    );
    let next = |at, kind| chain.next_step(at, 0, Duration::ZERO, &failure(kind), 0.5);
    assert_eq!(next(0, FailureKind::Status(429)), NextStep::Fallback { to: 1 });
    assert_eq!(next(0, FailureKind::Status(500)), NextStep::Fallback { to: 2 });
    assert_eq!(next(1, FailureKind::Status(429)), NextStep::Fallback { to: 2 });
}

/// E4: the provider's wait is heeded up to a minute; without one, waits double and are spread.
#[test]
fn e4_waits_follow_the_provider_or_double() {
    let policy = |more: Value| {
        let mut retry = json!({"attempts": 5, "on_status_codes": [408, 429, 500, 503]});
        retry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chain(json!({"provider": "a", "retry": retry})).steps[0].target.retry.clone()
    };
    let asked = |status: u16, seconds: u64| Failure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure(FailureKind::Status(status))
    };
    let plain = failure(FailureKind::Status(500));
    let (seconds, zero) = (Duration::from_secs, Duration::ZERO);
    let doubling = policy(json!({}));
    let waits: Vec<_> = (0..5).map(|n| doubling.wait(n, zero, &plain, 1.0).unwrap()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16].map(seconds));
    assert_eq!(doubling.wait(1, zero, &plain, 0.25), Some(Duration::from_millis(500)), "the whole wait is random");
    assert_eq!(doubling.wait(5, zero, &plain, 0.25), None, "five are the most");
    for status in [429, 503] {
        assert_eq!(doubling.wait(0, zero, &asked(status, 7), 0.5), Some(seconds(7)));
        assert_eq!(doubling.wait(0, zero, &asked(status, 60), 0.5), None);
        assert_eq!(doubling.wait(2, seconds(30), &asked(status, 30), 0.5), Some(seconds(30)));
        assert_eq!(doubling.wait(2, seconds(30), &asked(status, 31), 0.5), None);
    }
    assert_eq!(doubling.wait(0, zero, &asked(500, 7), 1.0), Some(seconds(1)), "it means nothing there");
    let constant = policy(json!({"exponential_backoff": false, "use_retry_after_header": false}));
    assert_eq!(constant.wait(3, zero, &asked(429, 7), 0.5), Some(seconds(1)));
    let quick = policy(json!({"exponential_backoff": false, "base_delay_ms": 1}));
    assert_eq!(quick.wait(0, zero, &plain, 0.5), Some(Duration::from_millis(1)));
}

/// A failure that is not tried again for its wait still falls back.
#[test]
fn a_wait_that_is_too_long_leads_on() {
    let chain = chain(json!({"strategy": "fallback", "targets": [
        {"provider": "a", "retry": {"attempts": 2}}, {"provider": "b"}]}));
    let long = Failure { retry_after: Some(Duration::from_secs(90)), ..failure(FailureKind::Status(429)) };
    assert_eq!(chain.next_step(0, 0, Duration::ZERO, &long, 0.5), NextStep::Fallback { to: 1 });
}

#[test]
fn words_are_read_in_every_spelling() {
    let parse = |item: Value| ErrorWord::from_value(&item);
    assert_eq!(parse(json!("429")), Some(ErrorWord::Status(429)));
    assert_eq!(parse(json!(529)), Some(ErrorWord::Status(529)));
    assert_eq!(parse(json!("4XX")), Some(ErrorWord::Class(4)));
    for wrong in [json!("9xx"), json!("xx"), json!(""), json!(99), json!(600), json!(true), json!("tiemout")] {
        assert_eq!(parse(wrong.clone()), None, "{wrong}");
    }
}
