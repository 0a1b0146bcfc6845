//! The shadow check: what the semantic cache would answer is asked for anew and compared, with the real MiniLM model.

use gateway_testkit::redis::TestRedis;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{Answer, FakeProvider, Gateway, Request, Setup};
use crate::semantic::{FIRST, body, in_redis, is_ready, loading, semantic, status};

/// Its similarity to the first question is 0.940.
const POLITE: &str = "Could you please tell me how to reset my password?";
const RIGHT: &str = "You can reset it from the login page, where you choose Forgot password.";
const SAME: &str = "Choose Forgot password on the login page, from where you can reset it.";
const WRONG: &str = "The capital of France is Paris, which lies on the Seine.";
const OTHER_LANGUAGE: &str = "Vous pouvez le faire vous-même.";

/// A gateway that checks every answer, and its key.
async fn checking(setup: Setup) -> Option<(Gateway, String)> {
    let setup = loading(setup).await?.set("cache.semantic.shadow_percent", 100);
    let (gateway, key) = setup.start().await.with_key().await;
    is_ready(&gateway).await;
    Some((gateway, key))
}

/// Two questions of the same meaning share no answers with those of another conversation.
async fn ask(gateway: &Gateway, key: &str, conversation: usize, question: &str) -> Answer {
    let body = body(&format!("You help user {conversation}."), question);
    gateway.ask(Request::chat(key, &body).config(&semantic())).await
}

/// Asks two questions of the same meaning; gives what the second one was answered.
async fn ask_twice(gateway: &Gateway, key: &str, conversation: usize) -> Answer {
    let first = ask(gateway, key, conversation, FIRST).await.expect(200);
    assert_eq!(status(&first), "SEMANTIC MISS");
    ask(gateway, key, conversation, POLITE).await
}

async fn verdicts(gateway: &Gateway, verdict: &str, count: usize) {
    gateway.wait_for_metric("semantic_cache_shadow_total", &[("verdict", verdict)], count as f64).await;
}

async fn report(gateway: &Gateway) -> Value {
    gateway.admin("GET", "/admin/cache/stats", None).await.expect(200).json()["shadow"].clone()
}

/// F3: what would be a hit is answered and billed as a miss; the answers are compared, whole and streamed ones, by what they
/// say, and one that would have been wrong is thrown out.
#[tokio::test]
async fn f3_a_would_be_hit_is_asked_for_anew_and_compared() {
    let openai = FakeProvider::answering(openai::answer(RIGHT)).await;
    let Some((gateway, key)) = checking(Setup::new().openai(&openai)).await else { return };
    openai.once(openai::answer(RIGHT)).once(openai::answer(SAME));
    let checked = ask_twice(&gateway, &key, 1).await.expect(200);
    assert_eq!((status(&checked), checked.content().as_str()), ("SEMANTIC MISS", SAME));
    let metadata = &checked.json()["metadata"];
    assert_eq!((&metadata["cache_hit"], &metadata["cost_usd"]), (&json!(false), &json!(openai::COST)));
    assert_eq!(openai.count(), 2);
    verdicts(&gateway, "agrees", 1).await;
    gateway.wait_for_metric("semantic_cache_precision", &[], 1.0).await;
    let stored = ask(&gateway, &key, 1, POLITE).await.expect(200);
    assert_eq!((status(&stored), stored.content().as_str()), ("HIT", SAME));

    let mut streamed = body("You help user 1.", "How could I reset my password?");
    streamed["stream"] = json!(true);
    openai.once(openai::stream(&["You can reset it from the login page", ", where you choose Forgot password."]));
    let events = gateway.stream(Request::chat(&key, &streamed).config(&semantic())).await.rest().await;
    assert!(events.is_done() && events.text() == RIGHT, "{events:?}");
    assert_eq!(openai.count(), 3);
    verdicts(&gateway, "agrees", 2).await;

    openai.once(openai::answer(RIGHT)).once(openai::answer(WRONG));
    assert_eq!(ask_twice(&gateway, &key, 2).await.expect(200).content(), WRONG);
    verdicts(&gateway, "differs", 1).await;
    gateway.wait_for_metric("semantic_cache_precision", &[], 2.0 / 3.0).await;
    assert!(gateway.scrape().await.sum("semantic_cache_precision_lower_bound", &[]) < 0.3);
    openai.once(openai::answer(RIGHT)).once(openai::answer(OTHER_LANGUAGE));
    ask_twice(&gateway, &key, 3).await.expect(200);
    verdicts(&gateway, "uncomparable", 1).await;
    let report = report(&gateway).await;
    assert_eq!((&report["verdicts"], &report["differing"]), (&json!(3), &json!(1)));
    let namespace = &report["namespaces"][0];
    assert_eq!((&namespace["verdicts"], &namespace["namespace"]), (&json!(3), &json!("")));
    assert_eq!((&namespace["threshold"], &namespace["raised"]), (&json!(0.92), &json!(false)));
    gateway.wait_for_metric("cache_requests_total", &[("result", "semantic_miss")], 7.0).await;

    // Both answers are gone, and neither question has the other one's from now on, but each its own again.
    openai.once(openai::answer(RIGHT)).once(openai::answer(WRONG));
    for (question, answer) in [(FIRST, RIGHT), (POLITE, WRONG)] {
        let anew = ask(&gateway, &key, 2, question).await.expect(200);
        assert_eq!((status(&anew), anew.content().as_str()), ("SEMANTIC MISS", answer));
        assert_eq!(status(&ask(&gateway, &key, 2, question).await.expect(200)), "HIT");
    }
    assert_eq!(gateway.scrape().await.sum("semantic_cache_shadow_total", &[]), 4.0);
}

