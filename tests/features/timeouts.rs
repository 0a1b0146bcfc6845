//! Time limits of an attempt (D3): first byte, idle, total, and the request's own.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

async fn limited(openai: &FakeProvider, limit: &str, millis: u64) -> (Gateway, String) {
    let setup = Setup::new().openai(openai).set(&format!("providers.openai.timeouts.{limit}"), millis);
    setup.start().await.with_key().await
}

/// D3: a stream that falls silent after some events gets an error event, and the provider's connection is closed.
#[tokio::test]
async fn d3_an_idle_stream_ends_with_an_error_and_a_closed_connection() {
    let openai = FakeProvider::answering(Reply::events([openai::role(), openai::text("one ")]).stall()).await;
    let (gateway, key) = limited(&openai, "idle_ms", 300).await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.next_text().await, "one ");
    let silent = Instant::now();
    let rest = stream.rest().await;
    assert!(silent.elapsed() >= Duration::from_millis(250), "after {:?}", silent.elapsed());
    assert_eq!(rest.errors().len(), 1, "{rest:?}");
    assert_eq!(rest.errors()[0]["type"], "timeout_error");
    openai.request(1).await.abandoned().await;
    gateway.wait_until_idle().await;
}

/// D3: comments are no data: a provider that only pings is idle.
#[tokio::test]
async fn d3_pings_do_not_count_as_data() {
    let gate = Gate::new();
    let begun = Reply::events([openai::role(), openai::text("one ")]);
    // Pings for ten seconds, a fraction of the idle time apart: were they data, the stream would last as long.
    let pinging = (0..200).fold(begun, |reply, _| reply.wait(&gate).then(": ping\n\n"));
    let openai = FakeProvider::answering(pinging.stall()).await;
    let (gateway, key) = limited(&openai, "idle_ms", 300).await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.next_text().await, "one ");
    let silent = Instant::now();
    let clock = async {
        loop {
            gate.open();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let rest = tokio::select! {
        rest = stream.rest() => rest,
        () = clock => unreachable!(),
    };
    assert_eq!(rest.errors().len(), 1);
    assert!(silent.elapsed() < Duration::from_secs(5), "after {:?}", silent.elapsed());
    openai.request(1).await.abandoned().await;
}

/// A stream that is slow but never idle is left alone: the idle time starts again with each event.
#[tokio::test]
async fn d3_a_slow_stream_is_not_idle() {
    let gate = Gate::new();
    let words: Vec<String> = (0..6).map(|n| format!("{n} ")).collect();
    let reply =
        words.iter().fold(Reply::events([openai::role()]), |reply, word| reply.then(&openai::text(word)).wait(&gate));
    let openai = FakeProvider::answering(reply.then(&openai::finish("stop")).then(openai::DONE)).await;
    let (gateway, key) = limited(&openai, "idle_ms", 1000).await;
    let begun = Instant::now();
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    for word in &words {
        assert_eq!(&stream.next_text().await, word);
        // The pause is what is tested here: under the limit each, over it together.
        tokio::time::sleep(Duration::from_millis(250)).await;
        gate.open();
    }
    assert!(stream.rest().await.is_done());
    assert!(begun.elapsed() > Duration::from_millis(1000));
}

/// A provider that does not begin a stream in time is a 504 in OpenAI's shape.
#[tokio::test]
async fn the_first_byte_of_a_stream_has_a_limit() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = limited(&openai, "first_byte_ms", 200).await;
    let answer = gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(504).json();
    assert_eq!(answer["error"]["type"], "timeout_error");
    openai.request(1).await.abandoned().await;
}

/// time-limits: the head of a whole answer comes when all of it is made, so that the limit of the first byte is none for
/// it; neither is it for one JSON text that answers a streamed request.
#[tokio::test]
async fn a_whole_answer_may_take_its_total_limit() {
    let gate = Gate::new();
    let openai = FakeProvider::start().await;
    let (gateway, key) = limited(&openai, "first_byte_ms", 50).await;
    openai.once(openai::answer("at last").after(&gate));
    let pending = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(1).await;
    // The pause is what is tested here: well over the limit of the first byte.
    tokio::time::sleep(Duration::from_millis(500)).await;
    gate.open();
    assert_eq!(pending.answer().await.expect(200).content(), "at last");

    let head = Reply::stream("application/json").wait(&gate).then(&openai::completion("at last").to_string());
    openai.once(head);
    let pending = Request::streamed_hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    gate.open();
    let events = pending.stream().await.rest().await;
    assert_eq!((events.text().as_str(), events.is_done()), ("at last", true), "{events:?}");
}

/// time-limits: a whole answer has the total limit, which counts against the provider. Each try is billed, so that only
/// a config that names 504 has another.
#[tokio::test]
async fn a_whole_answer_has_a_total_limit() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = limited(&openai, "total_ms", 200).await;
    for (retry, attempts) in [
        (json!({ "attempts": 2, "base_delay_ms": 1 }), 1),
        (json!({ "attempts": 2, "base_delay_ms": 1, "on_status_codes": [504] }), 3),
    ] {
        let before = openai.count();
        let config = json!({ "provider": "openai", "retry": retry });
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(504);
        assert_eq!(answer.json()["error"]["type"], "timeout_error");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "clients are not to make it anew by themselves");
        assert_eq!(openai.count() - before, attempts, "{retry}");
    }
    openai.request(4).await.abandoned().await;
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!(state["window"]["failures"], 4, "{state}");
}

