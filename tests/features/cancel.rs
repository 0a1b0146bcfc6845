//! D6 and D7: a client that leaves takes the provider's call with it, at every stage, and leaves nothing behind.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

/// D6 demands 100 ms. The machine also runs other tests, so of five runs the middle one is held to it.
pub async fn cancelled_within_100_ms(what: &str, mut once: impl AsyncFnMut() -> Duration) {
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.push(once().await);
    }
    taken.sort();
    assert!(taken[2] <= Duration::from_millis(100), "{what}: cancelled after {taken:?}");
}

/// D6: a client that leaves a stream, which says one word and is silent then, ends the provider's call.
pub async fn a_left_stream_is_cancelled(what: &str, gateway: &Gateway, key: &str, openai: &FakeProvider) {
    cancelled_within_100_ms(what, async || {
        let next = openai.count() + 1;
        let mut stream = gateway.stream(Request::streamed_hello(key, "gpt-4o-mini")).await;
        assert_eq!(stream.next_text().await, "one ");
        let seen = openai.request(next).await;
        let left = Instant::now();
        drop(stream);
        seen.abandoned().await - left
    })
    .await;
    gateway.wait_until_idle().await;
}

/// D6: before the provider's head, whole and streamed.
#[tokio::test]
async fn d6_leaving_before_the_head_cancels_the_provider() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    for request in [Request::hello(&key, "gpt-4o-mini"), Request::streamed_hello(&key, "gpt-4o-mini")] {
        cancelled_within_100_ms("before the head", async || {
            let next = openai.count() + 1;
            let pending = request.send(gateway.address).await;
            let seen = openai.request(next).await;
            let left = Instant::now();
            drop(pending);
            seen.abandoned().await - left
        })
        .await;
    }
    gateway.wait_until_idle().await;
    let cancelled = [("provider", "openai"), ("status", "cancelled")];
    gateway.wait_for_metric("llm_requests_total", &cancelled, 10.0).await;
    assert_eq!(gateway.actor("provider:openai").await["state"]["in_flight"], 0);
}

/// D6: in the middle of a stream that is silent just then.
#[tokio::test]
async fn d6_leaving_a_stream_cancels_the_provider() {
    let openai = FakeProvider::answering(Reply::events([openai::role(), openai::text("one ")]).stall()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    a_left_stream_is_cancelled("in the middle of a stream", &gateway, &key, &openai).await;
}

/// D6: in the middle of a whole answer's body.
#[tokio::test]
async fn d6_leaving_a_half_read_answer_cancels_the_provider() {
    let openai = FakeProvider::answering(Reply::stream("application/json").then("{\"id\":").stall()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    cancelled_within_100_ms("in the middle of an answer", async || {
        let next = openai.count() + 1;
        let pending = Request::hello(&key, "gpt-4o-mini").send(gateway.address).await;
        let seen = openai.request(next).await;
        let left = Instant::now();
        drop(pending);
        seen.abandoned().await - left
    })
    .await;
    gateway.wait_until_idle().await;
}

/// D6: during the sleep before a retry: the slot is free at once, and the retry is never made.
#[tokio::test]
async fn d6_leaving_during_a_retry_sleep_ends_it() {
    let openai = FakeProvider::answering(openai::answer("never asked for")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let config = json!({ "provider": "openai", "retry": { "attempts": 1 } });
    let mut run = 0;
    // No socket of the provider's is open in the sleep: what tells the end is the request's log line.
    cancelled_within_100_ms("in a retry's sleep", async || {
        run += 1;
        let trace_id = format!("d6-sleep-{run}");
        openai.once(openai::error(429).header("retry-after-ms", "2000"));
        let request = Request::hello(&key, "gpt-4o-mini").config(&config).header("x-portkey-trace-id", &trace_id);
        let pending = request.send(gateway.address).await;
        gateway.wait_for_metric("llm_retries_total", &[("provider", "openai")], f64::from(run)).await;
        let left = Instant::now();
        drop(pending);
        let line = gateway.request_log(&trace_id).await;
        let taken = left.elapsed();
        assert_eq!(line["status"], 499, "{line}");
        taken
    })
    .await;
    gateway.wait_until_idle().await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.count(), 6, "the abandoned requests were not retried");
}

/// D6: while the client does not read and the provider is made to wait.
#[tokio::test]
async fn d6_leaving_a_back_pressured_stream_cancels_the_provider() {
    let openai = FakeProvider::answering(openai::flood()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    cancelled_within_100_ms("under back-pressure", async || {
        let next = openai.count() + 1;
        let pending = Request::streamed_hello(&key, "gpt-4o-mini").send(gateway.address).await;
        let seen = openai.request(next).await;
        // All buffers on the way are full by then; were they not, the test would only be easier.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let left = Instant::now();
        drop(pending);
        seen.abandoned().await - left
    })
    .await;
    gateway.wait_until_idle().await;
}

/// D6: a client that only closes its sending side has left too, as its tokens would be bought for nobody.
#[tokio::test]
async fn d6_a_half_closed_client_has_left() {
    use tokio::io::AsyncWriteExt;
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let body = crate::harness::client::hello("gpt-4o-mini").to_string();
    let mut socket = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let seen = openai.request(1).await;
    socket.shutdown().await.unwrap();
    seen.abandoned().await;
    gateway.wait_until_idle().await;
}

/// D7: 200 clients leave at all stages; no slot and no connection stays, and a full burst of the limit passes.
#[tokio::test]
async fn d7_a_storm_of_aborts_leaves_nothing_behind() {
    let limit = 20;
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("server.max_in_flight", limit);
    let setup = setup.set("providers.openai.max_in_flight", limit);
    let (gateway, key) = setup.set("providers.openai.breaker.failure_threshold", 0).start().await.with_key().await;
    let config = json!({ "provider": "openai", "retry": { "attempts": 1, "base_delay_ms": 20 } });
    let stages = [
        Reply::silence(),
        Reply::events([openai::role(), openai::text("one ")]).stall(),
        Reply::stream("application/json").then("{").stall(),
        openai::error(500),
    ];
    for round in 0..10 {
        let before = openai.count();
        let mut pending = Vec::new();
        for n in 0..limit {
            openai.once(stages[n % stages.len()].clone());
            let request = match n % 2 {
                0 => Request::hello(&key, "gpt-4o-mini"),
                _ => Request::streamed_hello(&key, "gpt-4o-mini"),
            };
            pending.push(request.config(&config).send(gateway.address).await);
        }
        if round % 2 == 0 {
            // Half of the rounds leave before, the others after the provider has been asked.
            openai.request(before + 1).await;
        }
        drop(pending);
    }
    gateway.wait_until_idle().await;
    gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], 0.0).await;

    let gate = Gate::new();
    openai.forget();
    openai.always(openai::answer("burst").after(&gate));
    let before = openai.count();
    let burst: Vec<_> = (0..limit).map(|_| gateway.ask(Request::hello(&key, "gpt-4o-mini"))).collect();
    let all_there = async {
        openai.request(before + limit).await;
        gate.open_for_good();
    };
    let (answers, ()) = tokio::join!(join_all(burst), all_there);
    assert!(answers.iter().all(|answer| answer.status == 200));
    gateway.wait_until_idle().await;
    openai.connections_at_most(limit).await;
}
