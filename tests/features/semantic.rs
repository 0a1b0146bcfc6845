//! Answers to questions of the same meaning, with the real MiniLM model.

use std::time::Duration;

use futures_util::future::join_all;
use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::models::with_model;
use crate::harness::temp_dir::TempDir;
use crate::harness::{Answer, FakeProvider, Gateway, Request, Setup, in_time};

/// A configuration whose gateway loads the model at once, and waits for it on a busy machine.
pub async fn loading(setup: Setup) -> Option<Setup> {
    let setup = with_model(setup).await?;
    Some(setup.set("cache.semantic.load_at_start", true).set("cache.semantic.embed_timeout_ms", 5_000))
}

pub async fn is_ready(gateway: &Gateway) {
    let ready = |line: &Value| line["message"] == "the embedding model is ready";
    gateway.wait_for_log("the model is loaded", ready).await;
}

pub fn semantic() -> Value {
    json!({ "cache": { "mode": "semantic", "ttl": 3600 } })
}

pub fn body(system: &str, question: &str) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [
        { "role": "system", "content": system }, { "role": "user", "content": question }] })
}

async fn ask(gateway: &Gateway, key: &str, question: &str) -> Answer {
    gateway.ask(Request::chat(key, &body("You help.", question)).config(&semantic())).await.expect(200)
}

pub fn status(answer: &Answer) -> &str {
    answer.header("x-portkey-cache-status").unwrap()
}

pub const FIRST: &str = "How do I reset my password?";
const PARAPHRASE: &str = "How can I reset my password?";

