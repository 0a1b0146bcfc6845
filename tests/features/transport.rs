//! The way to a provider: connections that are used again, codings, limits, certificates, and why there is no connection.

use std::time::Duration;

use gateway_testkit::compression::gzip;
use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::raw_provider::{RawProvider, Turn};
use crate::harness::temp_dir::TempDir;
use crate::harness::tls_front::TlsFront;
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup, in_time};

/// An answer with these header lines, each with its line end.
fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn hello_from(headers: &str) -> Vec<u8> {
    answer("200 OK", headers, openai::completion("hello").to_string().as_bytes())
}

/// The gateway with one worker, so that all requests share its connections.
async fn before(provider: &RawProvider) -> (Gateway, String) {
    with(Setup::new(), provider).start().await.with_key().await
}

fn with(setup: Setup, provider: &RawProvider) -> Setup {
    let setup = setup.set("server.workers", 1).env("OPENAI_API_KEY", "sk-openai-own");
    setup.set("providers.openai.base_url", format!("http://{}/v1", provider.address))
}

async fn ask(gateway: &Gateway, key: &str) -> crate::harness::Answer {
    gateway.ask(Request::hello(key, "gpt-4o-mini")).await
}

async fn window(gateway: &Gateway) -> serde_json::Value {
    gateway.actor("provider:openai").await["state"]["window"].clone()
}

/// J 7: what a connection that was used before does not answer is sent once more on a new one, and blames nobody; a new
/// connection that ends the same way is the provider's failure.
#[tokio::test]
async fn j7_a_request_on_a_connection_that_closes_is_sent_once_more() {
    let provider = RawProvider::start(|connection, request| match (connection, request) {
        (..20, 0) => Turn::write(hello_from("")),
        _ => Turn::close(""),
    })
    .await;
    let (gateway, key) = before(&provider).await;
    for n in 1..=20 {
        assert_eq!(ask(&gateway, &key).await.expect(200).content(), "hello", "{n}");
    }
    assert_eq!((provider.connections(), provider.requests()), (20, 39));
    assert_eq!(window(&gateway).await["failures"], 0);
    let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "j7");
    let error = gateway.ask(request).await.expect(503).json();
    assert_eq!(error["error"]["code"], "provider_unreachable");
    assert!(error["error"]["message"].as_str().unwrap().contains("closed the connection"), "{error}");
    assert_eq!(gateway.request_log("j7").await["cause"], "closed_before_answer");
    assert_eq!((provider.connections(), provider.requests()), (21, 41), "once more, and not again");
    assert_eq!(gateway.actor("provider:openai").await["state"]["last_failure"], "closed_before_answer");
}

/// J 7: a request that a provider had for more than a second is not sent again, as it may have been charged for.
#[tokio::test]
async fn j7_a_request_that_a_provider_had_for_long_is_sent_once() {
    let provider = RawProvider::start(|_, request| match request {
        0 => Turn::write(hello_from("")),
        _ => Turn::close("").after(Duration::from_millis(1200)),
    })
    .await;
    let (gateway, key) = before(&provider).await;
    assert_eq!(ask(&gateway, &key).await.expect(200).content(), "hello");
    let error = ask(&gateway, &key).await.expect(503).json();
    assert_eq!(error["error"]["code"], "provider_unreachable");
    assert!(error["error"]["message"].as_str().unwrap().contains("closed the connection"), "{error}");
    assert_eq!((provider.connections(), provider.requests()), (1, 2), "nothing is sent twice");
}

/// J 7: a connection is not used again when its server keeps it no longer: as it tells, or as it is configured.
#[tokio::test]
async fn j7_what_a_server_tells_of_its_connections_is_heeded() {
    for (headers, keep_alive_ms, connections) in [
        ("", 50_000, 1),
        ("keep-alive: timeout=60, max=100\r\n", 50_000, 1),
        ("keep-alive: timeout=0\r\n", 50_000, 3),
        ("connection: close\r\n", 50_000, 3),
        ("", 0, 3),
    ] {
        let provider = RawProvider::start(move |_, _| Turn::write(hello_from(headers))).await;
        let setup = with(Setup::new(), &provider).set("providers.openai.keep_alive_ms", keep_alive_ms);
        let (gateway, key) = setup.start().await.with_key().await;
        for _ in 0..3 {
            ask(&gateway, &key).await.expect(200);
        }
        assert_eq!(provider.connections(), connections, "{headers:?}, {keep_alive_ms}");
    }
}

