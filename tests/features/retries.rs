//! Retries of one target: how often, how long to wait, and the caps over all of them.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup};

fn retrying(retry: Value) -> Value {
    json!({ "provider": "openai", "retry": retry })
}

fn quick(attempts: u32) -> Value {
    retrying(json!({ "attempts": attempts, "base_delay_ms": 1 }))
}

/// A target is tried again until it answers, and `x-portkey-retry-attempt-count` tells on which retry it did.
#[tokio::test]
async fn the_retry_count_is_told() {
    let openai = FakeProvider::answering(openai::answer("at last")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    openai.once(openai::error(500)).once(openai::error(503));
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(3))).await.expect(200);
    assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("2"));
    assert_eq!(openai.count(), 3);
    gateway.wait_for_metric("llm_retries_total", &[("provider", "openai")], 2.0).await;

    openai.always(openai::error(502));
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(2))).await.expect(502);
    assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("-1"), "used up");
    assert_eq!(openai.count(), 6);
}

/// E2: what is retried is what `on_status_codes` names; by default what may pass by itself, and no other client's error.
#[tokio::test]
async fn e2_only_the_named_statuses_are_retried() {
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let named = retrying(json!({ "attempts": 1, "on_status_codes": [418], "base_delay_ms": 1 }));
    for (config, status, retried) in [
        (quick(1), 400, false),
        (quick(1), 404, false),
        (quick(1), 504, true),
        (quick(1), 408, true),
        (quick(1), 409, true),
        (quick(1), 501, false),
        (quick(1), 520, true),
        (quick(1), 524, true),
        (quick(1), 529, true),
        (named.clone(), 418, true),
        (named, 500, false),
    ] {
        let before = openai.count();
        openai.always(openai::error(status));
        gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(status);
        let attempts = openai.count() - before;
        assert_eq!(attempts, if retried { 2 } else { 1 }, "{status} with {config}");
    }
}

/// A stream is retried as a whole answer is, as long as nothing of it was shown.
#[tokio::test]
async fn streams_are_retried_before_their_first_content() {
    let openai = FakeProvider::answering(openai::stream(&["at ", "last"])).await;
    let (gateway, key) = Gateway::before(&openai).await;
    openai.once(openai::error(500)).once(Reply::events([openai::role()]).cut());
    let stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&quick(3))).await;
    assert_eq!(stream.header("x-portkey-retry-attempt-count"), Some("2"));
    assert_eq!(stream.rest().await.text(), "at last");
}

/// E4: `Retry-After` is heeded in its three forms: never earlier than asked, and later only by what a busy machine takes.
#[tokio::test]
async fn e4_retry_after_is_heeded_in_its_three_forms() {
    let openai = FakeProvider::answering(openai::answer("at last")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let late = Duration::from_millis(250);
    for (name, value, asked) in
        [("retry-after-ms", "300", 300), ("x-ms-retry-after-ms", "300", 300), ("retry-after", "1", 1000)]
    {
        let first = openai.count() + 1;
        openai.once(openai::error(429).header(name, value));
        gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(1))).await.expect(200);
        let waited = openai.request(first + 1).await.at - openai.request(first).await.at;
        let asked = Duration::from_millis(asked);
        assert!(waited >= asked && waited <= asked + late, "{name}: {value} made {waited:?}");
    }

    let first = openai.count() + 1;
    let since_1970 = (SystemTime::now() + Duration::from_secs(2)).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.as_secs());
    let text = chrono::DateTime::<chrono::Utc>::from(date).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    openai.once(openai::error(429).header("retry-after", &text));
    gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(1))).await.expect(200);
    let retried = SystemTime::now() - openai.request(first + 1).await.at.elapsed();
    // Two clocks are compared here, and may differ by what lies between their readings.
    assert!(
        retried + Duration::from_millis(1) >= date && retried <= date + late,
        "asked for {date:?}, came at {retried:?}"
    );
}

