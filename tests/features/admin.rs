//! The admin API.

use serde_json::{Value, json};

use crate::harness::{Request, Setup};

/// The quick reference's request to make a key, answered with its fields; everything else about a key is optional.
#[tokio::test]
async fn a_key_is_made_as_the_quick_reference_says() {
    let gateway = Setup::new().start().await;
    let made = gateway
        .make_key(json!({ "name": "Production Key", "provider": "openai", "real_api_key": "sk-xxxxx",
            "rate_limit": 100, "budget_limit_usd": 500 }))
        .await;
    assert!(made["virtual_key"].as_str().is_some_and(|key| key.starts_with("vk-") && key.len() > 20), "{made}");
    assert_eq!((&made["name"], &made["provider"]), (&json!("Production Key"), &json!("openai")));
    assert_eq!((made["rate_limit"].as_u64(), made["budget_limit_usd"].as_f64()), (Some(100), Some(500.0)));
    let created = made["created_at"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(created).is_ok(), "{created}");
}

/// Without the admin token nothing below `/admin` answers: not with none, not with a wrong one, not with a virtual key.
#[tokio::test]
async fn the_admin_api_wants_its_token() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    for path in ["/admin/virtual-keys", "/admin/actors", "/admin/config"] {
        gateway.ask(Request::get(path)).await.expect(401);
        gateway.ask(Request::get(path).key("wrong")).await.expect(401);
        gateway.ask(Request::get(path).key(&key)).await.expect(401);
        gateway.admin("GET", path, None).await.expect(200);
    }
    gateway.ask(Request::new("POST", "/admin/virtual-keys").json(&json!({ "name": "x" }))).await.expect(401);
}

/// A key's life: listed, shown by id and by text, changed, revoked; and no answer but the first has a secret in it (H1).
#[tokio::test]
async fn h1_a_keys_life_shows_its_secrets_once() {
    let gateway = Setup::new().start().await;
    let made = gateway
        .make_key(json!({ "name": "a", "provider": "openai", "real_api_key": "sk-secret-of-openai", "user_id": "u1",
            "team_id": "t1", "allowed_models": ["gpt-*"], "expires_at": "2099-01-01T00:00:00Z" }))
        .await;
    let (key, id) = (made["virtual_key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(!made.to_string().contains("sk-secret-of-openai"));
    let by_id = format!("/admin/virtual-keys/{id}");

    let list = gateway.admin("GET", "/admin/virtual-keys", None).await.expect(200);
    let one = gateway.admin("GET", &by_id, None).await.expect(200);
    let by_text = gateway.admin("GET", &format!("/admin/virtual-keys/{key}"), None).await.expect(200);
    let changed = gateway.admin("PATCH", &by_id, Some(json!({ "name": "b", "user_id": null }))).await.expect(200);
    let config = gateway.admin("GET", "/admin/config", None).await.expect(200);
    for answer in [&list, &one, &by_text, &changed, &config] {
        let text = answer.text();
        assert!(!text.contains(key) && !text.contains("sk-secret-of-openai"), "{text}");
    }
    assert!(list.json()["data"].as_array().unwrap().iter().any(|key| key["id"] == id));
    assert_eq!((&one.json()["team_id"], &by_text.json()["id"]), (&json!("t1"), &json!(id)));
    assert_eq!((&changed.json()["name"], &changed.json()["user_id"]), (&json!("b"), &Value::Null));

    gateway.admin("DELETE", &by_id, None).await.expect(200);
    assert_eq!(gateway.admin("GET", &by_id, None).await.expect(200).json()["is_active"], false);
    gateway.admin("GET", "/admin/virtual-keys/no-such-key", None).await.expect(404);
}

/// What is wrong in a request is a 400 that names the field, and never repeats a credential.
#[tokio::test]
async fn wrong_fields_are_named() {
    let gateway = Setup::new().start().await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a", "provider": "nobody" }), "provider"),
        (json!({ "name": "a", "rate_limit": 0 }), "rate_limit"),
        (json!({ "name": "a", "rate_limit": "many" }), "rate_limit"),
        (json!({ "name": "a", "budget_limit_usd": -1 }), "budget_limit_usd"),
        (json!({ "name": "a", "real_api_key": "sk-secret" }), "provider"),
        (json!({ "name": "a", "provider": "openai", "real_api_key": "sk secret" }), "real_api_key"),
        (json!({ "name": "a", "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "name": "a", "ratelimit": 5 }), "ratelimit"),
    ] {
        let answer = gateway.admin("POST", "/admin/virtual-keys", Some(body.clone())).await.expect(400);
        assert_eq!(answer.json()["error"]["param"], field, "{body}");
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}

/// `/admin/actors` shows each actor's mailbox, counts and times, and its own state.
#[tokio::test]
async fn every_actor_can_be_looked_into() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    let registry = gateway.actor("key_registry").await;
    for field in
        ["place", "mailbox_depth", "mailbox_limit", "handled", "failed", "restarts", "last_error", "p50_us", "p99_us"]
    {
        assert!(registry.get(field).is_some(), "{field} in {registry}");
    }
    assert!(registry["handled"].as_u64().unwrap() >= 1);
    assert_eq!(gateway.actor("provider:openai").await["state"]["breaker"], "closed");
    gateway.actor("metrics").await;
    assert_eq!(gateway.actor("cache").await["state"], json!({ "entries": 0, "bytes": 0, "questions": 0 }));
    let all = gateway.admin("GET", "/admin/actors", None).await.expect(200).json();
    let routers = all["actors"].as_array().unwrap().iter().filter(|actor| actor["name"] == "router").count();
    assert_eq!(routers, 2, "one for each worker thread");
}

/// `/admin/config` shows the effective values, secrets masked.
#[tokio::test]
async fn the_effective_config_is_shown_without_secrets() {
    let setup = Setup::new().env("OPENAI_API_KEY", "sk-canary").set("server.max_in_flight", 77);
    let setup = setup.env("GATEWAY_MASTER_KEY", &"ab".repeat(32));
    let gateway = setup.start().await;
    let config = gateway.admin("GET", "/admin/config", None).await.expect(200);
    assert_eq!(config.json()["server"]["max_in_flight"], 77);
    let text = config.text();
    assert!(text.contains("OPENAI_API_KEY"), "where the credential comes from is no secret");
    for secret in ["sk-canary", "abababab", crate::harness::gateway::ADMIN_TOKEN] {
        assert!(!text.contains(secret), "{secret}");
    }
}
