use std::time::Duration;

use super::*;
use crate::attempt::explain;
use crate::failure::{Failure, FailureKind};

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, error: explain(kind, "p", None), retry_after: None }
}

const KINDS: [FailureKind; 16] = [
    FailureKind::Status(400),
    FailureKind::Status(401),
    FailureKind::Status(404),
    FailureKind::Status(408),
    FailureKind::Status(429),
    FailureKind::Status(500),
    FailureKind::Status(503),
    FailureKind::Status(446),
    FailureKind::Status(246),
    FailureKind::Connect,
    FailureKind::ConnectTimeout,
    FailureKind::FirstByteTimeout,
    FailureKind::RequestTimeout,
    FailureKind::Broken,
    FailureKind::CircuitOpen,
    FailureKind::Saturated,
];

/// What `on_errors` words mean, written out by hand.
fn word_matches(word: &str, kind: FailureKind) -> bool {
    let status = kind.status();
    match word {
        "*" => true,
        "timeout" => status == 408 || status == 504,
        "rate_limit" | "429" => status == 429,
        "connection" => matches!(kind, FailureKind::Connect | FailureKind::ConnectTimeout),
        "5xx" => (500..600).contains(&status),
        _ => unreachable!("{word} is not in the table"),
    }
}

/// E2: every failure with every combination of retry codes, fallback codes and `on_errors` leads where the words say.
#[test]
fn e2_every_combination_leads_where_it_says() {
    let retries = [None, Some(vec![]), Some(vec![429]), Some(vec![503, 504, 502, 408])];
    let statuses = [None, Some(vec![]), Some(vec![429, 503])];
    let words: [Option<&[&str]>; 7] = [
        None,
        Some(&[]),
        Some(&["*"]),
        Some(&["timeout"]),
        Some(&["rate_limit", "connection"]),
        Some(&["5xx"]),
        Some(&["429"]),
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
                    let sent = !matches!(kind, FailureKind::CircuitOpen | FailureKind::Saturated);
                    let retried = sent && retry.as_ref().is_some_and(|codes| codes.contains(&kind.status()));
                    let leads_on = match (on_errors, on_status) {
                        _ if !sent => true,
                        (Some(words), _) => words.iter().any(|word| word_matches(word, kind)),
                        (None, Some(codes)) => codes.contains(&kind.status()),
                        (None, None) => true,
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
    assert_eq!(combinations, 4 * 3 * 7 * 16);
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
        let mut retry = json!({"attempts": 5});
        retry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chain(json!({"provider": "a", "retry": retry})).steps[0].target.retry.clone()
    };
    let seconds = Duration::from_secs;
    let doubling = policy(json!({}));
    let waits: Vec<_> = (0..3).map(|n| doubling.wait(n, Duration::ZERO, None, 1.0).unwrap()).collect();
    assert_eq!(waits, [seconds(1), seconds(2), seconds(4)]);
    assert_eq!(doubling.wait(0, Duration::ZERO, None, 0.0), Some(Duration::from_millis(500)));
    assert_eq!(doubling.wait(0, Duration::ZERO, Some(seconds(7)), 0.3), Some(seconds(7)));
    assert_eq!(doubling.wait(0, Duration::ZERO, Some(seconds(60)), 0.3), None);
    assert_eq!(doubling.wait(2, seconds(30), Some(seconds(31)), 0.3), None);
    let constant = policy(json!({"exponential_backoff": false, "use_retry_after_header": false}));
    assert_eq!(constant.wait(3, Duration::ZERO, Some(seconds(7)), 0.3), Some(seconds(1)));
}