/// E4: a wait beyond the cap is not made: the 429 is the answer, with its `Retry-After`.
#[tokio::test]
async fn e4_too_long_a_wait_is_left_to_the_client() {
    let openai = FakeProvider::answering(openai::error(429).header("retry-after", "3600")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(3))).await.expect(429);
    assert_eq!(answer.header("retry-after"), Some("3600"));
    assert_eq!(openai.count(), 1);
}

/// `exponential_backoff` doubles the waits; `use_retry_after_header: false` ignores the provider's wish.
#[tokio::test]
async fn waits_double_and_the_header_can_be_ignored() {
    let openai = FakeProvider::answering(openai::error(429).header("retry-after", "50")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let config = retrying(json!({ "attempts": 3, "exponential_backoff": true, "use_retry_after_header": false,
        "base_delay_ms": 100 }));
    gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(429);
    let at: Vec<_> = openai.requests().iter().map(|seen| seen.at).collect();
    assert_eq!(at.len(), 4);
    // The jitter is full: up to 100, 200, 400 ms. The provider wished for 50 seconds.
    for (n, most) in [(0, 100), (1, 200), (2, 400)] {
        let waited = at[n + 1] - at[n];
        assert!(waited < Duration::from_millis(most + 1000), "wait {n} took {waited:?}");
    }
}

/// E8: the attempts at providers for one request are capped over all targets and retries.
#[tokio::test]
async fn e8_attempts_are_capped_over_targets_and_retries() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let anthropic = FakeProvider::answering(anthropic::error(500, "api_error")).await;
    let setup = Setup::new().openai(&openai).anthropic(&anthropic).set("routing.max_total_attempts", 4);
    let (gateway, key) = setup.start().await.with_key().await;
    let config = json!({ "strategy": "fallback", "retry": { "attempts": 2, "base_delay_ms": 1 }, "targets": [
        { "provider": "openai" }, { "provider": "anthropic", "model": "claude-3-sonnet" } ] });
    gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(500);
    assert_eq!((openai.count(), anthropic.count()), (3, 1));
}

/// E8: more than five retries are not made, and the config is warned about.
#[tokio::test]
async fn e8_retries_are_clamped_to_five() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 100);
    let (gateway, key) = setup.start().await.with_key().await;
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(9))).await.expect(500);
    assert_eq!(openai.count(), 6);
    assert!(answer.header("x-gateway-config-warning").is_some_and(|text| text.contains("retry.attempts")));
}

/// E8: in an outage, retries stay within a share of the provider's traffic.
#[tokio::test]
async fn e8_retries_stay_within_the_providers_budget() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 100_000);
    let setup = setup.set("providers.openai.breaker.failure_threshold_percentage", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let requests = 100;
    for _ in 0..requests {
        gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(5))).await.expect(500);
    }
    let retries = openai.count() - requests;
    // 20 % of 100 requests, ten at once above that, and one more every six seconds that the test may take.
    assert!((10..=20 + 10 + 10).contains(&retries), "{retries} retries of {requests} requests");
}

