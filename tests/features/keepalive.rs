//! D4: comments keep a silent stream's connection alive.

use crate::harness::bodies::openai;
use crate::harness::client::Event;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

async fn pinging(openai: &FakeProvider) -> (Gateway, String) {
    Setup::new().openai(openai).set("server.keepalive_ms", 100).start().await.with_key().await
}

fn ping() -> Option<Event> {
    Some(Event::Comment("ping".to_owned()))
}

/// D4: pings flow before the provider has sent its head, and again in a silence in the middle; the answer is whole.
#[tokio::test]
async fn d4_pings_flow_before_and_after_the_providers_head() {
    let (head, middle) = (Gate::new(), Gate::new());
    let reply = Reply::events([openai::role(), openai::text("a")]).after(&head).wait(&middle);
    let reply = reply.then(&openai::text("b")).then(&openai::finish("stop")).then(openai::DONE);
    let openai = FakeProvider::answering(reply).await;
    let (gateway, key) = pinging(&openai).await;

    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.status, 200);
    for _ in 0..3 {
        assert_eq!(stream.next().await, ping(), "before the head");
    }
    head.open();
    assert_eq!(stream.next_text().await, "a");
    for _ in 0..3 {
        assert_eq!(stream.next().await, ping(), "in the middle");
    }
    middle.open();
    let rest = stream.rest().await;
    assert_eq!(rest.text(), "b");
    assert!(rest.is_done());
}

/// D4: once a ping is out the status is committed, so a later failure is one error event.
#[tokio::test]
async fn d4_a_failure_after_a_ping_is_an_error_event() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::error(429).after(&gate)).await;
    let (gateway, key) = pinging(&openai).await;
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "d4-late");
    let mut stream = gateway.stream(request).await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.next().await, ping());
    gate.open();
    let rest = stream.rest().await;
    assert_eq!(rest.errors().len(), 1, "{rest:?}");
    assert!(rest.errors()[0]["message"].as_str().unwrap().contains("the provider says 429"));
    let line = gateway.request_log("d4-late").await;
    assert!(line["error"].is_string(), "{line}");
}

/// D4: until the first interval has passed nothing is committed: a quick failure keeps its status. And a stream
/// without silence has no pings.
#[tokio::test]
async fn d4_quick_answers_have_their_own_status_and_no_pings() {
    let openai = FakeProvider::answering(openai::stream(&["a", "b"])).await;
    let setup = Setup::new().openai(&openai).set("server.keepalive_ms", 5_000);
    let (gateway, key) = setup.start().await.with_key().await;
    openai.once(openai::error(429));
    gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(429);
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!((events.text().as_str(), events.comments()), ("ab", 0));
}

/// The client that leaves while only pings flow frees everything (D6, D7).
#[tokio::test]
async fn d6_leaving_a_pinged_stream_cancels_the_provider() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = pinging(&openai).await;
    crate::cancel::cancelled_within_100_ms("while only pings flow", async || {
        let next = openai.count() + 1;
        let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
        assert_eq!(stream.next().await, ping());
        let left = std::time::Instant::now();
        drop(stream);
        openai.request(next).await.abandoned().await - left
    })
    .await;
    gateway.wait_until_idle().await;
}
