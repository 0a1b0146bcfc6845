//! Many clients at once, and many that leave: nothing stays behind (D7).

use futures_util::future::join_all;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

/// A thousand streams at once all hold, end well, and give their places and connections back.
#[tokio::test]
async fn a_thousand_streams_hold() {
    let many = 1000;
    let gate = Gate::new();
    let half = Reply::events([openai::role(), openai::text("half ")]).wait(&gate).then(&openai::text("whole"));
    let openai = FakeProvider::answering(half.then(&openai::finish("stop")).then(openai::DONE)).await;
    let (gateway, key) = Gateway::before(&openai).await;

    let begun = join_all((0..many).map(async |_| {
        let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
        assert_eq!(stream.next_text().await, "half ");
        stream
    }));
    let streams = begun.await;
    assert_eq!(openai.count(), many, "all of them wait at the provider's gate");
    gateway.wait_for_metric("llm_requests_in_flight", &[], many as f64).await;
    gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], many as f64).await;

    gate.open_for_good();
    for events in join_all(streams.into_iter().map(|stream| stream.rest())).await {
        assert_eq!(events.text(), "whole");
        assert!(events.is_done());
    }
    gateway.wait_until_idle().await;
    gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], 0.0).await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    openai.spare_connections_closed(32).await;
}

/// D7: a thousand clients leave at all stages: no slot, no connection to the provider, and no request without its log
/// line is left behind.
#[tokio::test]
async fn d7_a_thousand_aborts_leave_nothing_behind() {
    let (rounds, clients) = (10, 100);
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let stages = [
        Reply::silence(),
        Reply::events([openai::role()]).stall(),
        Reply::events([openai::role(), openai::text("half ")]).stall(),
        Reply::stream("application/json").then("{").stall(),
    ];
    for round in 1..=rounds {
        let pending = join_all((0..clients).map(|n| {
            openai.once(stages[n % stages.len()].clone());
            let hello = if n % 2 == 0 { Request::hello } else { Request::streamed_hello };
            let request = hello(&key, "gpt-4o-mini");
            let address = gateway.address;
            async move { request.send(address).await }
        }))
        .await;
        openai.request(round * clients).await;
        drop(pending);
    }
    gateway.wait_until_idle().await;
    gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], 0.0).await;
    openai.connections_at_most(0).await;
    let left = [("provider", "openai"), ("status", "cancelled")];
    gateway.wait_for_metric("llm_requests_total", &left, (rounds * clients) as f64).await;
    openai.always(openai::answer("still here"));
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
}