/// J 27: hundreds of header lines are read, and not megabytes of them.
#[tokio::test]
async fn j27_many_headers_are_read_within_a_bound() {
    let lines = |count: usize, value: &str| -> String { (0..count).map(|n| format!("x-{n}: {value}\r\n")).collect() };
    let (many, large) = (hello_from(&lines(500, "value")), hello_from(&lines(500, &"v".repeat(4_000))));
    let provider = RawProvider::start(move |connection, _| {
        Turn::write(if connection == 0 { many.clone() } else { large.clone() })
    })
    .await;
    let (gateway, key) = before(&provider).await;
    ask(&gateway, &key).await.expect(200);
    let (gateway, key) = before(&provider).await;
    assert_eq!(ask(&gateway, &key).await.expect(502).json()["error"]["code"], "provider_broken");
}

/// J 4: a stream whose last event lacks its blank line ends well, and the next request is served on the same worker.
#[tokio::test]
async fn j4_a_body_that_ended_is_not_read_again() {
    let events = openai::stream_of(&["hello"]).concat();
    let cut = events.trim_end().to_owned();
    let provider = RawProvider::start(move |_, _| {
        Turn::write(answer("200 OK", "content-type: text/event-stream\r\n", cut.as_bytes()))
    })
    .await;
    let (gateway, key) = before(&provider).await;
    for n in 0..3 {
        let trace = format!("j4-{n}");
        let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", &trace);
        let events = gateway.stream(request).await.rest().await;
        assert!(events.is_done() && events.text() == "hello", "{events:?}");
        assert_eq!(gateway.request_log(&trace).await["status"], 200);
    }
    assert_eq!(provider.connections(), 1, "its connection is used again");
    assert!(gateway.stderr().is_empty(), "{:?}", gateway.stderr());
}

/// coding-in: an answer that comes compressed though nobody asked for that is read: whole, streamed, and an error's text.
#[tokio::test]
async fn compressed_answers_are_read() {
    let error = br#"{"error":{"message":"the model is asleep","type":"x"}}"#;
    let stream = openai::stream_of(&["hello"]).concat();
    let turns = [
        answer("200 OK", GZIP, &gzip(openai::completion("hello").to_string().as_bytes())),
        answer("400 Bad Request", GZIP, &gzip(error)),
        answer("200 OK", &format!("content-type: text/event-stream\r\n{GZIP}"), &gzip(stream.as_bytes())),
        answer("200 OK", "content-encoding: rot13\r\n", b"{}"),
        answer("429 Too Many Requests", "content-encoding: rot13\r\n", b"{}"),
        answer("200 OK", GZIP, b"{\"no\": \"gzip\"}"),
    ];
    // A connection whose answer cannot be read is given up.
    let turn = move |connection, request| if connection == 0 { request } else { 3 + connection };
    let provider = RawProvider::start(move |connection, request| Turn::write(turns[turn(connection, request)].clone()));
    let provider = provider.await;
    let (gateway, key) = before(&provider).await;
    assert_eq!(ask(&gateway, &key).await.expect(200).content(), "hello");
    assert!(ask(&gateway, &key).await.expect(400).text().contains("the model is asleep"));
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert!(events.is_done() && events.text() == "hello", "{events:?}");
    assert_eq!(provider.connections(), 1, "a connection is used again after each");
    for status in [502, 429] {
        let error = ask(&gateway, &key).await.expect(status).json();
        assert!(error["error"]["message"].as_str().unwrap().contains("'rot13'"), "{error}");
    }
    ask(&gateway, &key).await.expect(502);
}

const GZIP: &str = "content-encoding: gzip\r\n";

/// F02: a query of a base address stays at the end of what is asked for.
#[tokio::test]
async fn f02_a_base_url_may_have_a_query() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai);
    let setup = setup.set("providers.openai.base_url", openai.origin() + "/v1?api-version=2024-10-21");
    let (gateway, key) = setup.start().await.with_key().await;
    ask(&gateway, &key).await.expect(200);
    assert_eq!(openai.request(1).await.path, "/v1/chat/completions?api-version=2024-10-21");
}

