//! What a process hears of the others through Redis, where the way is not good (M-3, J 17, L-3).

use std::time::{Duration, Instant};

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;
use serde_json::json;
use tokio::task::block_in_place;

use crate::harness::bodies::openai;
use crate::harness::deaf_proxy::DeafProxy;
use crate::harness::temp_dir::TempDir;
use crate::harness::{Answer, FakeProvider, Gateway, Request, Setup, eventually, in_time};

/// A silent subscription is noticed within two heartbeats of two seconds; the machine may be busy.
const SECONDS: Duration = Duration::from_secs(10);

async fn ask(gateway: &Gateway, key: &str) -> Answer {
    gateway
        .ask(Request::hello(key, "gpt-4o-mini").config(&json!({ "cache": { "mode": "simple", "max_age": 3600 } })))
        .await
        .expect(200)
}

async fn is_hit(gateway: &Gateway, key: &str) -> bool {
    ask(gateway, key).await.header("x-portkey-cache-status") == Some("HIT")
}

/// M-3, G1, G5: a subscription that falls silent, under load, is made anew within seconds, and what was to be forgotten
/// meanwhile is; requests notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn m3_a_subscription_that_falls_silent_is_noticed() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let redis = block_in_place(TestRedis::start);
    let database = block_in_place(|| TestPostgres::shared().database());
    let (proxy, by_proxy) = DeafProxy::before(&redis.url()).await;
    let master_key = TempDir::new();
    let setup = |url: &str| {
        let setup = Setup::new().openai(&openai).env("DATABASE_URL", &database).env("REDIS_URL", url);
        setup.set("security.master_key_file", master_key.path().join("master.key").display())
    };
    let (one, deaf) = (setup(&redis.url()).start().await, setup(&by_proxy).start().await);
    let key = one.new_key(json!({ "max_parallel": 1_000 })).await;
    let knows = async { while deaf.ask(Request::hello(&key, "sim-text")).await.status != 200 {} };
    in_time("the other gateway knows the key", knows).await;
    in_time("it hears", async { while proxy.subscriptions() == 0 {} }).await;
    ask(&one, &key).await;
    in_time("both have the answer", async { while !is_hit(&deaf, &key).await {} }).await;

    proxy.silence();
    let silent = Instant::now();
    one.admin("DELETE", "/admin/cache?all=true", None).await.expect(200);
    let mut asked = 0;
    while is_hit(&deaf, &key).await {
        assert!(silent.elapsed() < SECONDS, "the answer is still given");
        deaf.ask(Request::get("/health/live")).await.expect(200);
        asked += 1;
    }
    assert!(asked > 0, "it was deaf");
    in_time("another subscription is made", async { while proxy.subscriptions() < 2 {} }).await;
    // It hears again: what is forgotten now is forgotten at once, and nothing else is.
    in_time("both have the answer again", async { while !is_hit(&deaf, &key).await {} }).await;
    degraded(&deaf, "announce", false).await;
    one.admin("DELETE", "/admin/cache?all=true", None).await.expect(200);
    in_time("it is heard of", async { while is_hit(&deaf, &key).await {} }).await;

    // Where no subscription comes about, the readiness names it, and requests go on.
    proxy.silence_for_good();
    degraded(&deaf, "announce", true).await;
    deaf.ask(Request::hello(&key, "sim-text")).await.expect(200);
    proxy.silence();
    degraded(&deaf, "announce", false).await;
}

/// Waits until the readiness names something, or does not any more; it is 200 all the time.
async fn degraded(gateway: &Gateway, name: &str, is_named: bool) {
    eventually(&format!("{name} is named: {is_named}"), async || {
        let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
        ready["degraded"].to_string().contains(name) == is_named
    })
    .await;
}

/// L-3: a subscription that is made anew, with nothing to be forgotten meanwhile, costs no answer.
#[tokio::test(flavor = "multi_thread")]
async fn l3_a_new_subscription_keeps_the_answers() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let redis = block_in_place(TestRedis::start);
    let (proxy, url) = DeafProxy::before(&redis.url()).await;
    let gateway = Setup::new().openai(&openai).env("REDIS_URL", &url).start().await;
    let key = gateway.new_key(json!({})).await;
    ask(&gateway, &key).await;
    for lost in 1..=3 {
        in_time("it hears", async { while proxy.subscriptions() < lost {} }).await;
        // Redis has lost the answer, so that a hit is this process' own.
        redis.cli("eval for(_,name)in(ipairs(redis.call('keys','cache:*')))do(redis.call('del',name))end 0");
        assert!(is_hit(&gateway, &key).await);
        redis.cli("client kill type pubsub");
    }
    assert_eq!(openai.count(), 1);
}

/// J 17, G5: a Redis that refuses is degraded by its code and told once, limits go on, and a failover back is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn j17_a_redis_that_refuses_is_degraded_by_name_and_told_once() {
    let redis = block_in_place(TestRedis::start);
    let gateway = Setup::new().env("REDIS_URL", &redis.url()).start().await;
    let key = gateway.new_key(json!({ "rate_limit": 100_000 })).await;
    degraded(&gateway, "redis", false).await;
    redis.cli("replicaof 127.0.0.1 1");
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    degraded(&gateway, "READONLY", true).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = gateway.stdout().iter().filter(|line| line.contains("Redis is unavailable")).count();
    assert!((1..=2).contains(&told), "once for each of its uses: {:?}", gateway.stdout());
    redis.cli("replicaof no one");
    degraded(&gateway, "redis", false).await;
}

/// J 28, E6: a process that was stopped for a while, in the middle of its questions, does not take that for an outage of
/// Redis and count by itself.
#[tokio::test(flavor = "multi_thread")]
async fn j28_a_process_that_slept_lets_no_more_through() {
    const LIMIT: u64 = 40;
    let redis = block_in_place(TestRedis::start);
    let database = block_in_place(|| TestPostgres::shared().database());
    let master_key = TempDir::new();
    let setup = || {
        let setup = Setup::new().env("DATABASE_URL", &database).env("REDIS_URL", &redis.url());
        setup.set("security.master_key_file", master_key.path().join("master.key").display())
    };
    let (awake, sleeper) = (setup().start().await, setup().start().await);
    let key = awake.new_key(json!({ "rate_limit": LIMIT })).await;
    let knows = async { while sleeper.ask(Request::get("/v1/models").key(&key)).await.status != 200 {} };
    in_time("the other gateway knows the key", knows).await;
    let begun = Instant::now();
    let mut served = 0;
    for round in 0..4 {
        let asks = |gateway: &Gateway| {
            let (address, request) = (gateway.address, Request::hello(&key, "sim-text"));
            (0..8).map(move |_| {
                let request = request.clone();
                tokio::spawn(async move { request.send(address).await.answer().await.status })
            })
        };
        let pending: Vec<_> = asks(&sleeper).collect();
        sleeper.signal("STOP").await;
        for ask in asks(&awake).collect::<Vec<_>>() {
            served += u64::from(ask.await.unwrap() == 200);
        }
        tokio::time::sleep(Duration::from_millis(600 * (round + 1))).await;
        sleeper.signal("CONT").await;
        for ask in pending.into_iter().chain(asks(&sleeper)) {
            served += u64::from(ask.await.unwrap() == 200);
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "all of it is in one window");
    assert!(served <= LIMIT, "{served} of {LIMIT}");
    assert!(served > LIMIT / 2, "{served} of {LIMIT}");
}
