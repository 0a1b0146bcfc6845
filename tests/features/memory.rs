//! What requests take of the gateway's memory (G4), as Linux counts it.

use std::ops::Range;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::client::hello;
use crate::harness::{FakeProvider, Reply, Request, Setup};

const MIB: u64 = 1 << 20;

/// What actix keeps of the buffer that a connection reads into, where a body has filled it, and the like.
const BUFFERS: u64 = 256 << 10;

/// What the process may take beside the requests in question: its threads, connections and tables grow a little.
const BESIDE: u64 = 12 * MIB;

/// What the allocator holds back, and what the system rounds up to huge pages, are no requests'.
fn exact(setup: Setup) -> Setup {
    setup.env("MIMALLOC_PURGE_DELAY", "0").env("MIMALLOC_ALLOW_THP", "0")
}

/// G4: who may not ask is told so before the body has come, however large it is.
#[tokio::test]
async fn g4_who_may_not_ask_is_told_before_the_body_comes() {
    let gateway = Setup::new().start().await;
    let made = gateway.make_key(json!({})).await;
    let revoked = made["virtual_key"].as_str().unwrap();
    let path = format!("/admin/virtual-keys/{}", made["id"].as_str().unwrap());
    gateway.admin("DELETE", &path, None).await.expect(200);
    let body = vec![b' '; 1_000_000];
    for key in ["vk-unknown", revoked] {
        let request = Request::new("POST", "/v1/chat/completions").key(key).body(body.clone());
        request.send_without(body.len(), gateway.address).await.answer().await.expect(401);
    }
    gateway.wait_until_idle().await;
}

/// G4: a model that a key may not use is refused before the body is made a tree of, which would take many times the body.
#[tokio::test]
async fn g4_a_model_that_is_not_allowed_costs_no_tree() {
    let gateway = Setup::new().start().await;
    let key = gateway.new_key(json!({ "allowed_models": ["other"], "tokens_per_minute": 2_000_000_000 })).await;
    let many = 12 * MIB as usize;
    let body = format!(r#"{{"model":"gpt-4o","messages":[],"deep":[{}[]]}}"#, "[],".repeat(many / 3));
    let config = json!({ "cache": { "mode": "semantic" } });
    gateway.ask(Request::chat(&key, &hello("gpt-4o")).config(&config)).await.expect(403);
    gateway.forget_peak();
    let before = gateway.memory("VmHWM");
    let request = Request::new("POST", "/v1/chat/completions").key(&key).config(&config).body(body);
    gateway.ask(request).await.expect(403);
    let taken = gateway.memory("VmHWM") - before;
    assert!(taken < many as u64 * 5 / 2 + BESIDE, "{} MiB", taken / MIB);
}

/// G4: a request of 1 MB takes at most two and a half times that while it waits for its answer, whatever is asked of the
/// gateway beside.
#[tokio::test]
async fn g4_a_request_under_way_takes_at_most_2_5_times_its_body() {
    let many = 40;
    let limits = json!({ "budget_limit_usd": 1_000_000, "tokens_per_minute": 2_000_000_000, "rate_limit": 1_000 });
    let changes = json!({ "override_params": { "temperature": 1 } });
    let cached = json!({ "cache": { "mode": "semantic" } });
    let all = json!({ "cache": { "mode": "simple" }, "override_params": { "temperature": 1 } });
    for (what, limits, config) in [
        ("plain", json!({}), json!({})),
        ("changed", json!({}), changes),
        ("cached", json!({}), cached),
        ("limited", limits.clone(), json!({})),
        ("all at once", limits, all),
    ] {
        let openai = FakeProvider::answering(Reply::silence()).await;
        let gateway = exact(Setup::new().openai(&openai)).set("cache.semantic.offline", true).start().await;
        let key = gateway.new_key(limits).await;
        let send = async |words: usize, first: usize| {
            let request = |n: usize| {
                let mut body = hello("gpt-4o-mini");
                (body["seed"], body["stream"]) = (json!(n), json!(what == "all at once"));
                body["messages"][0]["content"] = json!("word ".repeat(words));
                Request::chat(&key, &body).config(&config)
            };
            let requests: Vec<Request> = (first..first + many).map(request).collect();
            let clients = join_all(requests.iter().map(|request| request.send(gateway.address))).await;
            openai.request(first + many).await;
            clients
        };
        let small = send(1, 0).await;
        let before = gateway.memory("VmRSS");
        let large = send(200_000, many).await;
        let taken = gateway.memory("VmRSS") - before;
        assert!(taken < many as u64 * (2_500_000 + BUFFERS), "{what}: {} KB each", taken / 1000 / many as u64);
        drop((small, large));
    }
}

/// G4: requests that are over leave nothing behind: a leak of half a KiB each would be seen.
#[tokio::test]
async fn g4_requests_leave_nothing_behind() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = exact(Setup::new().openai(&openai)).set("cache.max_bytes", MIB).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1_000, "tokens_per_minute": 2_000_000_000 })).await;
    let config = json!({ "cache": { "mode": "simple" } });
    let ask = async |numbers: Range<usize>| {
        for first in numbers.step_by(20) {
            let request = |n: usize| {
                let mut body = hello("gpt-4o-mini");
                (body["seed"], body["max_tokens"]) = (json!(n), json!(15));
                body["messages"][0]["content"] = json!("word ".repeat(1_000));
                Request::chat(&key, &body).config(&config)
            };
            join_all((first..first + 20).map(async |n| gateway.ask(request(n)).await.expect(200))).await;
        }
        gateway.wait_until_idle().await;
        gateway.memory("VmRSS")
    };
    let before = ask(0..4_000).await;
    let after = ask(4_000..8_000).await;
    assert!(after < before + 2 * MIB, "{} KiB more", (after - before) / 1024);
}

/// J 30: the memory of a burst is given back though nothing follows it.
#[tokio::test]
async fn j30_memory_of_a_burst_is_given_back() {
    let openai = FakeProvider::answering(openai::answer("short")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
    gateway.forget_peak();
    let before = gateway.memory("VmRSS");
    let mut body = hello("gpt-4o-mini");
    body["messages"][0]["content"] = json!("a".repeat(8 * MIB as usize));
    let burst = join_all((0..16).map(|_| gateway.ask(Request::chat(&key, &body)))).await;
    let statuses: Vec<u16> = burst.iter().map(|answer| answer.status).collect();
    let taken = gateway.memory("VmHWM") - before;
    assert!(taken > 64 * MIB, "{} MiB for {statuses:?}", taken / MIB);
    let given_back = async {
        while gateway.memory("VmRSS") > before + taken / 3 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(90), given_back).await;
    assert!(waited.is_ok(), "{} MiB of {}", (gateway.memory("VmRSS") - before) / MIB, taken / MIB);
}
