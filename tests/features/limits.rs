//! Request limits per virtual key and per client address.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Reply, Request, Setup};

/// `rate_limit`: the headers count down as OpenAI's do, and one too many is a 429 that says when to come back.
/// E5: a refused request leaves what remains as it was, and reaches no provider.
#[tokio::test]
async fn e5_a_key_has_so_many_requests_a_minute() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "rate_limit": 3 })).await;
    let number = |answer: &crate::harness::Answer, name: &str| -> u32 {
        answer.header(name).unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    };
    for remaining in [2, 1, 0] {
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
        assert_eq!(number(&answer, "x-ratelimit-limit-requests"), 3);
        assert_eq!(number(&answer, "x-ratelimit-remaining-requests"), remaining);
        assert!(answer.header("x-ratelimit-reset-requests").is_some_and(|reset| reset.ends_with('s')));
    }
    for _ in 0..5 {
        let refused = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(429);
        // A minute after the first one, at most: were refusals counted, it would grow.
        assert!((1..=61).contains(&number(&refused, "retry-after")));
        assert_eq!(number(&refused, "x-ratelimit-limit-requests"), 3);
        assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
        assert!(refused.header("x-ratelimit-reset-requests").is_some());
        let error = &refused.json()["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!("rate_limit_error"), &json!("rate_limit_exceeded")));
    }
    assert_eq!(openai.count(), 3);
    gateway.wait_until_idle().await;
}

/// E5: requests of the same key that are refused for other reasons use nothing of the limit either.
#[tokio::test]
async fn e5_requests_refused_for_other_reasons_cost_nothing() {
    let gateway = Setup::new().set("server.max_body_bytes", 2000).start().await;
    let key = gateway.new_key(json!({ "rate_limit": 2 })).await;
    let posted = |body: &str| Request::new("POST", "/v1/chat/completions").key(&key).body(body);
    for _ in 0..3 {
        gateway.ask(posted("{nonsense")).await.expect(400);
        gateway.ask(posted("{}")).await.expect(400);
        gateway.ask(posted(&"x".repeat(2001))).await.expect(413);
        gateway.ask(Request::hello(&key, "sim-text").config(&json!({ "strategy": 1 }))).await.expect(400);
        gateway.ask(Request::hello(&key, "sim-text").header("x-portkey-metadata", "none")).await.expect(400);
        // And what the router refuses: it reaches no provider.
        gateway.ask(Request::hello(&key, "model-that-nobody-knows")).await.expect(400);
    }
    for remaining in ["1", "0"] {
        let answer = gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(remaining));
    }
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(429);
}

/// E5: what reaches no provider uses nothing either: it is over budget, its provider is not ready, or its client left.
#[tokio::test]
async fn e5_what_reaches_no_provider_costs_nothing() {
    let openai = FakeProvider::start().await;
    let gateway = Setup::new().openai(&openai).start().await;
    gateway.admin("PUT", "/admin/team-limits/blue", Some(json!({ "requests_per_minute": 2 }))).await.expect(200);
    let broke = gateway.new_key(json!({ "team_id": "blue", "budget_limit_usd": 0 })).await;
    let free = gateway.new_key(json!({ "team_id": "blue" })).await;
    for _ in 0..5 {
        gateway.ask(Request::hello(&broke, "gpt-4o-mini")).await.expect(429);
        gateway.ask(Request::streamed_hello(&free, "groq/llama-3.3-70b-versatile")).await.expect(503);
    }
    assert_eq!(openai.count(), 0);
    for remaining in ["1", "0"] {
        let answer = gateway.ask(Request::hello(&free, "sim-text")).await.expect(200);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(remaining));
    }
}

/// E5: a request that its key's limit refuses uses nothing of its address' limit.
#[tokio::test]
async fn e5_a_keys_limit_does_not_use_up_that_of_its_address() {
    let (gateway, free) = Setup::new().set("server.ip_rate_limit_per_minute", 2).start().await.with_key().await;
    let key = gateway.new_key(json!({ "rate_limit": 1 })).await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    for _ in 0..3 {
        gateway.ask(Request::hello(&key, "sim-text")).await.expect(429);
    }
    gateway.ask(Request::hello(&free, "sim-text")).await.expect(200);
    gateway.ask(Request::hello(&free, "sim-text")).await.expect(429);
}

/// A key without a limit has no limit's headers, and one key's limit is not another's.
#[tokio::test]
async fn limits_are_each_keys_own() {
    let gateway = Setup::new().start().await;
    let (first, second) =
        (gateway.new_key(json!({ "rate_limit": 1 })).await, gateway.new_key(json!({ "rate_limit": 1 })).await);
    let free = gateway.new_key(json!({})).await;
    gateway.ask(Request::hello(&first, "sim-text")).await.expect(200);
    gateway.ask(Request::hello(&first, "sim-text")).await.expect(429);
    gateway.ask(Request::hello(&second, "sim-text")).await.expect(200);
    let answer = gateway.ask(Request::hello(&free, "sim-text")).await.expect(200);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
}