/// E8: the client's deadline bounds the whole request: no target is asked after it, and no wait begun that passes it.
#[tokio::test]
async fn e8_the_clients_deadline_bounds_all_attempts_together() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let anthropic = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Setup::new().openai(&openai).anthropic(&anthropic).start().await.with_key().await;
    let chain = |first: Value| {
        let config = json!({ "strategy": "fallback",
            "targets": [first, { "provider": "anthropic", "model": "claude-3-sonnet" }] });
        Request::hello(&key, "gpt-4o-mini").config(&config)
    };

    let begun = Instant::now();
    let request = chain(json!({ "provider": "openai" })).header("x-portkey-request-timeout", "400");
    let error = gateway.ask(request).await.expect(408).json()["error"].clone();
    assert_eq!(error["message"], "Request exceeded the timeout sent in the request: 400ms");
    assert!(begun.elapsed() < Duration::from_millis(750), "after {:?}", begun.elapsed());
    assert_eq!(anthropic.count(), 0, "no time is left for it");

    // The target's own limit is one attempt's; the second target gets what is left of the client's.
    let begun = Instant::now();
    let request = chain(json!({ "provider": "openai", "request_timeout": 300 }));
    let error = gateway.ask(request.header("x-portkey-request-timeout", "500")).await.expect(408).json();
    assert_eq!(error["error"]["message"], "Request exceeded the timeout sent in the request: 500ms");
    assert!(begun.elapsed() < Duration::from_millis(780), "after {:?}", begun.elapsed());
    assert_eq!((openai.count(), anthropic.count()), (2, 1));

    openai.always(openai::error(429).header("retry-after-ms", "5000"));
    let retrying = json!({ "provider": "openai", "retry": { "attempts": 2 } });
    let begun = Instant::now();
    let request = Request::hello(&key, "gpt-4o-mini").config(&retrying).header("x-portkey-request-timeout", "3000");
    gateway.ask(request).await.expect(429);
    assert!(begun.elapsed() < Duration::from_millis(1_500), "the wait was begun: {:?}", begun.elapsed());
    assert_eq!(openai.count(), 3);
    assert!(!gateway.scrape().await.has("llm_retries_total", &[("provider", "openai")]));
}

/// retry-hopeless: what waiting cannot help is not tried again, and its client is told so; another target may serve.
#[tokio::test]
async fn what_is_hopeless_is_not_retried() {
    let openai = FakeProvider::start().await;
    let anthropic = FakeProvider::answering(anthropic::answer("from elsewhere")).await;
    let setup = Setup::new().openai(&openai).anthropic(&anthropic);
    let (gateway, key) = setup.start().await.with_key().await;
    let spent = |code: Value| {
        Reply::json(
            429,
            &json!({ "error": { "message": "You exceeded your current quota", "type": "insufficient_quota", "code": code } }),
        )
    };
    for reply in
        [spent(json!("insufficient_quota")), spent(Value::Null), openai::error(429).header("x-should-retry", "false")]
    {
        let before = openai.count();
        openai.always(reply);
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(3))).await.expect(429);
        assert_eq!((openai.count() - before, answer.header("x-should-retry")), (1, Some("false")));
    }
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "openai", "retry": { "attempts": 3, "base_delay_ms": 1 } },
        { "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } }] });
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from elsewhere");
}

/// retry-headers: the vendor's `x-should-retry` goes before the codes, and reaches the client with its error.
#[tokio::test]
async fn the_vendors_word_on_retries_goes_first() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    for (status, word, attempts) in [(500, "false", 1), (503, "false", 1), (400, "true", 2), (404, "true", 2)] {
        let before = openai.count();
        openai.always(openai::error(status).header("x-should-retry", word));
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&quick(1))).await.expect(status);
        assert_eq!((openai.count() - before, answer.header("x-should-retry")), (attempts, Some(word)), "{status}");
    }
    openai.always(openai::error(500));
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(500);
    assert_eq!(answer.header("x-should-retry"), None);
}

/// E4: whichever form the vendor asks for a wait in, the client learns of it: in whole seconds, and in milliseconds where
/// it is finer.
#[tokio::test]
async fn e4_every_form_of_wait_reaches_the_client() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    for (name, value, seconds, millis) in [
        ("retry-after", "7", "7", None),
        ("retry-after", "1.5", "2", Some("1500")),
        ("retry-after-ms", "2500", "3", Some("2500")),
        ("x-ms-retry-after-ms", "300", "1", Some("300")),
    ] {
        openai.once(openai::error(429).header(name, value));
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(429);
        assert_eq!(
            (answer.header("retry-after"), answer.header("retry-after-ms")),
            (Some(seconds), millis),
            "{name}: {value}"
        );
    }
}
