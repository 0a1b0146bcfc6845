//! D10: a rolling restart cuts no stream.

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

/// An OpenAI that says one word, then waits at the gate.
async fn half_said(gate: &Gate) -> FakeProvider {
    let reply = Reply::events([openai::role(), openai::text("one ")]).wait(gate).then(&openai::text("two"));
    FakeProvider::answering(reply.then(&openai::finish("stop")).then(openai::DONE)).await
}

/// SIGTERM has arrived: the gateway says that it drains.
async fn draining(gateway: &Gateway) {
    gateway.terminate().await;
    gateway.wait_for_log("it drains", |line| line["message"] == "draining").await;
}

/// D10: after SIGTERM readiness is 503 at once, the stream under way completes, no new connection is taken, and the
/// process ends with 0.
#[tokio::test]
async fn d10_streams_under_way_complete_after_sigterm() {
    let gate = Gate::new();
    let openai = half_said(&gate).await;
    let setup = Setup::new().openai(&openai).set("server.drain_delay_ms", 1500);
    let (mut gateway, key) = setup.start().await.with_key().await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.next_text().await, "one ");

    draining(&gateway).await;
    // Within the drain delay the listener is still there, for load balancers to see.
    let unready = async {
        while gateway.ask(Request::get("/health/ready")).await.status != 503 {
            tokio::task::yield_now().await;
        }
    };
    crate::harness::in_time("readiness is 503", unready).await;
    gateway.ask(Request::get("/health/live")).await.expect(200);
    crate::harness::eventually("new connections are refused", async || {
        tokio::net::TcpStream::connect(gateway.address).await.is_err()
    })
    .await;

    gate.open();
    let rest = stream.rest().await;
    assert_eq!(rest.text(), "two");
    assert!(rest.is_done(), "{rest:?}");
    assert_eq!(gateway.exit().await.code(), Some(0));
}

/// F03: signals that operators send for other ends cut nothing; SIGQUIT drains as SIGTERM does.
#[tokio::test]
async fn f03_other_signals_cut_nothing() {
    let gate = Gate::new();
    let openai = half_said(&gate).await;
    let (mut gateway, key) = Gateway::before(&openai).await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.next_text().await, "one ");
    for name in ["HUP", "USR1", "USR2", "ALRM", "HUP"] {
        gateway.signal(name).await;
    }
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    gateway.signal("QUIT").await;
    gateway.wait_for_log("it drains", |line| line["message"] == "draining").await;
    gate.open();
    let rest = stream.rest().await;
    assert!(rest.is_done(), "{rest:?}");
    assert_eq!(gateway.exit().await.code(), Some(0));
}

/// D10: a second SIGTERM forces the end.
#[tokio::test]
async fn d10_a_second_sigterm_forces_the_end() {
    let gate = Gate::new();
    let openai = half_said(&gate).await;
    let (mut gateway, key) = Gateway::before(&openai).await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.next_text().await, "one ");
    draining(&gateway).await;
    gateway.terminate().await;
    assert_ne!(gateway.exit().await.code(), Some(0), "what was cut off is no clean end");
}

/// A stream that outlasts the drain time ends with an error event, not with a torn connection, and the process ends.
#[tokio::test]
async fn d10_the_drain_time_is_the_longest_wait() {
    let gate = Gate::new();
    let openai = half_said(&gate).await;
    let setup = Setup::new().openai(&openai).set("server.drain_timeout_ms", 1500);
    let (mut gateway, key) = setup.start().await.with_key().await;
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "cut");
    let mut stream = gateway.stream(request).await;
    assert_eq!(stream.next_text().await, "one ");
    draining(&gateway).await;
    let asked = std::time::Instant::now();
    let rest = stream.rest().await;
    assert_eq!(rest.errors().len(), 1, "{rest:?}");
    let cut = asked.elapsed().as_millis();
    assert!(cut > 1_000, "the drain time belongs to the streams: cut after {cut} ms");
    let line = gateway.request_log("cut").await;
    assert_eq!((&line["error"], &line["level"]), (&"gateway_stopping".into(), &"error".into()), "{line}");
    assert_eq!(gateway.exit().await.code(), Some(0));
    openai.request(1).await.abandoned().await;
    // What was generated is counted and booked before the end.
    let gateway = Setup::new().start_in(gateway.into_folder()).await;
    let usage = gateway.admin("GET", "/admin/usage?group_by=model", None).await.expect(200).json();
    assert_eq!((&usage["data"][0]["requests"], &usage["data"][0]["estimated"]), (&1.into(), &1.into()), "{usage}");
}

/// Nothing under way: the end is at once.
#[tokio::test]
async fn d10_an_idle_gateway_ends_at_once() {
    let (mut gateway, key) = Setup::new().start().await.with_key().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    let asked = std::time::Instant::now();
    gateway.terminate().await;
    assert_eq!(gateway.exit().await.code(), Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "{:?}", asked.elapsed());
}
