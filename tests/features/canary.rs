//! H1: a canary secret in every place that holds one, with the log at its most talkative, and found nowhere after.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::money::bounded;
use crate::harness::{Answer, FakeProvider, Gateway, Reply, Request, Setup};

/// The files below a folder that contain a text.
pub fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if contains(&fs::read(&path).unwrap(), text) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const OPENAI: &str = "canary-openai-7f3a9c";
const ANTHROPIC: &str = "canary-anthropic-1b8e42";
const REAL: &str = "canary-real-api-key-55d0e1";
const ROTATED: &str = "canary-rotated-key-90aa17";
const CLIENT: &str = "canary-client-config-3c66fd";
const ADMIN: &str = "canary-admin-token-e2b7c8";
const MASTER: &str = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789";
const HOOK: &str = "canary-webhook-address-77b1d3";
const HOOK_TOKEN: &str = "canary-webhook-token-4e90c2";
const WRONG: &str = "vk-canary-unknown-key-aa01";
const PROMPT: &str = "canary-prompt-d41d8c";

/// Answers that repeat the credential they were given, as some providers' do.
fn telltale(status: u16, secret: &str) -> Reply {
    let message = format!("Incorrect API key provided: {secret}. You can find your key on the website.");
    Reply::json(
        status,
        &json!({ "error": { "message": message, "type": "invalid_request_error", "param": null,
        "code": "invalid_api_key" } }),
    )
}

async fn everything_goes_wrong(gateway: &Gateway, openai: &FakeProvider, anthropic: &FakeProvider) -> Vec<Answer> {
    let admin = |method: &str, path: &str, body: serde_json::Value| {
        gateway.ask(Request::new(method, path).key(ADMIN).json(&body))
    };
    let made =
        admin("POST", "/admin/virtual-keys", json!({ "name": "c", "provider": "openai", "real_api_key": REAL })).await;
    let key = made.expect(200).json();
    let (key, id) = (key["virtual_key"].as_str().unwrap().to_owned(), key["id"].as_str().unwrap().to_owned());
    let plain = admin("POST", "/admin/virtual-keys", json!({ "name": "p" })).await.expect(200).json();
    let plain = plain["virtual_key"].as_str().unwrap().to_owned();
    let said = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": PROMPT }] });
    let streamed = |model: &str| {
        let mut body = said(model);
        body["stream"] = json!(true);
        body
    };

    let mut answers = Vec::new();
    openai.once(telltale(401, REAL)).once(telltale(401, OPENAI)).once(telltale(500, REAL)).once(telltale(401, REAL));
    openai.once(Reply::text(502, "text/html", &format!("<html>{REAL}</html>"))).once(Reply::hang_up());
    for request in [
        Request::chat(&key, &said("gpt-4o-mini")),
        Request::chat(&plain, &said("gpt-4o-mini")),
        Request::chat(&key, &said("gpt-4o-mini")),
        Request::chat(&key, &streamed("gpt-4o-mini")),
        Request::chat(&key, &said("gpt-4o-mini")),
        Request::chat(&key, &said("gpt-4o-mini")),
    ] {
        answers.push(gateway.ask(request).await);
    }
    anthropic.once(Reply::json(
        401,
        &json!({ "type": "error", "error": { "type": "authentication_error",
        "message": format!("invalid x-api-key: {ANTHROPIC}") } }),
    ));
    answers.push(gateway.ask(Request::chat(&plain, &said("claude-3-sonnet"))).await);

    // In a 200 stream: before the first content, and after it.
    let in_band = format!("data: {{\"error\":{{\"message\":\"bad key {REAL}\",\"type\":\"t\"}}}}\n\n");
    openai.once(Reply::events([in_band.clone()]));
    answers.push(gateway.ask(Request::chat(&key, &streamed("gpt-4o-mini"))).await);
    openai.once(Reply::events([openai::role(), openai::text("ok"), in_band]));
    answers.push(gateway.ask(Request::chat(&key, &streamed("gpt-4o-mini"))).await);

    // As it passes through to the provider's own path.
    openai.once(telltale(401, REAL)).once(Reply::text(502, "text/html", &format!("<html>{OPENAI}</html>")));
    let path = format!("/v1/proxy/openai/audio/speech?about={PROMPT}");
    for (key, status) in [(&key, 401), (&plain, 502)] {
        let request = Request::new("POST", &path).key(key).json(&said("gpt-4o-mini"));
        answers.push(gateway.ask(request).await.expect(status));
    }

    for body in ["{", "{\"model\":7}"] {
        let request = Request::new("POST", "/v1/chat/completions").key(&key).body(body);
        answers.push(gateway.ask(request).await.expect(400));
    }
    answers.push(gateway.ask(Request::chat(WRONG, &said("gpt-4o-mini"))).await.expect(401));
    let own = json!({ "provider": "openai", "api_key": CLIENT });
    answers.push(gateway.ask(Request::chat(&key, &said("gpt-4o-mini")).config(&own)).await.expect(400));
    let malformed = format!("{{\"api_key\":\"{CLIENT}\",");
    let request = Request::chat(&key, &said("gpt-4o-mini")).header("x-portkey-config", &malformed);
    answers.push(gateway.ask(request).await.expect(400));

    let path = format!("/admin/virtual-keys/{id}");
    answers.push(admin("PUT", &format!("{path}/rotate"), json!({ "new_api_key": ROTATED })).await.expect(200));
    answers.push(admin("PUT", &format!("{path}/rotate"), json!({ "new_api_key": [ROTATED] })).await.expect(400));
    let malformed =
        Request::new("POST", "/admin/virtual-keys").key(ADMIN).body(format!("{{\"real_api_key\":\"{REAL}\""));
    answers.push(gateway.ask(malformed).await.expect(400));
    openai.once(openai::answer("fine")).once(telltale(403, ROTATED));
    answers.push(gateway.ask(Request::chat(&key, &said("gpt-4o-mini"))).await.expect(200));
    answers.push(gateway.ask(Request::chat(&key, &said("gpt-4o-mini"))).await.expect(403));
    for path in ["/admin/virtual-keys", "/admin/actors", "/admin/config", "/metrics", "/health/ready", &path] {
        answers.push(gateway.ask(Request::get(path).key(ADMIN)).await.expect(200));
    }
    answers.push(gateway.ask(Request::get("/v1/models").key(&key)).await.expect(200));
    answers
}

