//! The log: JSON, one line a request, filterable as the quick reference shows, and silent about what was said.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Gateway, Request, Setup, eventually};

/// One line a request with everything that an operator asks, and nothing of the conversation (H1).
#[tokio::test]
async fn a_request_is_one_line() {
    let openai = FakeProvider::answering(openai::answer("a secret answer")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let made = gateway.make_key(json!({ "user_id": "u1", "team_id": "t1" })).await;
    let key = made["virtual_key"].as_str().unwrap();
    let answer =
        gateway.ask(Request::hello(key, "gpt-4o-mini").header("x-portkey-trace-id", "abc-123")).await.expect(200);
    assert_eq!(answer.header("x-portkey-trace-id"), Some("abc-123"));

    let line = gateway.request_log("abc-123").await;
    let expected = json!({ "level": "info", "provider": "openai", "model": "gpt-4o-mini", "status": 200,
        "prompt_tokens": 10, "completion_tokens": 15, "cost_usd": openai::COST, "key_id": made["id"], "user_id": "u1",
        "team_id": "t1", "stream": false, "path": "/v1/chat/completions" });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
    assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    assert!(
        line["timestamp"].as_str().is_some_and(|time| chrono::DateTime::parse_from_rfc3339(time).is_ok()),
        "{line}"
    );
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));

    let lines = gateway.stdout();
    assert_eq!(lines.iter().filter(|line| line.contains("abc-123")).count(), 1);
    for line in &lines {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no JSON: {line}");
        assert!(!line.contains("secret answer") && !line.contains("Xin chào") && !line.contains(key), "{line}");
    }
}

/// The trace id of `traceparent` is taken where Portkey's header is absent; without both one is made, and echoed.
#[tokio::test]
async fn trace_ids_are_taken_over_or_made() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::hello(&key, "sim-text").header("traceparent", parent);
    let answer = gateway.ask(request).await.expect(200);
    assert_eq!(answer.header("x-portkey-trace-id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    gateway.request_log("4bf92f3577b34da6a3ce929d0e0e4736").await;
    let made = gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    let made = made.header("x-portkey-trace-id").unwrap();
    assert!(made.len() >= 16);
    gateway.request_log(made).await;
}

/// `jq 'select(.level == "error")'` finds what failed on the provider's side; refused requests have their line too.
#[tokio::test]
async fn levels_tell_errors_from_refusals() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    for (request, trace, level, status) in [
        (Request::hello(&key, "gpt-4o-mini"), "failed", "error", 500),
        (Request::hello("vk-nobody", "gpt-4o-mini"), "refused", "warn", 401),
        (Request::hello(&key, "sim-text"), "fine", "info", 200),
    ] {
        gateway.ask(request.header("x-portkey-trace-id", trace)).await.expect(status);
        let line = gateway.request_log(trace).await;
        assert_eq!((&line["level"], &line["status"]), (&json!(level), &json!(status)), "{line}");
    }
}

/// A gateway whose log nobody reads, and a key whose requests make lines of some kilobytes.
async fn unread() -> (Gateway, String) {
    let gateway = Setup::new().set("log.level", "debug").start_unread().await;
    let name = "🙂".repeat(200);
    let key = gateway.new_key(json!({ "provider": "simulator", "user_id": name, "team_id": name })).await;
    (gateway, key)
}

/// Asks until the log has dropped some lines.
async fn flood(gateway: &Gateway, key: &str) {
    let unknown = Request::hello(key, &format!("sim-text-{}", "🙂".repeat(200)));
    let asked = async {
        while gateway.scrape().await.sum("gateway_log_lines_dropped_total", &[]) < 10.0 {
            join_all((0..50).map(|_| gateway.ask(unknown.clone()))).await;
            gateway.ask(Request::hello(key, "sim-text")).await.expect(200);
            gateway.ask(Request::get("/health/live")).await.expect(200);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("the log is full");
}

/// H-6, J 1, G5: nobody reads standard output. Requests and probes are answered all the same, what does not fit is counted,
/// and when somebody reads on, lines are whole and the log says what is missing.
#[tokio::test]
async fn h6_a_log_that_nobody_reads_stops_nothing() {
    let (gateway, key) = unread().await;
    flood(&gateway, &key).await;
    let writer = gateway.actor("log_writer").await;
    assert!(writer["mailbox_depth"].as_u64() > Some(50), "{writer}");
    assert!(writer["state"]["dropped_lines"].as_u64() >= Some(10), "{writer}");
    gateway.read_log();
    let missing =
        |line: &Value| line["message"].as_str().is_some_and(|text| text.starts_with("log lines were dropped"));
    let told = gateway.wait_for_log("what is missing is told", missing).await;
    assert!(told["lines"].as_u64() >= Some(10) && told["level"] == "warn", "{told}");
    for line in gateway.stdout() {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "no JSON: {line:.200}");
    }
    eventually("the log is written", async || gateway.actor("log_writer").await["mailbox_depth"] == 0).await;
}

/// H-6, D10: SIGTERM ends a gateway whose log nobody reads.
#[tokio::test]
async fn h6_a_log_that_nobody_reads_does_not_hold_the_end_up() {
    let (mut gateway, key) = unread().await;
    flood(&gateway, &key).await;
    let asked = Instant::now();
    gateway.terminate().await;
    assert_eq!(gateway.exit().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// J 29: `log.level` down to trace tells more than info, of the gateway alone.
#[tokio::test]
async fn j29_finer_levels_tell_more() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let gateway = Setup::new().openai(&openai).set("log.level", "trace").start().await;
    let key = gateway.new_key(json!({})).await;
    let config = json!({ "provider": "openai", "retry": { "attempts": 1, "base_delay_ms": 1 } });
    gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(500);
    for (level, message) in [("debug", "attempt"), ("debug", "an attempt failed"), ("trace", "the ledger keeps house")]
    {
        let line = gateway.wait_for_log(message, |line| line["level"] == level && line["message"] == message).await;
        assert!(line["target"].as_str().unwrap().starts_with("gateway"), "{line}");
    }
}

/// F03: SIGHUP opens the log file anew, so that it can be moved away while the gateway runs.
#[tokio::test]
async fn f03_a_moved_log_file_is_made_anew() {
    let folder = TempDir::new();
    let (now, moved) = (folder.path().join("gateway.log"), folder.path().join("gateway.log.1"));
    // The log does not tell where the gateway listens.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new().set("log.file", now.display()).set("server.listen", address);
    let process = setup.command(folder.path()).arg("serve").spawn().unwrap();
    let has = async |file: &std::path::Path, word: &str| {
        eventually("the log file has its lines", async || {
            std::fs::read_to_string(file).is_ok_and(|text| text.contains(word))
        })
        .await;
    };
    has(&now, "listening").await;
    std::fs::rename(&now, &moved).unwrap();
    let pid = process.id().unwrap();
    let sent = std::process::Command::new("kill").args(["-HUP", &pid.to_string()]).status().unwrap();
    assert!(sent.success());
    let refused = Request::hello("vk-unknown", "sim-text").send(address).await.answer().await;
    assert_eq!(refused.status, 401);
    has(&now, "/v1/chat/completions").await;
    assert!(!std::fs::read_to_string(&moved).unwrap().contains("/v1/chat/completions"));
}