/// A limit that is raised is in force at the next request.
#[tokio::test]
async fn a_changed_limit_is_in_force_at_once() {
    let gateway = Setup::new().start().await;
    let made = gateway.make_key(json!({ "rate_limit": 1 })).await;
    let key = made["virtual_key"].as_str().unwrap();
    gateway.ask(Request::hello(key, "sim-text")).await.expect(200);
    gateway.ask(Request::hello(key, "sim-text")).await.expect(429);
    let path = format!("/admin/virtual-keys/{}", made["id"].as_str().unwrap());
    gateway.admin("PATCH", &path, Some(json!({ "rate_limit": 100 }))).await.expect(200);
    gateway.ask(Request::hello(key, "sim-text")).await.expect(200);
}

/// The limit per client address is off by default.
#[tokio::test]
async fn addresses_have_no_limit_by_default() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    for _ in 0..20 {
        gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    }
}

/// An address has its limit over all keys, also for keys that do not exist; a forwarded address is not believed from
/// just anyone.
#[tokio::test]
async fn an_address_has_so_many_requests_a_minute() {
    let setup = Setup::new().set("server.ip_rate_limit_per_minute", 3);
    let (gateway, key) = setup.start().await.with_key().await;
    gateway.ask(Request::hello("vk-nobody", "sim-text")).await.expect(401);
    for forged in ["198.51.100.1", "198.51.100.2"] {
        gateway.ask(Request::hello(&key, "sim-text").header("x-forwarded-for", forged)).await.expect(200);
    }
    let refused =
        gateway.ask(Request::hello(&key, "sim-text").header("x-forwarded-for", "198.51.100.3")).await.expect(429);
    assert!(refused.header("retry-after").is_some());
    gateway.ask(Request::hello("vk-nobody", "sim-text")).await.expect(429);
}

/// Behind a trusted proxy each forwarded address has its own limit, and what clients forge before it does not count.
#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let setup = Setup::new().set("server.ip_rate_limit_per_minute", 1);
    let setup = setup.set("server.trusted_proxies", r#"["127.0.0.0/8"]"#);
    let (gateway, key) = setup.start().await.with_key().await;
    let from = |forwarded: &str| gateway.ask(Request::hello(&key, "sim-text").header("x-forwarded-for", forwarded));
    from("198.51.100.1").await.expect(200);
    from("198.51.100.1").await.expect(429);
    from("203.0.113.9, 198.51.100.1").await.expect(429);
    from("198.51.100.1, 198.51.100.2").await.expect(200);
    // A proxy may add a line of its own; the client's line stands before it.
    let forged = Request::hello(&key, "sim-text").header("x-forwarded-for", "203.0.113.9");
    gateway.ask(forged.header("x-forwarded-for", "198.51.100.1")).await.expect(429);
}

/// Models and wrong admin tokens are limited by address as well; the right token is not.
#[tokio::test]
async fn the_limit_of_an_address_holds_for_models_and_wrong_tokens() {
    let setup = Setup::new().set("server.ip_rate_limit_per_minute", 2);
    let (gateway, key) = setup.start().await.with_key().await;
    gateway.ask(Request::get("/v1/models").key(&key)).await.expect(200);
    gateway.ask(Request::get("/admin/config").key("wrong")).await.expect(401);
    let refused = gateway.ask(Request::get("/admin/config").key("wrong")).await.expect(429);
    assert!(refused.header("retry-after").is_some());
    gateway.ask(Request::get("/v1/models").key(&key)).await.expect(429);
    gateway.ask(Request::get("/v1/models/sim-text").key(&key)).await.expect(429);
    gateway.admin("GET", "/admin/config", None).await.expect(200);
}

/// A question that takes a little more than `most` tokens of a limit, and whose answer from the fake provider uses 25.
fn taking(key: &str, model: &str, most: u64) -> Request {
    let body = json!({ "model": model, "max_tokens": most, "messages": [] });
    Request::chat(key, &body)
}

fn remaining_tokens(answer: &crate::harness::Answer) -> u64 {
    answer.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap()
}

/// E6: a limit of tokens is taken by estimate and settled by what was used; OpenAI's headers tell what is left.
#[tokio::test]
async fn e6_tokens_are_taken_by_estimate_and_settled_by_usage() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "tokens_per_minute": 1000 })).await;
    for n in 0..4 {
        // Nearly the whole limit fits again and again, since little of it was used.
        let answer = gateway.ask(taking(&key, "gpt-4o-mini", 800)).await.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("1000"));
        let left = remaining_tokens(&answer);
        assert!((150 - n * 25..=200 - n * 25).contains(&left), "{left} are left while the estimate is taken");
    }
    let refused = gateway.ask(taking(&key, "gpt-4o-mini", 950)).await.expect(429);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("1000 tokens per minute"));
    assert!(refused.header("retry-after").is_some() && refused.header("x-ratelimit-reset-tokens").is_some());
    assert_eq!(openai.count(), 4);
    let left = remaining_tokens(&gateway.ask(taking(&key, "gpt-4o-mini", 1)).await.expect(200));
    assert!((870..900).contains(&left), "{left}: a hundred were used, and the refusal took nothing");
}