/// J 16: why there is no connection is told in a word, to the log and the metric.
#[tokio::test]
async fn j16_why_there_is_no_connection_is_told() {
    let refusing = FakeProvider::refusing().await;
    let plain = FakeProvider::answering(Reply::silence()).await;
    let places = [
        ("dns", format!("http://{}.invalid/v1", "x".repeat(64))),
        ("refused", refusing.origin() + "/v1"),
        ("connect_timeout", plain.origin().replace("http://", "https://") + "/v1"),
    ];
    for (cause, place) in places {
        let setup = Setup::new().set("providers.openai.base_url", place).env("OPENAI_API_KEY", "sk-x");
        let setup = setup.set("providers.openai.timeouts.connect_ms", 500);
        let (gateway, key) = setup.start().await.with_key().await;
        let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "j16");
        let error = gateway.ask(request).await.json();
        assert_eq!(error["error"]["code"], "provider_unreachable", "{cause}: {error}");
        assert_eq!(gateway.request_log("j16").await["cause"], cause);
        gateway.wait_for_metric("llm_upstream_attempts_total", &[("outcome", cause)], 1.0).await;
        assert_eq!(gateway.actor("provider:openai").await["state"]["last_failure"], cause);
        gateway.wait_for_log("the line about it", |line| line["cause"] == cause && line["to"].is_string()).await;
    }
}

/// K22: a private authority is trusted where the provider's `ca` or `SSL_CERT_FILE` names it, and else told by name.
#[tokio::test]
async fn k22_a_private_authority_is_trusted_where_it_is_named() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let folder = TempDir::new();
    let front = TlsFront::start(&folder, &openai.origin()).await;
    let setup = || {
        let setup = Setup::new().env("OPENAI_API_KEY", "sk-x");
        setup.set("providers.openai.base_url", format!("https://localhost:{}/v1", front.port()))
    };
    let authority = front.authority();
    let (gateway, key) = setup().start().await.with_key().await;
    let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "k22");
    let error = gateway.ask(request).await.expect(503).json();
    assert_eq!(error["error"]["code"], "tls_certificate", "{error}");
    assert_eq!(gateway.request_log("k22").await["cause"], "tls_certificate");
    for setup in [setup().set("providers.openai.ca", &authority), setup().env("SSL_CERT_FILE", &authority)] {
        let (gateway, key) = setup.start().await.with_key().await;
        for _ in 0..2 {
            assert_eq!(ask(&gateway, &key).await.expect(200).content(), "hello");
        }
    }

    std::fs::write(folder.path().join("no.pem"), "nothing").unwrap();
    for bad in ["absent.pem", "no.pem"] {
        let bad = folder.path().join(bad).display().to_string();
        let checked =
            setup().set("providers.openai.ca", &bad).command(folder.path()).arg("check-config").output().await;
        let checked = checked.unwrap();
        let text = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success() && text.contains("providers.openai.ca: ") && text.contains(&bad), "{text}");
    }
}

/// J 15: the process may open as many files as the system allows it, and says at its start where that is too few.
#[tokio::test]
async fn j15_the_limit_of_open_files_is_raised_and_too_low_a_one_told() {
    let limit_of = |pid: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    let setup = || Setup::new().set("server.max_in_flight", 200);
    let gateway = setup().limited("ulimit -S -n 300; ulimit -H -n 700").start().await;
    assert_eq!(limit_of(gateway.pid()), "700");
    assert!(!gateway.stdout().concat().contains("open files"), "{:?}", gateway.stdout());
    let gateway = setup().limited("ulimit -n 600").start().await;
    let told = gateway.wait_for_log("too few files", |line| line["needed"].is_u64()).await;
    assert_eq!((&told["level"], &told["limit"], &told["needed"]), (&json!("warn"), &json!(600), &json!(656)));
}

/// J 15: what this machine lacks is a 503 of the gateway's own, and no failure of the provider's.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn j15_a_want_of_descriptors_blames_no_provider() {
    let openai = FakeProvider::answering(openai::answer("hello").header("connection", "close")).await;
    let setup = Setup::new().openai(&openai).set("server.workers", 1);
    let setup = setup.set("providers.openai.breaker.failure_threshold", 2);
    let (gateway, key) = setup.start().await.with_key().await;
    ask(&gateway, &key).await.expect(200);
    gateway.wait_until_idle().await;
    let lacking = async {
        loop {
            // Enough for the connection of a client and for nothing else, once those of earlier clients are closed.
            gateway.limit_descriptors(gateway.next_descriptor() + 1).await;
            if ask(&gateway, &key).await.status == 503 {
                return;
            }
        }
    };
    in_time("there is no descriptor for a provider", lacking).await;
    for _ in 0..4 {
        let error = ask(&gateway, &key).await.expect(503).json();
        assert_eq!(error["error"]["code"], "overloaded", "{error}");
    }
    gateway.limit_descriptors(1024).await;
    ask(&gateway, &key).await.expect(200);
    gateway.wait_for_metric("llm_upstream_attempts_total", &[("outcome", "out_of_descriptors")], 5.0).await;
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!((&state["breaker"], &state["window"]["failures"]), (&"closed".into(), &0.into()), "{state}");
}