/// Waits until a command gives so many lines.
pub async fn in_redis(redis: &TestRedis, command: &str, count: usize) {
    let counted = async {
        while redis.cli(command).lines().count() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(command, counted).await;
}

/// F3: another wording finds the answer; another number, person, negation, system prompt, team or language does not. A wrong
/// answer can be thrown out.
#[tokio::test]
async fn f3_the_same_meaning_has_the_same_answer_and_another_has_not() {
    let openai = FakeProvider::answering(openai::answer("Click on Forgot.")).await;
    let Some(setup) = loading(Setup::new().openai(&openai)).await else { return };
    let (gateway, key) = setup.start().await.with_key().await;
    is_ready(&gateway).await;
    assert_eq!(status(&ask(&gateway, &key, FIRST).await), "SEMANTIC MISS");
    let hit = ask(&gateway, &key, PARAPHRASE).await;
    assert_eq!((status(&hit), hit.content().as_str()), ("SEMANTIC HIT", "Click on Forgot."));
    let metadata = &hit.json()["metadata"];
    assert_eq!((&metadata["cache_hit"], &metadata["cost_usd"]), (&json!(true), &json!(0)));
    assert!((0.92..1.0).contains(&metadata["similarity"].as_f64().unwrap()), "{metadata}");
    let id = metadata["cache_key"].as_str().unwrap().to_owned();
    assert_eq!(status(&ask(&gateway, &key, FIRST).await), "HIT");
    assert_eq!(openai.count(), 1);
    gateway.wait_for_metric("semantic_cache_embedding_seconds_count", &[], 2.0).await;
    // Nothing is checked unless it is asked for.
    assert!(!gateway.scrape().await.has("semantic_cache_shadow_total", &[]));

    for other in
        ["How do I reset my manager's password?", "How do I not reset my password?", "How do I reset my 2 passwords?"]
    {
        assert_eq!(status(&ask(&gateway, &key, other).await), "SEMANTIC MISS", "{other}");
    }
    let elsewhere = Request::chat(&key, &body("You are rude.", PARAPHRASE)).config(&semantic());
    assert_eq!(status(&gateway.ask(elsewhere).await.expect(200)), "SEMANTIC MISS");
    let stranger = gateway.new_key(json!({})).await;
    assert_eq!(status(&ask(&gateway, &stranger, PARAPHRASE).await), "SEMANTIC MISS");
    ask(&gateway, &key, "Làm sao để đặt lại mật khẩu?").await;
    gateway.wait_for_metric("semantic_cache_skipped_total", &[("reason", "other_language")], 1.0).await;
    gateway.wait_for_metric("cache_requests_total", &[("result", "semantic_hit")], 1.0).await;

    let wrong = json!({ "id": id, "verdict": "wrong" });
    let done = gateway.admin("POST", "/admin/cache/feedback", Some(wrong)).await.expect(200).json();
    assert_eq!(done["forgotten"], 1);
    assert_eq!(status(&ask(&gateway, &key, PARAPHRASE).await), "SEMANTIC MISS");
    gateway.wait_for_metric("semantic_cache_feedback_total", &[("verdict", "wrong")], 1.0).await;
}

/// Those who wait for an equal question that is answered by its meaning are answered by it too.
#[tokio::test]
async fn equal_questions_at_once_are_all_answered_by_their_meaning() {
    let openai = FakeProvider::answering(openai::answer("Click on Forgot.")).await;
    let Some(setup) = loading(Setup::new().openai(&openai)).await else { return };
    // Only one of them can be embedded.
    let (gateway, key) = setup.set("actors.cache.embed_queue", 1).start().await.with_key().await;
    is_ready(&gateway).await;
    ask(&gateway, &key, FIRST).await;
    for answer in join_all((0..10).map(|_| ask(&gateway, &key, PARAPHRASE))).await {
        assert_eq!(status(&answer), "SEMANTIC HIT");
    }
    assert_eq!(openai.count(), 1);
}

/// A fleet finds what any of its gateways has answered, and one that starts anew reads it all again.
#[tokio::test]
async fn a_fleet_shares_its_questions() {
    let (openai, redis) = (FakeProvider::answering(openai::answer("Click on Forgot.")).await, TestRedis::start());
    let (shared, url) = (TempDir::new(), TestPostgres::shared().database());
    let start = async || {
        let master_key = shared.path().join("master.key").display().to_string();
        let setup = Setup::new().openai(&openai).env("DATABASE_URL", &url).env("REDIS_URL", &redis.url());
        let gateway = loading(setup.set("security.master_key_file", master_key)).await?.start().await;
        is_ready(&gateway).await;
        Some(gateway)
    };
    let Some(one) = start().await else { return };
    let key = one.new_key(json!({})).await;
    assert_eq!(status(&ask(&one, &key, FIRST).await), "SEMANTIC MISS");
    // As the documentation counts them.
    in_redis(&redis, "--scan --pattern cache:embeddings:*", 1).await;
    let other = start().await.unwrap();
    other.wait_for_metric("semantic_cache_questions", &[], 1.0).await;
    assert_eq!(status(&ask(&other, &key, PARAPHRASE).await), "SEMANTIC HIT");
    assert_eq!(openai.count(), 1);
}

/// A question that is answered while the model is loaded can be found by its meaning once it is.
#[tokio::test]
async fn questions_that_came_before_the_model_are_found() {
    let openai = FakeProvider::answering(openai::answer("Click on Forgot.")).await;
    let Some(setup) = with_model(Setup::new().openai(&openai)).await else { return };
    let (gateway, key) = setup.set("cache.semantic.embed_timeout_ms", 5_000).start().await.with_key().await;
    assert_eq!(status(&ask(&gateway, &key, FIRST).await), "SEMANTIC MISS");
    gateway.wait_for_metric("semantic_cache_skipped_total", &[("reason", "not_ready")], 1.0).await;
    is_ready(&gateway).await;
    gateway.wait_for_metric("semantic_cache_questions", &[], 1.0).await;
    let hit = ask(&gateway, &key, PARAPHRASE).await;
    assert_eq!((status(&hit), hit.content().as_str()), ("SEMANTIC HIT", "Click on Forgot."));
    assert_eq!(openai.count(), 1);
}

/// A question that was answered where no model is can be found by its meaning, in the whole fleet, once an equal one has had
/// its answer; equal ones after that are not embedded, nor are those that the model refuses.
#[tokio::test]
async fn an_exact_hit_makes_a_question_known() {
    let (openai, redis) = (FakeProvider::answering(openai::answer("Click on Forgot.")).await, TestRedis::start());
    let (shared, url) = (TempDir::new(), TestPostgres::shared().database());
    let setup = || {
        let master_key = shared.path().join("master.key").display().to_string();
        let setup = Setup::new().openai(&openai).env("DATABASE_URL", &url).env("REDIS_URL", &redis.url());
        setup.set("security.master_key_file", master_key)
    };
    let Some(with_model) = loading(setup()).await else { return };
    let offline = setup().set("cache.semantic.offline", true).set("cache.semantic.cache_path", "nothing-here");
    let without = offline.start().await;
    let key = without.new_key(json!({})).await;
    let foreign = "Làm sao để đặt lại mật khẩu?";
    for question in [FIRST, foreign] {
        assert_eq!(status(&ask(&without, &key, question).await), "SEMANTIC MISS");
    }
    in_redis(&redis, "--scan --pattern cache:simple:*", 2).await;
    assert_eq!(redis.cli("--scan --pattern cache:embeddings:*"), "");

    let gateway = with_model.start().await;
    is_ready(&gateway).await;
    let hit = async |question: &str| assert_eq!(status(&ask(&gateway, &key, question).await), "HIT", "{question}");
    hit(FIRST).await;
    for gateway in [&gateway, &without] {
        gateway.wait_for_metric("semantic_cache_questions", &[], 1.0).await;
    }
    assert_eq!(redis.cli("--scan --pattern cache:embeddings:*").lines().count(), 1);
    for _ in 0..20 {
        hit(FIRST).await;
        hit(foreign).await;
    }
    assert_eq!(status(&ask(&gateway, &key, PARAPHRASE).await), "SEMANTIC HIT");
    assert_eq!(openai.count(), 2);
    assert_eq!(gateway.actor("embed").await["handled"], 2, "the first question and the paraphrase");
}

/// Without the model everything is as with an exact cache, and the reason is told.
#[tokio::test]
async fn without_the_model_the_cache_is_exact() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).set("cache.semantic.offline", true);
    let (gateway, key) = setup.set("cache.semantic.cache_path", "nothing-here").start().await.with_key().await;
    assert_eq!(status(&ask(&gateway, &key, FIRST).await), "SEMANTIC MISS");
    assert_eq!(status(&ask(&gateway, &key, FIRST).await), "HIT");
    assert_eq!(status(&ask(&gateway, &key, PARAPHRASE).await), "SEMANTIC MISS");
    let told = async {
        while !gateway.ask(Request::get("/health/ready")).await.expect(200).text().contains("semantic cache") {}
    };
    in_time("readiness says why", told).await;
    let embedder = gateway.actor("embed").await;
    assert_eq!(embedder["state"]["pool"]["model_state"], "missing", "{embedder}");
}
