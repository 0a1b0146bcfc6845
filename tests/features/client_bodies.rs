//! What one client sends, or does not take, costs nobody else a place.

use std::time::{Duration, Instant};

use gateway_testkit::compression::gzip;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::bodies::openai;
use crate::harness::client::{exchange, hello};
use crate::harness::{FakeProvider, Gate, Gateway, Request, Setup, in_time};

fn coded(key: &str, coding: &str, body: Vec<u8>) -> Request {
    Request::new("POST", "/v1/chat/completions").key(key).header("content-encoding", coding).body(body)
}

/// M-2, D7: a whole answer that nobody reads holds its places until the client is given up, which frees its memory.
#[tokio::test]
async fn m2_an_answer_that_nobody_reads_holds_its_places() {
    let openai = FakeProvider::answering(openai::answer(&"x".repeat(12 << 20))).await;
    let setup = Setup::new().openai(&openai).set("server.max_in_flight", 3).set("server.write_timeout_ms", 1500);
    let gateway = setup.start().await;
    let greedy = gateway.new_key(json!({ "max_parallel": 2 })).await;
    let other = gateway.new_key(json!({})).await;
    let mut deaf = Vec::new();
    for n in 1..=2 {
        deaf.push(Request::hello(&greedy, "gpt-4o-mini").send(gateway.address).await);
        openai.request(n).await;
    }
    gateway.wait_for_metric("llm_requests_in_flight", &[], 2.0).await;
    let refused = gateway.ask(Request::hello(&greedy, "gpt-4o-mini")).await.expect(429).json();
    assert_eq!(refused["error"]["code"], "rate_limit_exceeded");
    gateway.ask(Request::hello(&other, "sim-text")).await.expect(200);
    gateway.wait_for_metric("gateway_stalled_clients_total", &[], 2.0).await;
    gateway.wait_until_idle().await;
    openai.always(openai::answer("short"));
    gateway.ask(Request::hello(&greedy, "gpt-4o-mini")).await.expect(200);
    drop(deaf);
}

/// J 8, E5: a key's limits are checked before its bodies come, and slow bodies take no place in the process.
#[tokio::test]
async fn j8_slow_bodies_take_nobodys_place() {
    let setup = Setup::new().set("server.max_in_flight", 2).set("server.body_timeout_ms", 3000);
    let gateway = setup.start().await;
    let limited = gateway.new_key(json!({ "max_parallel": 1, "rate_limit": 1 })).await;
    let unlimited = gateway.new_key(json!({})).await;
    let other = gateway.new_key(json!({})).await;
    let half = async |key: &str| Request::hello(key, "sim-text").send_without(5, gateway.address).await;
    let three = [half(&limited).await, half(&limited).await, half(&limited).await];
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.push(half(&unlimited).await);
        gateway.ask(Request::hello(&other, "sim-text")).await.expect(200);
    }
    for pending in slow {
        pending.answer().await.expect(408);
    }
    let mut statuses = Vec::new();
    for pending in three {
        let answer = pending.answer().await;
        assert_eq!(answer.header("retry-after").is_some(), answer.status == 429);
        statuses.push(answer.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [408, 429, 429], "one of them may send its body");
    // What was refused costs no limit anything.
    gateway.wait_until_idle().await;
    gateway.ask(Request::hello(&limited, "sim-text")).await.expect(200);
}

/// J 9: bodies under way share a bound, of which no key has all.
#[tokio::test]
async fn j9_bodies_under_way_share_a_bound() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::answer("slow").after(&gate)).await;
    let setup = Setup::new().openai(&openai).set("server.max_body_bytes", 100_000);
    let gateway = setup.set("server.max_bodies_bytes", 400_000).start().await;
    let (greedy, other) = (gateway.new_key(json!({})).await, gateway.new_key(json!({})).await);
    let large = |key: &str| {
        let mut body = hello("gpt-4o-mini");
        body["messages"][0]["content"] = json!("x".repeat(90_000));
        Request::chat(key, &body)
    };
    let mut held = Vec::new();
    for n in 1..=3 {
        held.push(large(&greedy).send(gateway.address).await);
        openai.request(n).await;
    }
    let refused = gateway.ask(large(&greedy)).await.expect(503);
    assert_eq!(refused.json()["error"]["code"], "overloaded");
    assert!(refused.header("retry-after").is_some());
    held.push(large(&other).send(gateway.address).await);
    openai.request(4).await;
    gate.open_for_good();
    for pending in held {
        pending.answer().await.expect(200);
    }
    gateway.ask(large(&greedy)).await.expect(200);
}