/// A stream whose head came, but no content, is held to the limit of the first byte.
#[tokio::test]
async fn a_head_without_content_is_no_first_byte() {
    let openai = FakeProvider::answering(Reply::events([openai::role()]).stall()).await;
    let (gateway, key) = limited(&openai, "first_byte_ms", 200).await;
    gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(504);
}

/// A whole answer that stops in the middle of its body is given up after the idle time.
#[tokio::test]
async fn a_whole_answer_has_an_idle_limit() {
    let openai = FakeProvider::answering(Reply::stream("application/json").then("{\"id\":").stall()).await;
    let (gateway, key) = limited(&openai, "idle_ms", 200).await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(504);
    openai.request(1).await.abandoned().await;
    gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(504);
    openai.request(2).await.abandoned().await;
}

/// The total limit ends a stream that never falls silent.
#[tokio::test]
async fn a_stream_has_a_total_limit() {
    let endless =
        (0..400_000).fold(openai::role(), |all, _| all + "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
    let openai =
        FakeProvider::answering(Reply::stream("text/event-stream").then(&endless).in_writes_of(58).stall()).await;
    let (gateway, key) = limited(&openai, "total_ms", 500).await;
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert!(!events.text().is_empty());
    assert_eq!(events.errors().len(), 1);
    assert!(!events.is_done());
}

/// `request_timeout`, in the config or a header, is Portkey's 408 with Portkey's words.
#[tokio::test]
async fn the_requests_own_timeout_is_a_408() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let hello = || Request::hello(&key, "gpt-4o-mini");
    for request in [
        hello().config(&json!({ "provider": "openai", "request_timeout": 150 })),
        hello().header("x-portkey-request-timeout", "150"),
        Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-request-timeout", "150"),
    ] {
        let error = gateway.ask(request).await.expect(408).json()["error"].clone();
        assert_eq!(error["message"], "Request exceeded the timeout sent in the request: 150ms");
        assert_eq!(error["type"], "timeout_error");
    }
    let bad = hello().header("x-portkey-request-timeout", "soon").header("x-portkey-trace-id", "no-number");
    let bad = gateway.ask(bad).await.expect(400).json();
    assert_eq!(bad["error"]["param"], "x-portkey-request-timeout");
    let line = gateway.request_log("no-number").await;
    assert_eq!((&line["status"], &line["error"]), (&json!(400), &json!("invalid_request")), "{line}");
}

/// The request's own timeout is the client's wish and no fault of the provider: the breaker does not count it (E1).
#[tokio::test]
async fn e1_the_requests_own_timeout_is_not_held_against_the_provider() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    for _ in 0..6 {
        let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-request-timeout", "30");
        gateway.ask(request).await.expect(408);
    }
    assert_eq!(gateway.actor("provider:openai").await["state"]["breaker"], "closed");
}

/// A client that does not send its whole body in time is a 408, and its place in the process is free again.
#[tokio::test]
async fn the_body_has_a_time_limit() {
    let (gateway, key) = Setup::new().set("server.body_timeout_ms", 200).start().await.with_key().await;
    let request = Request::hello(&key, "sim-text").header("x-portkey-trace-id", "half-a-body");
    let pending = request.send_without(1, gateway.address).await;
    let answer = pending.answer().await.expect(408);
    assert_eq!(answer.header("connection"), Some("close"));
    let error = &answer.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("timeout_error"), &json!("request_timeout")));
    assert_eq!(gateway.request_log("half-a-body").await["status"], 408);
    gateway.wait_until_idle().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
}

async fn wait_for_no_attempt(gateway: &Gateway) {
    gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], 0.0).await;
}

/// D3: a client that stops reading counts as gone after the idle time, and holds the provider no longer.
#[tokio::test]
async fn d3_a_client_that_does_not_read_counts_as_gone() {
    let openai = FakeProvider::answering(openai::flood()).await;
    let (gateway, key) = limited(&openai, "idle_ms", 300).await;
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "d3-deaf");
    let deaf = request.send(gateway.address).await;
    openai.request(1).await.abandoned().await;
    wait_for_no_attempt(&gateway).await;
    assert_eq!(gateway.request_log("d3-deaf").await["status"], 499);
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!(state["window"]["failures"], 0, "the provider is not to blame: {state}");
    let events = deaf.stream().await.rest().await;
    assert_eq!(events.errors().len(), 1, "it does not take what it has for the whole answer");
    gateway.wait_until_idle().await;
}

/// D3: the total limit holds for a client that does not read, who finds an error at the end of what was sent.
#[tokio::test]
async fn d3_the_total_limit_holds_while_the_client_does_not_read() {
    let openai = FakeProvider::answering(openai::flood()).await;
    let (gateway, key) = limited(&openai, "total_ms", 500).await;
    let slow = Request::streamed_hello(&key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(1).await.abandoned().await;
    wait_for_no_attempt(&gateway).await;
    let events = slow.stream().await.rest().await;
    assert_eq!(events.errors().len(), 1);
    assert_eq!(events.errors()[0]["type"], "timeout_error");
    assert!(!events.is_done());
    gateway.wait_until_idle().await;
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!(state["window"]["failures"], 0, "a slow client is not the provider's fault: {state}");
}
