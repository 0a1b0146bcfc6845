use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use gateway_actors::keys::encryption::MasterKey;
use gateway_actors::keys::table::SharedKeyTable;
use gateway_actors::keys::virtual_key::{KeyHash, KeyRefusal};
use gateway_actors::runtime::stats::ActorStats;
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "admin-token";

/// The admin API over a real registry and database file.
struct Admin {
    state: AdminState,
    table: SharedKeyTable,
    _arbiter: Arbiter,
    folder: std::path::PathBuf,
}

impl Drop for Admin {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Admin {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("gateway-admin-{}", uuid::Uuid::now_v7()));
        let url = format!("sqlite://{}", folder.join("gateway.db").display());
        let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
        let stats = ActorStats::new("KeyRegistry", "control", 8);
        let arbiter = Arbiter::new();
        let started = KeyRegistry::start(&arbiter.handle(), url, master_key, Arc::clone(&stats)).await.unwrap();
        let state = AdminState {
            keys: Mailbox::new(started.address, stats, Duration::from_secs(30)),
            providers: ["openai", "anthropic"].map(str::to_owned).into(),
            configs: ["cheap".to_owned()].into(),
        };
        Self { state, table: started.keys, _arbiter: arbiter, folder }
    }

    async fn send(&self, request: test::TestRequest) -> (StatusCode, HeaderMap, Value) {
        let app = App::new()
            .app_data(web::Data::new(self.state.clone()))
            .app_data(web::Data::new(AdminAuth { token_sha256: KeyHash::digest(TOKEN) }))
            .configure(configure);
        let app = test::init_service(app).await;
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = test::read_body(response).await;
        (status, headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn call(&self, method: Method, path: &str, body: impl Into<String>) -> (StatusCode, Value) {
        let request = test::TestRequest::with_uri(path)
            .method(method)
            .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")))
            .set_payload(body.into());
        let (status, _, body) = self.send(request).await;
        (status, body)
    }

    async fn create(&self, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, "/admin/virtual-keys", body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }
}

fn documented_key() -> Value {
    json!({
        "name": "Production Key",
        "provider": "openai",
        "real_api_key": "sk-canary",
        "rate_limit": 100,
        "budget_limit_usd": 500,
    })
}

#[actix_rt::test]
async fn the_documented_request_gets_the_documented_answer() {
    let admin = Admin::start().await;
    let answer = admin.create(documented_key()).await;
    for (field, value) in [
        ("name", json!("Production Key")),
        ("provider", json!("openai")),
        ("rate_limit", json!(100)),
        ("budget_limit_usd", json!(500)),
    ] {
        assert_eq!(answer[field], value, "{field}");
    }
    let created_at = answer["created_at"].as_str().unwrap();
    assert_eq!(created_at.len(), "2025-01-15T10:00:00Z".len(), "{created_at}");
    assert!(created_at.ends_with('Z'));
    let (found, _) = admin.table.load().find(answer["virtual_key"].as_str().unwrap()).unwrap();
    assert_eq!(found.id.to_string(), answer["id"]);
    assert_eq!(found.real_api_key.as_ref().unwrap().expose(), "sk-canary");
}

/// H1: no answer but the first shows the key, and none shows the provider credential.
#[actix_rt::test]
async fn h1_answers_show_no_secret() {
    let admin = Admin::start().await;
    let created = admin.create(documented_key()).await;
    let (text, id) = (created["virtual_key"].as_str().unwrap(), created["id"].as_str().unwrap());
    assert!(!created.to_string().contains("canary"));
    let path = format!("/admin/virtual-keys/{id}");
    for (method, path, body) in [
        (Method::GET, "/admin/virtual-keys", ""),
        (Method::GET, &path, ""),
        (Method::PATCH, &path, r#"{"name": "other"}"#),
        (Method::PUT, &format!("{path}/rotate"), r#"{"new_api_key": "sk-canary-2"}"#),
        (Method::DELETE, &path, ""),
    ] {
        let (status, answer) = admin.call(method.clone(), path, body).await;
        assert_eq!(status, StatusCode::OK, "{method} {answer}");
        let answer = answer.to_string();
        assert!(answer.contains(r#""has_real_api_key":true"#), "{method} {answer}");
        assert!(!answer.contains("canary") && !answer.contains(text), "{method} {answer}");
    }
    for body in [r#""sk-canary""#, r#"{"real_api_key": ["sk-canary"]}"#, r#"{"real_api_key": "sk-canary x"}"#] {
        let (status, answer) = admin.call(Method::PATCH, &path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(!answer.to_string().contains("canary"), "{answer}");
    }
}

/// H5, with the documented command, which sends no JSON content type and names the key by its text.
#[actix_rt::test]
async fn h5_rotate_as_documented() {
    let admin = Admin::start().await;
    let created = admin.create(documented_key()).await;
    let text = created["virtual_key"].as_str().unwrap();
    let request = test::TestRequest::put()
        .uri(&format!("/admin/virtual-keys/{text}/rotate"))
        .insert_header((AUTHORIZATION, "Bearer admin-token"))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(r#"{"new_api_key": "sk-new-key-xxxxx"}"#);
    let (status, _, answer) = admin.send(request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (key, _) = admin.table.load().find(text).unwrap();
    assert_eq!(key.real_api_key.as_ref().unwrap().expose(), "sk-new-key-xxxxx");
}

#[actix_rt::test]
async fn every_path_needs_the_admin_token() {
    let admin = Admin::start().await;
    for authorization in [None, Some("Bearer wrong"), Some("Basic admin-token"), Some("admin-token"), Some("Bearer ")] {
        for (method, path) in [
            (Method::GET, "/admin/virtual-keys"),
            (Method::POST, "/admin/virtual-keys"),
            (Method::DELETE, "/admin/virtual-keys/vk-x"),
            (Method::PUT, "/admin/virtual-keys/vk-x/rotate"),
            (Method::GET, "/admin/unknown"),
        ] {
            let mut request = test::TestRequest::with_uri(path).method(method);
            if let Some(value) = authorization {
                request = request.insert_header((AUTHORIZATION, value));
            }
            let (status, headers, answer) = admin.send(request).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization:?} {path}");
            assert_eq!(headers.get("www-authenticate").unwrap(), "Bearer");
            assert_eq!(answer["error"]["code"], "invalid_api_key");
        }
    }
    assert_eq!(admin.call(Method::GET, "/admin/virtual-keys", "").await.0, StatusCode::OK);
    assert_eq!(admin.call(Method::GET, "/admin/unknown", "").await.0, StatusCode::NOT_FOUND);
}

#[actix_rt::test]
async fn a_bad_field_is_named() {
    let admin = Admin::start().await;
    for (field, body) in [
        ("name", r#"{}"#),
        ("name", r#"{"name": 5}"#),
        ("name", r#"{"name": null}"#),
        ("name", r#"{"name": " "}"#),
        ("provider", r#"{"name": "n", "provider": "opneai"}"#),
        ("provider", r#"{"name": "n", "real_api_key": "sk-x"}"#),
        ("real_api_key", r#"{"name": "n", "provider": "openai", "real_api_key": "a\nb"}"#),
        ("rate_limit", r#"{"name": "n", "rate_limit": 0}"#),
        ("rate_limit", r#"{"name": "n", "rate_limit": -1}"#),
        ("rate_limit", r#"{"name": "n", "rate_limit": "100"}"#),
        ("budget_period", r#"{"name": "n", "budget_period": "year"}"#),
        ("budget_period", r#"{"name": "n", "budget_period": null}"#),
        ("budget_limit_usd", r#"{"name": "n", "budget_limit_usd": "500"}"#),
        ("budget_limit_usd", r#"{"name": "n", "budget_limit_usd": -1}"#),
        ("budget_limit_usd", r#"{"name": "n", "budget_limit_usd": 1e30}"#),
        ("allowed_models", r#"{"name": "n", "allowed_models": "gpt-4o"}"#),
        ("allowed_models", r#"{"name": "n", "allowed_models": []}"#),
        ("allowed_providers", r#"{"name": "n", "allowed_providers": ["openai", "nobody"]}"#),
        ("config", r#"{"name": "n", "config": "unknown"}"#),
        ("expires_at", r#"{"name": "n", "expires_at": "tomorrow"}"#),
        ("ratelimit", r#"{"name": "n", "ratelimit": 5}"#),
        ("is_active", r#"{"name": "n", "is_active": true}"#),
    ] {
        let (status, answer) = admin.call(Method::POST, "/admin/virtual-keys", body).await;
        let error = &answer["error"];
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body} {answer}");
        assert_eq!(error["param"], field, "{body} {answer}");
        assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("invalid_request")));
        assert!(error["message"].as_str().unwrap().starts_with(field), "{answer}");
    }
    assert!(admin.table.load().all().is_empty(), "nothing was made");
}

#[actix_rt::test]
async fn a_body_that_is_no_object_or_too_long_is_refused() {
    let admin = Admin::start().await;
    for body in ["", "[]", "{", "name=x"] {
        let (status, answer) = admin.call(Method::POST, "/admin/virtual-keys", body).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_json")), "{body}");
    }
    let (status, answer) = admin.call(Method::POST, "/admin/virtual-keys", "x".repeat(MAX_BODY + 1)).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large")));
}

#[actix_rt::test]
async fn a_patch_changes_what_it_names_before_it_answers() {
    let admin = Admin::start().await;
    let mut body = documented_key();
    body["allowed_models"] = json!(["gpt-*"]);
    body["expires_at"] = json!("2099-01-01T02:00:00+02:00");
    body["config"] = json!("cheap");
    body["budget_limit_usd"] = json!(0.25);
    body["budget_period"] = json!("day");
    let created = admin.create(body).await;
    assert_eq!(created["expires_at"], "2099-01-01T00:00:00Z");
    assert_eq!(created["budget_limit_usd"], 0.25);
    let path = format!("/admin/virtual-keys/{}", created["id"].as_str().unwrap());

    let change = json!({ "rate_limit": null, "user_id": "u", "is_active": false });
    let (status, changed) = admin.call(Method::PATCH, &path, change.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let (key, hash) = admin.table.load().find(created["virtual_key"].as_str().unwrap()).unwrap();
    assert_eq!((key.limits.requests_per_minute, key.user_id.as_deref()), (None, Some("u")));
    assert_eq!(key.authorize(hash, chrono::Utc::now()), Err(KeyRefusal::Revoked));
    for field in [
        "name",
        "provider",
        "budget_limit_usd",
        "budget_period",
        "allowed_models",
        "config",
        "expires_at",
        "created_at",
    ] {
        assert_eq!(changed[field], created[field], "{field}");
    }

    let (status, answer) = admin.call(Method::PATCH, &path, r#"{"provider": "anthropic"}"#).await;
    assert_eq!((status, &answer["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("real_api_key")), "{answer}");
    let (status, answer) = admin.call(Method::PATCH, &path, r#"{"is_active": null}"#).await;
    assert_eq!((status, &answer["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("is_active")), "{answer}");
}

#[actix_rt::test]
async fn an_unknown_key_is_404_and_an_unusual_method_405() {
    let admin = Admin::start().await;
    for (method, path, body) in [
        (Method::GET, "/admin/virtual-keys/vk-unknown", ""),
        (Method::PATCH, "/admin/virtual-keys/vk-unknown", "{}"),
        (Method::DELETE, "/admin/virtual-keys/0190b4b4-0000-7000-8000-000000000000", ""),
        (Method::PUT, "/admin/virtual-keys/vk-unknown/rotate", r#"{"new_api_key": "sk"}"#),
    ] {
        let (status, answer) = admin.call(method, path, body).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    }
    assert_eq!(admin.call(Method::PUT, "/admin/virtual-keys", "").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[actix_rt::test]
async fn keys_are_listed_under_data() {
    let admin = Admin::start().await;
    let first = admin.create(json!({ "name": "first" })).await;
    let second = admin.create(json!({ "name": "second" })).await;
    let (_, answer) = admin.call(Method::GET, "/admin/virtual-keys", "").await;
    assert_eq!(answer["object"], "list");
    let listed: Vec<_> = answer["data"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(listed, [&first["id"], &second["id"]]);
}