/// E6: what a stream uses beyond its estimate counts, and what its client did not wait for counts too (C5).
#[tokio::test]
async fn e6_a_stream_counts_what_it_used() {
    let openai = FakeProvider::answering(openai::stream(&["hello"])).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "tokens_per_minute": 100 })).await;
    let body = json!({ "model": "gpt-4o-mini", "max_tokens": 1, "stream": true, "messages": [] });
    let ask = async || gateway.stream(Request::chat(&key, &body)).await.rest().await;
    // Each takes some twenty and uses 25.
    for _ in 0..3 {
        assert!(ask().await.is_done());
        gateway.wait_until_idle().await;
    }
    let left = remaining_tokens(&gateway.ask(taking(&key, "sim-text", 1)).await.expect(200));
    assert!(left < 15, "{left} are left of 100");

    let long = openai::stream_of(&["word "; 200]);
    let events: Vec<&String> = long.iter().take(200).collect();
    openai.always(Reply::events(events).stall());
    let key = gateway.new_key(json!({ "tokens_per_minute": 100 })).await;
    let mut stream = gateway.stream(Request::chat(&key, &body)).await;
    for _ in 0..190 {
        stream.next_text().await;
    }
    drop(stream);
    gateway.wait_until_idle().await;
    let refused = async {
        while gateway.ask(taking(&key, "sim-text", 1)).await.status != 429 {
            gateway.wait_until_idle().await;
        }
    };
    crate::harness::in_time("what was generated is counted", refused).await;
}

/// D7: so many requests of a key may be under way at once, and a place is free again on every ending.
#[tokio::test]
async fn d7_a_key_has_so_many_requests_at_once() {
    let openai = FakeProvider::start().await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "max_parallel": 2 })).await;
    let stalled = Reply::events([openai::role(), openai::text("half ")]).stall();
    openai.always(stalled);
    let mut one = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    let mut other = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    one.next_text().await;
    other.next_text().await;
    let refused = gateway.ask(Request::hello(&key, "sim-text")).await.expect(429);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("2 requests at once"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(one);
    gateway.wait_for_metric("llm_requests_in_flight", &[], 1.0).await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    drop(other);
    gateway.wait_until_idle().await;
    for request in [Request::hello(&key, "sim-status-500"), Request::hello(&key, "no/such")] {
        for _ in 0..3 {
            assert_ne!(gateway.ask(request.clone()).await.status, 429);
        }
    }
}

/// The limits of a user and of a team hold over all their keys, and can be changed and taken away.
#[tokio::test]
async fn users_and_teams_have_limits() {
    let gateway = Setup::new().start().await;
    let of_user = async |team: Value| gateway.new_key(json!({ "user_id": "ann", "team_id": team })).await;
    let (first, second) = (of_user(Value::Null).await, of_user(json!("blue")).await);
    let set = async |path: &str, body: Value| gateway.admin("PUT", path, Some(body)).await.expect(200).json();
    let shown = set("/admin/user-limits/ann", json!({ "requests_per_minute": 2 })).await;
    assert_eq!(shown["tokens_per_minute"], Value::Null);
    gateway.ask(Request::hello(&first, "sim-text")).await.expect(200);
    let answer = gateway.ask(Request::hello(&second, "sim-text")).await.expect(200);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    let refused = gateway.ask(Request::hello(&first, "sim-text")).await.expect(429);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("for this user"));

    // A raised limit goes on from what was counted, and the tightest limit is the one that is told.
    set("/admin/user-limits/ann", json!({ "requests_per_minute": 50 })).await;
    set("/admin/team-limits/blue", json!({ "requests_per_minute": 1, "max_parallel": 9 })).await;
    let answer = gateway.ask(Request::hello(&second, "sim-text")).await.expect(200);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    let refused = gateway.ask(Request::hello(&second, "sim-text")).await.expect(429);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("for this team"));
    // E5: the refusal cost the user nothing.
    let answer = gateway.ask(Request::hello(&first, "sim-text")).await.expect(200);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("46"));

    let listed = gateway.admin("GET", "/admin/limits", None).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    set("/admin/team-limits/blue", json!({})).await;
    gateway.ask(Request::hello(&second, "sim-text")).await.expect(200);
    let wrong = gateway.admin("PUT", "/admin/team-limits/blue", Some(json!({ "max_parallel": 0 }))).await.expect(400);
    assert_eq!(wrong.json()["error"]["param"], "max_parallel");
}
