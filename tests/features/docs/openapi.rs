//! `GET /openapi.json` describes what the program does: each route, each request that it takes, and each answer.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::names::assert_every_route;
use crate::harness::gateway::ADMIN_TOKEN;
use crate::harness::{Gateway, Request, Setup, in_time};

async fn description(gateway: &Gateway) -> Value {
    gateway.ask(Request::get("/openapi.json")).await.expect(200).json()
}

/// Method and path of every operation.
fn operations(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap().iter();
    let described = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|name| *name != "parameters");
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    described.collect()
}

/// Every registered route is described with just its methods, and nothing else is.
#[tokio::test]
async fn the_description_has_every_route() {
    let gateway = Setup::new().start().await;
    let description = description(&gateway).await;
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_every_route("openapi.json", &operations(&description)).await;
}

/// A request to each operation: its method, its path with the parameters filled in, and its body.
fn requests(key: &str, stored: &str) -> Vec<(&'static str, String, Value)> {
    let stored = format!("/v1/responses/{stored}");
    let cache_key = "0".repeat(64);
    let key = format!("/admin/virtual-keys/{key}");
    let hello = json!({ "model": "sim-text", "messages": [{ "role": "user", "content": "hello" }] });
    let message = json!({ "model": "sim-text", "max_tokens": 50, "messages": hello["messages"] });
    let count = json!({ "model": "sim-text", "messages": hello["messages"] });
    let limits = json!({ "requests_per_minute": 60, "max_parallel": null });
    let price = json!({
        "provider": "openai", "model": "m", "input": 1.5, "output": "2", "source": "a test",
        "above": [{ "tokens": 1000, "input": "2", "output": "3" }],
    });
    let whole_key = json!({
        "name": "whole", "provider": "openai", "real_api_key": "sk-a-test", "rate_limit": 100, "budget_limit_usd": 1.5,
        "budget_period": "day", "user_id": "ann", "allowed_models": ["*"], "expires_at": "2100-01-01T00:00:00Z",
    });
    let mut requests = vec![
        ("POST", "/v1/chat/completions".to_owned(), hello),
        ("POST", "/v1/messages".to_owned(), message),
        ("POST", "/v1/messages".to_owned(), json!({ "model": "sim-text" })),
        ("POST", "/v1/responses".to_owned(), json!({ "model": "sim-text", "input": "hello" })),
        ("POST", "/v1/messages/count_tokens".to_owned(), count),
        ("POST", "/v1/responses/input_tokens".to_owned(), json!({ "model": "sim-text", "input": "hello" })),
        ("POST", "/v1/responses/compact".to_owned(), json!({ "model": "sim-text", "input": "hello" })),
        ("GET", stored.clone(), Value::Null),
        ("GET", format!("{stored}/input_items"), Value::Null),
        ("POST", format!("{stored}/cancel"), json!({})),
        ("DELETE", stored, Value::Null),
        ("POST", "/v1/embeddings".to_owned(), json!({ "model": "sim-embedding", "input": "hello" })),
        ("POST", "/v1/completions".to_owned(), json!({ "model": "sim-text", "prompt": "hello" })),
        ("POST", "/v1/moderations".to_owned(), json!({ "model": "sim-moderation", "input": "hello" })),
        ("POST", "/v1/guardrails/check".to_owned(), json!({ "text": "CMND 123456789" })),
        ("POST", "/v1/rerank".to_owned(), json!({ "model": "sim-rerank", "query": "a", "documents": ["a", "b"] })),
        ("POST", "/admin/virtual-keys".to_owned(), whole_key),
        ("POST", "/admin/virtual-keys".to_owned(), json!({ "name": "" })),
        ("PATCH", key.clone(), json!({ "is_active": true, "rate_limit": null })),
        ("PUT", format!("{key}/rotate"), json!({ "new_api_key": "sk-new" })),
        ("POST", format!("{key}/reissue"), json!({ "grace_seconds": 60 })),
        ("PUT", "/admin/user-budgets/ann".to_owned(), json!({ "monthly_limit_usd": 5 })),
        ("PUT", "/admin/team-budgets/bi".to_owned(), json!({ "monthly_limit_usd": null })),
        ("PUT", "/admin/user-limits/ann".to_owned(), limits.clone()),
        ("PUT", "/admin/team-limits/bi".to_owned(), limits),
        ("PUT", "/admin/pricing".to_owned(), price),
        ("POST", "/admin/cache/feedback".to_owned(), json!({ "id": cache_key, "verdict": "wrong" })),
        ("DELETE", format!("/admin/cache?key={cache_key}"), Value::Null),
        ("DELETE", "/admin/cache".to_owned(), Value::Null),
        ("GET", key.clone(), Value::Null),
        ("GET", "/v1/models/none".to_owned(), Value::Null),
        ("DELETE", key, Value::Null),
    ];
    let read = [
        "/v1/models",
        "/v1/models/sim-text",
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/admin/virtual-keys?limit=1",
        "/admin/budgets",
        "/admin/limits",
        "/admin/pricing",
        "/admin/pricing?provider=openai",
        "/admin/usage?group_by=model",
        "/admin/usage?group_by=day&format=csv",
        "/admin/savings",
        "/admin/cache/stats",
        "/admin/audit?limit=10",
        "/admin/bad-rows",
        "/admin/actors",
        "/admin/config",
    ];
    requests.extend(read.map(|path| ("GET", path.to_owned(), Value::Null)));
    requests
}

/// The description is valid OpenAPI, and requests and answers of every operation are as it says.
#[tokio::test]
async fn requests_and_answers_are_as_described() {
    let (gateway, key) = Setup::new().env("OPENAI_API_KEY", "sk-own").start().await.with_key().await;
    let made = gateway.make_key(json!({ "provider": "openai", "real_api_key": "sk-a-test" })).await;
    let hello = json!({ "model": "sim-text", "input": "hello" });
    let stored = gateway.ask(Request::new("POST", "/v1/responses").key(&key).json(&hello)).await.expect(200).json();
    let mut exchanges = Vec::new();
    for (method, path, body) in requests(made["id"].as_str().unwrap(), stored["id"].as_str().unwrap()) {
        let token = if path.starts_with("/admin") { ADMIN_TOKEN } else { &key };
        let request = Request::new(method, &path).key(token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = gateway.ask(request).await;
        let content_type = answer.header("content-type").unwrap_or_default();
        exchanges.push(json!({
            "method": method, "path": path, "request": body,
            "status": answer.status, "content_type": content_type, "answer": answer.text(),
        }));
    }
    let python = std::env::var_os("GATEWAY_TEST_PYTHON")
        .expect("run scripts/test: it installs the validator and sets GATEWAY_TEST_PYTHON");
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/docs/openapi.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let input = json!({ "description": description(&gateway).await, "exchanges": exchanges }).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let ran = in_time("the validator ends", child.wait_with_output()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
}