/// H1: provider credentials from the environment and the database, the admin token, the master key, clients' keys and
/// prompts: none is in an answer, a metric, the log at `trace`, standard error, or any file of the gateway.
#[tokio::test]
async fn h1_no_secret_is_ever_told() {
    let (openai, anthropic) = (FakeProvider::start().await, FakeProvider::start().await);
    let setup = Setup::new().openai(&openai).anthropic(&anthropic).set("log.level", "trace");
    let setup = setup.set("providers.openai.breaker.failure_threshold", 1000);
    let setup = setup.toml("[[providers.openai.pass_through]]\npath = '/audio/*'\nmethods = ['POST']");
    let setup = setup.env("OPENAI_API_KEY", OPENAI).env("ANTHROPIC_API_KEY", ANTHROPIC).env("RUST_LOG", "trace");
    let setup = setup.env("GATEWAY_ADMIN_TOKEN", ADMIN).env("GATEWAY_MASTER_KEY", MASTER);
    let receiver = FakeProvider::answering(telltale(400, HOOK_TOKEN)).await;
    let setup = setup.set("alerts.webhook_url", format!("{}/{HOOK}", receiver.origin()));
    let mut gateway = setup.env("GATEWAY_ALERT_WEBHOOK_TOKEN", HOOK_TOKEN).start().await;
    let answers = everything_goes_wrong(&gateway, &openai, &anthropic).await;

    // The canaries were really on the wire, so that the search below can find something.
    let sent: Vec<_> =
        openai.requests().iter().filter_map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    for secret in [OPENAI, REAL, ROTATED] {
        assert!(sent.iter().any(|header| header.contains(secret)), "{secret} was used");
    }
    let key = json!({ "name": "a", "budget_limit_usd": 0.0005 });
    let key = gateway.ask(Request::new("POST", "/admin/virtual-keys").key(ADMIN).json(&key)).await.expect(200).json();
    openai.always(openai::answer("fine"));
    while gateway.ask(bounded(key["virtual_key"].as_str().unwrap())).await.status == 200 {}
    let alert = receiver.request(1).await;
    assert_eq!(alert.path, format!("/{HOOK}"));
    assert_eq!(alert.header("authorization"), Some(format!("Bearer {HOOK_TOKEN}").as_str()));
    gateway.wait_for_metric("gateway_alert_webhooks_total", &[("result", "given_up")], 1.0).await;
    assert_eq!(anthropic.request(1).await.header("x-api-key"), Some(ANTHROPIC));

    gateway.terminate().await;
    assert!(gateway.exit().await.success());
    let told = [("standard output", gateway.stdout()), ("standard error", gateway.stderr())];
    assert!(
        told[0].1.iter().any(|line| line.contains("\"level\":\"debug\"") || line.contains("request")),
        "there is a log"
    );
    for secret in [OPENAI, ANTHROPIC, REAL, ROTATED, CLIENT, ADMIN, MASTER, HOOK, HOOK_TOKEN, WRONG, PROMPT] {
        for answer in &answers {
            let text = format!("{:?}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
            assert!(!text.contains(secret), "{secret} in an answer: {text}");
        }
        for (place, lines) in &told {
            let line = lines.iter().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} on {place}");
        }
        assert_eq!(files_with(gateway.folder(), secret), Vec::<String>::new(), "{secret} in a file");
    }
    assert!(!files_with(gateway.folder(), "SQLite format 3").is_empty(), "the database file was searched");
}