/// J 8: a body that trickles in is given up long before the limit of its time.
#[tokio::test]
async fn j8_a_body_has_a_least_rate() {
    let (gateway, key) = Setup::new().set("server.min_body_rate", 1_000_000).start().await.with_key().await;
    let begun = Instant::now();
    let answer = Request::hello(&key, "sim-text").send_without(5, gateway.address).await.answer().await.expect(408);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(answer.json()["error"]["code"], "request_timeout");
    // A whole one is quick enough, whatever its size.
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
}

/// J 24: who is slow, and goes on sending, reads the 408 before the connection closes.
#[tokio::test]
async fn j24_a_slow_client_reads_why() {
    let (gateway, key) = Setup::new().set("server.body_timeout_ms", 300).start().await.with_key().await;
    for framing in ["content-length: 100000", "transfer-encoding: chunked"] {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{framing}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..40 {
            let piece: &[u8] = if framing.ends_with("chunked") { b"1\r\n \r\n" } else { b" " };
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let mut all = Vec::new();
        in_time("the connection is closed", stream.read_to_end(&mut all)).await.unwrap();
        let all = String::from_utf8(all).unwrap();
        assert!(all.starts_with("HTTP/1.1 408 ") && all.contains("request_timeout"), "{framing}: {all}");
    }
}

/// coding-out, S08: compressed bodies are undone within the limit of a body; what cannot be is told with what can.
#[tokio::test]
async fn s08_compressed_bodies_are_undone() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) =
        Setup::new().openai(&openai).set("server.max_body_bytes", 300_000).start().await.with_key().await;
    let mut long = hello("gpt-4o-mini");
    long["messages"][0]["content"] = json!("Xin chào! ".repeat(20_000));
    for (n, body) in [(1, &hello("gpt-4o-mini")), (2, &long)] {
        let bytes = body.to_string().into_bytes();
        gateway.ask(coded(&key, "gzip", gzip(&bytes))).await.expect(200);
        assert_eq!(openai.request(n).await.body["messages"], body["messages"]);
        let seen = openai.request(n).await;
        assert_eq!(seen.header("content-encoding"), None);
    }
    gateway.ask(coded(&key, "gzip, gzip", gzip(&gzip(hello("gpt-4o-mini").to_string().as_bytes())))).await.expect(200);
    let bomb = gzip(&vec![b' '; 20 << 20]);
    assert!(bomb.len() < 300_000);
    let error = gateway.ask(coded(&key, "gzip", bomb)).await.expect(413).json();
    assert_eq!(error["error"]["code"], "body_too_large");
    let unknown = gateway.ask(coded(&key, "gzip, rot13", b"{}".to_vec())).await.expect(415);
    assert_eq!(unknown.header("accept-encoding"), Some("gzip, deflate, br, zstd"));
    assert_eq!(unknown.json()["error"]["param"], "content-encoding");
    let broken = gateway.ask(coded(&key, "zstd", b"{\"model\":\"m\"}".to_vec())).await.expect(400).json();
    assert_eq!(broken["error"]["param"], "content-encoding", "{broken}");
    gateway.wait_until_idle().await;
}

/// A refusal before a small body is read keeps the connection for the next request.
#[tokio::test]
async fn a_refusal_keeps_the_connection() {
    let gateway = Setup::new().start().await;
    let key = gateway.new_key(json!({ "rate_limit": 1 })).await;
    let body = hello("sim-text").to_string();
    let head = |connection: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: {connection}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let all = [head("keep-alive"), head("keep-alive"), head("close")].concat();
    let answers = exchange(all.as_bytes(), gateway.address).await;
    let statuses: Vec<&str> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "429", "429"], "{answers}");
}

/// `Expect: 100-continue` is answered before the body comes.
#[tokio::test]
async fn expect_continue_is_answered() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let body = hello("sim-text").to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nexpect: 100-continue\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    in_time("100 Continue", stream.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut all = String::new();
    in_time("an answer", stream.read_to_string(&mut all)).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
}

/// M-7: what a config's regular expressions take is bounded for all of them together, and a costly one works.
#[tokio::test]
async fn m7_regular_expressions_are_bounded() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let config = |count: usize, pattern: &str| {
        let query =
            |n: usize| json!({ "query": { "params.model": { "$regex": format!("{pattern}{n}") } }, "then": "a" });
        let conditions: Vec<_> = (0..count).map(query).collect();
        json!({ "strategy": { "mode": "conditional", "conditions": conditions, "default": "a" },
            "targets": [{ "name": "a", "provider": "openai" }] })
    };
    let error = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config(32, "(?i)\\pL{6}"))).await.expect(400);
    assert_eq!(error.json()["error"]["code"], "invalid_config");
    for _ in 0..2 {
        gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config(30, "^gpt-[0-9]o.*"))).await.expect(200);
    }
}
