//! Virtual keys in use: how they are presented, what they allow, and how they end.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::client::hello;
use crate::harness::{FakeProvider, Gateway, Request, Setup};

fn unsigned() -> Request {
    Request::new("POST", "/v1/chat/completions").json(&hello("sim-text"))
}

/// A key is taken from four headers; Portkey's own win over the useless `Authorization` that its SDKs send beside them.
#[tokio::test]
async fn a_key_is_taken_from_four_headers() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    for name in ["x-portkey-virtual-key", "x-portkey-api-key", "x-api-key"] {
        gateway.ask(unsigned().header(name, &key)).await.expect(200);
    }
    gateway.ask(unsigned().header("authorization", &format!("Bearer {key}"))).await.expect(200);
    for name in ["x-portkey-virtual-key", "x-portkey-api-key"] {
        gateway.ask(unsigned().key("dummy").header(name, &key)).await.expect(200);
        gateway.ask(unsigned().key(&key).header(name, "vk-wrong")).await.expect(401);
    }
}

/// No key, an unknown, a revoked and an expired one are 401 in OpenAI's shape, each with its own code.
#[tokio::test]
async fn keys_that_do_not_work_are_a_401() {
    let gateway = Setup::new().start().await;
    let revoked = gateway.make_key(json!({})).await;
    let path = format!("/admin/virtual-keys/{}", revoked["id"].as_str().unwrap());
    let revoked = revoked["virtual_key"].as_str().unwrap();
    gateway.ask(unsigned().key(revoked)).await.expect(200);
    gateway.admin("DELETE", &path, None).await.expect(200);
    let expired = gateway.new_key(json!({ "expires_at": "2025-01-15T10:00:00Z" })).await;

    let mut codes = Vec::new();
    for request in [unsigned(), unsigned().key("vk-unknown"), unsigned().key(revoked), unsigned().key(&expired)] {
        let error = gateway.ask(request).await.expect(401).json()["error"].clone();
        assert!(error["message"].is_string(), "{error}");
        assert_eq!(error["type"], "authentication_error");
        codes.push(error["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes, ["missing_api_key", "invalid_api_key", "revoked_api_key", "expired_api_key"]);
}

/// `allowed_models` and `allowed_providers` are kept, also by targets of the caller's config, with a 403.
#[tokio::test]
async fn a_key_may_be_narrow() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let models = gateway.new_key(json!({ "allowed_models": ["gpt-4o-mini", "sim-*"] })).await;
    let providers = gateway.new_key(json!({ "allowed_providers": ["simulator"] })).await;
    gateway.ask(Request::hello(&models, "gpt-4o-mini")).await.expect(200);
    gateway.ask(Request::hello(&models, "sim-echo")).await.expect(200);
    gateway.ask(Request::hello(&providers, "sim-text")).await.expect(200);

    let sneaky = json!({ "strategy": "fallback", "targets": [
        { "provider": "simulator", "model": "sim-status-500" }, { "provider": "openai", "model": "gpt-4o" } ] });
    for request in [
        Request::hello(&models, "gpt-4o"),
        Request::hello(&models, "gpt-4o-mini").config(&json!({ "provider": "openai", "model": "gpt-4o" })),
        Request::hello(&models, "gpt-4o-mini").config(&sneaky),
        Request::hello(&providers, "gpt-4o-mini"),
        Request::hello(&providers, "sim-text").header("x-portkey-provider", "openai"),
        Request::hello(&providers, "sim-text").config(&sneaky),
    ] {
        let error = gateway.ask(request).await.expect(403).json()["error"].clone();
        assert_eq!(error["type"], "permission_error");
    }
    assert_eq!(openai.count(), 1);
}

async fn with_real_key() -> (FakeProvider, FakeProvider, Gateway, Value) {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let anthropic = FakeProvider::answering(anthropic::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).anthropic(&anthropic).start().await;
    let made = gateway.make_key(json!({ "provider": "openai", "real_api_key": "sk-of-the-team" })).await;
    (openai, anthropic, gateway, made)
}

/// A key's `real_api_key` serves targets of its own provider alone; others use the gateway's own credential.
#[tokio::test]
async fn a_real_api_key_goes_to_its_own_provider_alone() {
    let (openai, anthropic, gateway, made) = with_real_key().await;
    let key = made["virtual_key"].as_str().unwrap();
    let chain = json!({ "strategy": "fallback", "targets": [
        { "provider": "openai" }, { "provider": "anthropic", "model": "claude-3-sonnet" } ] });
    openai.once(openai::error(500));
    gateway.ask(Request::hello(key, "gpt-4o-mini").config(&chain)).await.expect(200);
    assert_eq!(openai.request(1).await.header("authorization"), Some("Bearer sk-of-the-team"));
    assert_eq!(anthropic.request(1).await.header("x-api-key"), Some("sk-ant-own"));
    let plain = gateway.new_key(json!({})).await;
    gateway.ask(Request::hello(&plain, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.request(2).await.header("authorization"), Some("Bearer sk-openai-own"));
}

/// H5: a rotated credential is used by the next request; one under way goes on. The key is named by its text or its id.
#[tokio::test]
async fn h5_rotation_takes_effect_on_the_next_request() {
    let (openai, _anthropic, gateway, made) = with_real_key().await;
    let key = made["virtual_key"].as_str().unwrap();
    let gate = crate::harness::Gate::new();
    openai.once(openai::answer("under way").after(&gate));
    let under_way = Request::hello(key, "gpt-4o-mini").send(gateway.address).await;
    openai.request(1).await;

    let rotate = |vk: &str, new: &str| {
        let path = format!("/admin/virtual-keys/{vk}/rotate");
        let body = Some(json!({ "new_api_key": new }));
        let gateway = &gateway;
        async move { gateway.admin("PUT", &path, body).await.expect(200) }
    };
    rotate(key, "sk-second").await;
    gateway.ask(Request::hello(key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.request(2).await.header("authorization"), Some("Bearer sk-second"));
    rotate(made["id"].as_str().unwrap(), "sk-third").await;
    gateway.ask(Request::hello(key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.request(3).await.header("authorization"), Some("Bearer sk-third"));

    gate.open();
    assert_eq!(under_way.answer().await.expect(200).content(), "under way");
}

async fn reissue(gateway: &Gateway, id: &str, body: Value) -> Value {
    let answer = gateway.admin("POST", &format!("/admin/virtual-keys/{id}/reissue"), Some(body)).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

/// H5: a reissued key is the same key with a new text, and the former text works on for its grace period and no longer.
#[tokio::test]
async fn h5_a_reissued_key_works_by_both_texts_until_its_grace_ends() {
    let gateway = Setup::new().start().await;
    let made = gateway.make_key(json!({ "rate_limit": 1000, "budget_limit_usd": 5, "user_id": "ann" })).await;
    let (id, first) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
    let ask = async |key: &str| gateway.ask(Request::hello(key, "sim-text")).await;

    let reissued = reissue(&gateway, id, json!({})).await;
    let second = reissued["virtual_key"].as_str().unwrap();
    assert_ne!(first, second);
    for field in ["id", "name", "rate_limit", "budget_limit_usd", "user_id", "created_at", "is_active"] {
        assert_eq!(reissued[field], made[field], "{field}");
    }
    let until = chrono::DateTime::parse_from_rfc3339(reissued["former_until"].as_str().unwrap()).unwrap();
    let grace = until.to_utc() - chrono::Utc::now();
    assert!((3_500..=3_600).contains(&grace.num_seconds()), "an hour where nothing is said: {grace}");
    // Both draw on the same minute.
    let left = async |key: &str| ask(key).await.expect(200).header("x-ratelimit-remaining-requests").map(str::to_owned);
    assert_eq!((left(first).await.as_deref(), left(second).await.as_deref()), (Some("999"), Some("998")));

    // A second one within the grace takes the former text's place; the oldest is no key any more.
    let begun = std::time::Instant::now();
    let third = reissue(&gateway, id, json!({ "grace_seconds": 1 })).await;
    let third = third["virtual_key"].as_str().unwrap();
    assert_eq!(ask(first).await.expect(401).json()["error"]["code"], "invalid_api_key");
    let refused = async {
        loop {
            let answer = ask(second).await;
            if answer.status != 200 {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let refused = crate::harness::in_time("the former text stops working", refused).await.expect(401);
    assert!(begun.elapsed().as_secs() >= 1, "after {:?}", begun.elapsed());
    assert_eq!(refused.json()["error"]["code"], "expired_api_key");
    ask(third).await.expect(200);

    // Without grace at once.
    let last = reissue(&gateway, third, json!({ "grace_seconds": 0 })).await;
    assert_eq!(ask(third).await.expect(401).json()["error"]["code"], "expired_api_key");
    ask(last["virtual_key"].as_str().unwrap()).await.expect(200);
    let shown = gateway.admin("GET", &format!("/admin/virtual-keys/{id}"), None).await.expect(200);
    assert_eq!(shown.json()["former_until"], last["former_until"]);
    for text in [first, second, third, last["virtual_key"].as_str().unwrap()] {
        assert!(!shown.text().contains(text));
    }
}

/// H5: what is wrong in a request to reissue a key is named.
#[tokio::test]
async fn h5_a_wrong_grace_period_is_refused() {
    let gateway = Setup::new().start().await;
    let made = gateway.make_key(json!({})).await;
    let path = format!("/admin/virtual-keys/{}/reissue", made["id"].as_str().unwrap());
    for (body, field) in [
        (json!({ "grace_seconds": -1 }), "grace_seconds"),
        (json!({ "grace_seconds": 31_536_001 }), "grace_seconds"),
        (json!({ "grace_seconds": null }), "grace_seconds"),
        (json!({ "grace": 1 }), "grace"),
    ] {
        assert_eq!(gateway.admin("POST", &path, Some(body)).await.expect(400).json()["error"]["param"], field);
    }
    gateway.admin("POST", "/admin/virtual-keys/vk-unknown/reissue", None).await.expect(404);
    gateway.admin("PUT", &path, None).await.expect(405);
    gateway.ask(Request::hello(made["virtual_key"].as_str().unwrap(), "sim-text")).await.expect(200);
    // The body may be left out.
    gateway.admin("POST", &path, None).await.expect(200);
}

/// Keys and sealed credentials survive a restart.
#[tokio::test]
async fn keys_survive_a_restart() {
    let (openai, _anthropic, gateway, made) = with_real_key().await;
    let key = made["virtual_key"].as_str().unwrap();
    let folder = gateway.stop().await;
    let gateway = Setup::new().openai(&openai).start_in(folder).await;
    gateway.ask(Request::hello(key, "gpt-4o-mini")).await.expect(200);
    assert_eq!(openai.request(1).await.header("authorization"), Some("Bearer sk-of-the-team"));
}