/// F3: where no provider answers, the stored answer is given: a check costs nobody an answer.
#[tokio::test]
async fn f3_a_check_that_fails_is_a_hit() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let Some((gateway, key)) = checking(Setup::new().openai(&openai)).await else { return };
    openai.once(openai::answer(RIGHT));
    let hit = ask_twice(&gateway, &key, 1).await.expect(200);
    assert_eq!((status(&hit), hit.content().as_str(), openai.count()), ("SEMANTIC HIT", RIGHT, 2));
    assert_eq!(hit.json()["metadata"]["cost_usd"], 0);
    gateway.wait_for_metric("cache_requests_total", &[("result", "semantic_hit")], 1.0).await;
    gateway.wait_for_metric("cache_requests_total", &[("result", "semantic_miss")], 1.0).await;
    assert!(!gateway.scrape().await.has("semantic_cache_shadow_total", &[]));
}

/// F3, F7: who has no money has the stored answer as well, for nothing.
#[tokio::test]
async fn f3_f7_a_check_that_cannot_be_paid_is_a_hit() {
    let openai = FakeProvider::answering(openai::answer(RIGHT)).await;
    let Some((gateway, _)) = checking(Setup::new().openai(&openai)).await else { return };
    let rich = gateway.new_key(json!({ "team_id": "blue" })).await;
    let poor = gateway.new_key(json!({ "team_id": "blue", "budget_limit_usd": 0 })).await;
    ask(&gateway, &rich, 1, FIRST).await.expect(200);
    assert_eq!(status(&ask(&gateway, &poor, 1, POLITE).await.expect(200)), "SEMANTIC HIT");
    assert_eq!(openai.count(), 1);
}

/// F3: where too many answers would have been wrong, the threshold of their namespace rises, and what was found before is
/// not found any more, until an operator forgets the namespace.
#[tokio::test]
async fn f3_the_threshold_of_a_namespace_rises_where_answers_are_wrong() {
    let openai = FakeProvider::answering(openai::error(500)).await;
    let Some((gateway, key)) = checking(Setup::new().openai(&openai)).await else { return };
    for conversation in 1..=20 {
        openai.once(openai::answer(RIGHT)).once(openai::answer(WRONG));
        ask_twice(&gateway, &key, conversation).await.expect(200);
        verdicts(&gateway, "differs", conversation).await;
        assert_eq!(report(&gateway).await["namespaces"][0]["raised"], json!(conversation == 20));
    }
    let risen = |line: &Value| line["message"].as_str().is_some_and(|text| text.ends_with("its threshold rises"));
    let told = gateway.wait_for_log("the threshold rises", risen).await;
    assert_eq!((&told["verdicts"], &told["differing"]), (&json!(20), &json!(20)), "{told}");
    assert_eq!(report(&gateway).await["namespaces"][0]["threshold"], 0.96);
    // A hit would be given in place of the provider's error.
    openai.once(openai::answer(RIGHT));
    assert_eq!(ask_twice(&gateway, &key, 21).await.status, 500);

    gateway.admin("DELETE", "/admin/cache?namespace=", None).await.expect(200);
    assert_eq!(report(&gateway).await["namespaces"], json!([]));
    openai.once(openai::answer(RIGHT));
    assert_eq!(status(&ask_twice(&gateway, &key, 22).await.expect(200)), "SEMANTIC HIT");
}

/// F3: a wrong answer is gone from Redis too, with its question.
#[tokio::test]
async fn f3_a_wrong_answer_leaves_the_fleet() {
    let (openai, redis) = (FakeProvider::start().await, TestRedis::start());
    let setup = Setup::new().openai(&openai).env("REDIS_URL", &redis.url());
    let Some((gateway, key)) = checking(setup).await else { return };
    openai.once(openai::answer(RIGHT)).once(openai::answer(WRONG));
    let first = ask(&gateway, &key, 1, FIRST).await.expect(200);
    let pattern = format!("--scan --pattern cache:*:{}", first.header("x-gateway-cache-key").unwrap());
    in_redis(&redis, &pattern, 2).await;
    ask(&gateway, &key, 1, POLITE).await.expect(200);
    verdicts(&gateway, "differs", 1).await;
    in_redis(&redis, "--scan --pattern cache:embeddings:*", 0).await;
    in_redis(&redis, "--scan --pattern cache:simple:*", 0).await;
}
