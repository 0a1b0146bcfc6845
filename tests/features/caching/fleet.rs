//! Answers that gateways share through Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;
use serde_json::json;
use tokio::task::block_in_place;

use super::{ask, question, status};
use crate::harness::bodies::openai;
use crate::harness::client::hello;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Request, Setup, eventually, in_time};
use crate::semantic::in_redis;

/// Two gateways share answers through Redis; what is forgotten on one is forgotten on both; without Redis each has its
/// own, and no request fails (G1).
#[tokio::test]
async fn g1_a_fleet_shares_its_answers() {
    let (openai, redis) = (FakeProvider::answering(openai::answer("hello")).await, TestRedis::start());
    let (shared, url) = (TempDir::new(), TestPostgres::shared().database());
    let start = async || {
        let master_key = shared.path().join("master.key").display().to_string();
        let setup = Setup::new().openai(&openai).env("DATABASE_URL", &url).env("REDIS_URL", &redis.url());
        setup.set("security.master_key_file", master_key).start().await
    };
    let (one, other) = (start().await, start().await);
    let key = one.new_key(json!({})).await;
    in_time("the key is known", async { while other.ask(Request::hello(&key, "sim-text")).await.status != 200 {} })
        .await;
    let first = ask(&one, &key).await;
    let name = first.header("x-gateway-cache-key").unwrap().to_owned();
    let shared_hit = async { while status(&ask(&other, &key).await) != "HIT" {} };
    in_time("the other gateway has it from Redis", shared_hit).await;
    let asked = openai.count();
    assert!(asked <= 2, "{asked}");
    assert_eq!(redis.cli("--scan --pattern cache:simple:*").lines().count(), 1, "as the documentation counts them");

    let forgotten = one.admin("DELETE", &format!("/admin/cache?key={name}"), None).await.expect(200).json();
    assert_eq!(forgotten["forgotten_in_redis"], 1);
    let forgotten = async { while status(&ask(&other, &key).await) != "MISS" {} };
    in_time("the other gateway has forgotten it too", forgotten).await;
    for path in ["?namespace=", "?all=true"] {
        ask(&one, &key).await;
        one.admin("DELETE", &format!("/admin/cache{path}"), None).await.expect(200);
        assert_eq!(redis.cli("--scan --pattern cache:simple:*"), "");
    }
    for wrong in ["", "?key=xyz", "?all=false"] {
        one.admin("DELETE", &format!("/admin/cache{wrong}"), None).await.expect(400);
    }

    // A gateway that heard nothing for a while forgets what it has: it may have been told to.
    ask(&one, &key).await;
    in_time("both have it", async { while status(&ask(&other, &key).await) != "HIT" {} }).await;
    redis.cli("client kill type pubsub");
    one.admin("DELETE", "/admin/cache?all=true", None).await.expect(200);
    let forgotten = async { while status(&ask(&other, &key).await) != "MISS" {} };
    in_time("what was not heard of is forgotten too", forgotten).await;

    let audit = one.admin("GET", "/admin/audit", None).await.expect(200).json();
    assert!(audit["data"].as_array().unwrap().iter().any(|entry| entry["action"] == "cache.forget"));
    redis.stop();
    one.admin("DELETE", "/admin/cache?all=true", None).await.expect(503);
}

/// A question whose answer is its own text.
fn echo(key: &str, text: &str) -> Request {
    question(key, &json!({ "model": "sim-echo", "messages": [{ "role": "user", "content": text }] }))
}

/// G1: a Redis that is emptied again and again under load costs nobody an answer: both gateways answer all, each question with
/// its own answer, and what is answered after that is shared again.
#[tokio::test(flavor = "multi_thread")]
async fn g1_a_redis_that_is_emptied_under_load_is_filled_again() {
    let redis = block_in_place(TestRedis::start);
    let (shared, url) = (TempDir::new(), block_in_place(|| TestPostgres::shared().database()));
    let start = async || {
        let master_key = shared.path().join("master.key").display().to_string();
        let setup = Setup::new().env("DATABASE_URL", &url).env("REDIS_URL", &redis.url());
        setup.set("security.master_key_file", master_key).start().await
    };
    let gateways = [start().await, start().await];
    let key = gateways[0].new_key(json!({ "rate_limit": 1_000_000, "max_parallel": 1_000 })).await;
    let known = async { while gateways[1].ask(Request::hello(&key, "sim-text")).await.status != 200 {} };
    in_time("the key is known", known).await;
    let keys_in_redis = || block_in_place(|| redis.cli("--scan --pattern cache:simple:*")).lines().count();

    let (asked, hits) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let client = |address| {
        let (asked, hits, stop, key) = (asked.clone(), hits.clone(), stop.clone(), key.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                // Each question some times, on both gateways.
                let text = format!("question {}", asked.fetch_add(1, Ordering::Relaxed) / 8);
                let answer = echo(&key, &text).send(address).await.answer().await.expect(200);
                assert_eq!(answer.content(), text);
                hits.fetch_add(usize::from(status(&answer) == "HIT"), Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = (0..8).map(|n| client(gateways[n % 2].address)).collect();
    for flushed in 1..=5 {
        eventually("questions are answered and shared", async || {
            asked.load(Ordering::Relaxed) >= flushed * 200 && keys_in_redis() != 0
        })
        .await;
        block_in_place(|| redis.flush());
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(hits.load(Ordering::Relaxed) > 0);
    block_in_place(|| redis.flush());
    assert_eq!(status(&gateways[0].ask(echo(&key, "afterwards")).await.expect(200)), "MISS");
    in_redis(&redis, "--scan --pattern cache:simple:*", 1).await;
    assert_eq!(status(&gateways[1].ask(echo(&key, "afterwards")).await.expect(200)), "HIT");
}

/// G1: a Redis that is killed or hangs costs answers that are not there one short wait, then none; no request fails.
#[tokio::test]
async fn g1_a_cache_without_its_redis_is_a_cache_of_the_process() {
    let (openai, redis) = (FakeProvider::answering(openai::answer("hello")).await, TestRedis::start());
    let (gateway, key) = Setup::new().openai(&openai).env("REDIS_URL", &redis.url()).start().await.with_key().await;
    let mut asked = 0;
    let mut new_question = async || {
        asked += 1;
        let mut body = hello("gpt-4o-mini");
        body["seed"] = json!(asked);
        let begun = std::time::Instant::now();
        assert_eq!(status(&gateway.ask(question(&key, &body)).await.expect(200)), "MISS");
        let waited = begun.elapsed();
        assert_eq!(status(&gateway.ask(question(&key, &body)).await.expect(200)), "HIT");
        waited
    };
    for (break_it, mend_it) in [
        (TestRedis::freeze as fn(&TestRedis), TestRedis::thaw as fn(&TestRedis)),
        (TestRedis::stop, TestRedis::start_again),
    ] {
        new_question().await;
        break_it(&redis);
        // The hang is found out by the first that asks, within a quarter of a second.
        let first = new_question().await;
        assert!(first < std::time::Duration::from_millis(600), "{first:?}");
        let mut waits = Vec::new();
        for _ in 0..50 {
            waits.push(new_question().await);
        }
        waits.sort();
        assert!(waits[25] < std::time::Duration::from_millis(20), "{:?}", waits[25]);
        mend_it(&redis);
    }
}
