//! `/v1/proxy/{provider}/…`: a provider's own paths, as they are, with the key's rights, limits and budgets.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::money::{COST, log_rows, settled};
use crate::harness::{FakeProvider, Gate, Reply, Request, Setup};

/// The open paths of OpenAI's, in front of a fake one.
fn setup(openai: &FakeProvider) -> Setup {
    let rules = "[[providers.openai.pass_through]]\npath = '/audio/*'\nmethods = ['POST']\n\
                 [[providers.openai.pass_through]]\npath = '/chat/completions'\nmethods = ['POST']\n\
                 [[providers.openai.pass_through]]\npath = '/files*'\nmethods = ['GET', 'DELETE']\nfree = true\n";
    Setup::new().openai(openai).toml(rules)
}

fn asked(method: &str, path: &str, key: &str) -> Request {
    Request::new(method, &format!("/v1/proxy/openai{path}")).key(key)
}

fn spoken(key: &str) -> Request {
    asked("POST", "/audio/speech", key).json(&json!({ "model": "gpt-4o-mini-tts", "input": "hello" }))
}

fn chat(key: &str, stream: bool) -> Request {
    let messages = json!([{ "role": "user", "content": "Xin chào!" }]);
    let body = json!({ "model": "gpt-4o-mini", "max_tokens": 15, "messages": messages, "stream": stream });
    asked("POST", "/chat/completions", key).json(&body)
}

/// H1, H6: method, path, query and body pass as they are; the credential is the gateway's, and of the client's headers the
/// provider gets neither credentials nor what speaks to the gateway. The answer is the provider's, without its cookies.
#[tokio::test]
async fn h1_h6_a_request_passes_with_the_gateways_credential() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = setup(&openai).start().await.with_key().await;
    let sound = Reply::text(201, "audio/mpeg", "sound").header("set-cookie", "a=b").header("x-ratelimit-limit", "9");
    openai.once(sound.header("etag", "\"1\""));
    let request = asked("POST", "/audio/speech?voice=a%20b&n=1", &key)
        .body_of("text/plain", "not json")
        .header("accept", "audio/*");
    let request = request.header("openai-organization", "org-own");
    let request = request.header("x-portkey-metadata", "{}").header("x-gateway-anything", "1").header("cookie", "c=d");
    let request = request.header("x-api-key", &key).header("api-key", "other").header("x-forwarded-for", "10.0.0.1");
    let answer = gateway.ask(request).await.expect(201);
    assert_eq!((answer.text().as_str(), answer.header("content-type")), ("sound", Some("audio/mpeg")));
    assert_eq!((answer.header("etag"), answer.header("set-cookie")), (Some("\"1\""), None));
    assert_eq!((answer.header("x-portkey-provider"), answer.header("x-ratelimit-limit")), (Some("openai"), None));
    let seen = openai.request(1).await;
    assert_eq!(seen.head.first_line, "POST /v1/audio/speech?voice=a%20b&n=1 HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-openai-own"));
    assert_eq!(seen.header("accept"), Some("audio/*"));
    for name in ["x-api-key", "api-key", "cookie", "openai-organization", "x-forwarded-for", "x-gateway-anything"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let head = format!("{:?}", seen.head);
    assert!(!head.contains(&key) && !head.contains("x-portkey"), "{head}");
    openai.once(Reply::json(200, &json!({ "deleted": true })));
    gateway.ask(asked("DELETE", "/files/file-1", &key)).await.expect(200);
    assert_eq!(openai.request(2).await.head.first_line, "DELETE /v1/files/file-1 HTTP/1.1");
}

/// H2: only open paths are reached, whatever their spelling, and a redirect leads nowhere.
#[tokio::test]
async fn h2_only_open_paths_are_reached() {
    let openai = FakeProvider::answering(Reply::json(200, &json!({ "id": "x" }))).await;
    let (gateway, key) = setup(&openai).start().await.with_key().await;
    for (method, path, status) in [
        ("POST", "/files", 403),
        ("GET", "/audio/speech", 403),
        ("GET", "/models", 403),
        ("GET", "/files/../models", 400),
        ("GET", "/files/%2e%2e/models", 400),
        ("GET", "/files%2f..%2fmodels", 400),
        ("GET", "/files/%252e%252e/models", 400),
        ("GET", "/files//x", 400),
        ("GET", "//elsewhere.example/files", 400),
        ("GET", "/https://elsewhere.example/files", 400),
        ("GET", "/files/..;/models", 400),
    ] {
        let refused = gateway.ask(asked(method, path, &key)).await.expect(status).json();
        assert!(refused["error"]["message"].is_string(), "{path}: {refused}");
    }
    let elsewhere = |provider: &str| Request::get(&format!("/v1/proxy/{provider}/files")).key(&key);
    assert_eq!(gateway.ask(elsewhere("none")).await.expect(400).json()["error"]["param"], "provider");
    gateway.ask(elsewhere("anthropic")).await.expect(403);
    gateway.ask(elsewhere("simulator")).await.expect(400);
    gateway.ask(Request::get("/v1/proxy/openai/files")).await.expect(401);
    assert_eq!(openai.count(), 0);
    openai.once(Reply::text(302, "text/plain", "").header("location", "http://169.254.169.254/"));
    assert_eq!(gateway.ask(asked("GET", "/files", &key)).await.expect(502).json()["error"]["type"], "api_error");
    assert_eq!(openai.count(), 1);
}

/// The key's providers, models and request limit hold.
#[tokio::test]
async fn the_rights_and_limits_of_the_key_hold() {
    let openai = FakeProvider::answering(Reply::json(200, &json!({ "id": "x" }))).await;
    let gateway = setup(&openai).start().await;
    let other = gateway.new_key(json!({ "allowed_providers": ["anthropic"] })).await;
    gateway.ask(spoken(&other)).await.expect(403);
    let narrow = gateway.new_key(json!({ "allowed_models": ["gpt-4o-mini"] })).await;
    gateway.ask(spoken(&narrow)).await.expect(403);
    gateway.ask(asked("POST", "/audio/speech", &narrow).body_of("audio/wav", "RIFF")).await.expect(403);
    gateway.ask(chat(&narrow, false)).await.expect(200);
    gateway.ask(asked("GET", "/files", &narrow)).await.expect(200);
    let twice = r#"{"model":"gpt-4o-mini","model":"gpt-4o"}"#;
    gateway.ask(asked("POST", "/chat/completions", &narrow).body(twice)).await.expect(400);
    let limited = gateway.new_key(json!({ "rate_limit": 1 })).await;
    gateway.ask(spoken(&limited)).await.expect(200);
    let refused = gateway.ask(spoken(&limited)).await.expect(429);
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(openai.count(), 3);
}

/// B4, B5, D2: a key with a budget passes only what can be priced; an exhausted one is refused; what it spends is settled by
/// what the provider counts; what costs nothing passes.
#[tokio::test]
async fn b4_b5_budgets_hold() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = setup(&openai).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 1 })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let refused = gateway.ask(spoken(key)).await.expect(400);
    assert_eq!(refused.json()["error"]["code"], "request_not_priced");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    gateway.ask(asked("POST", "/audio/transcriptions", key).body_of("audio/wav", "RIFF")).await.expect(400);
    assert_eq!(openai.count(), 0);
    gateway.ask(chat(key, false)).await.expect(200);
    gateway.ask(asked("GET", "/files", key)).await.expect(200);
    settled(&gateway, "key", id, COST).await;
    let unlimited = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hi" }] });
    gateway.ask(asked("POST", "/chat/completions", key).json(&unlimited)).await.expect(200);
    assert_eq!(
        openai.request(3).await.body["max_completion_tokens"],
        16384,
        "the provider is held to what is reserved"
    );
    settled(&gateway, "key", id, 2 * COST).await;
    let spent = gateway.new_key(json!({ "budget_limit_usd": 0 })).await;
    let refused = gateway.ask(chat(&spent, false)).await.expect(429).json();
    assert_eq!(refused["error"]["code"], "budget_exceeded");
    assert_eq!(openai.count(), 3);
    let rows = log_rows(&gateway, 2).await;
    assert_eq!((&rows[0]["endpoint"], &rows[0]["model"]), (&json!("/v1/proxy"), &json!("gpt-4o-mini")));
    assert_eq!((&rows[0]["prompt_tokens"], &rows[0]["completion_tokens"]), (&json!(10), &json!(15)));
}

/// C4, D9: a stream passes byte for byte as it comes, and is booked by the usage in it, in each format.
#[tokio::test]
async fn c4_streams_pass_and_are_booked() {
    let openai = FakeProvider::start().await;
    let gate = Gate::new();
    let (gateway, key) = setup(&openai).start().await.with_key().await;
    let first = openai::text("hel");
    let rest = [openai::text("lo"), openai::usage(), openai::DONE.to_owned()].concat();
    openai.once(Reply::stream("text/event-stream").then(&first).wait(&gate).then(&rest));
    let mut stream = gateway.stream(chat(&key, true).header("x-portkey-trace-id", "passed")).await;
    assert_eq!(stream.next_text().await, "hel");
    gate.open();
    let events = stream.rest().await;
    assert!(events.is_done() && events.text() == "lo", "{events:?}");
    let line = gateway.request_log("passed").await;
    assert_eq!((&line["path"], &line["status"]), (&json!("/v1/proxy"), &json!(200)));
    assert_eq!((&line["prompt_tokens"], &line["completion_tokens"]), (&json!(10), &json!(15)));
    let rows = log_rows(&gateway, 1).await;
    assert_eq!(
        (&rows[0]["estimated"], &rows[0]["stream"], &rows[0]["status"]),
        (&json!(0), &json!(1), &json!("success"))
    );
    openai.once(Reply::stream("text/event-stream").then(": ping\r\n\r\n").then(&first).then(&rest));
    let told = gateway.ask(chat(&key, true)).await.expect(200);
    assert_eq!(told.text(), [": ping\r\n\r\n", &first, &rest].concat());
}

/// D2, C5, D6, D7: an answer that breaks off ends the client's connection; a client that leaves ends the provider's, pays
/// for what came, and gives its place back.
#[tokio::test]
async fn d2_d6_both_sides_learn_of_an_end() {
    let openai = FakeProvider::start().await;
    let gateway = setup(&openai).start().await;
    let key = gateway.new_key(json!({ "max_parallel": 1 })).await;
    openai.once(Reply::stream("text/event-stream").then(&openai::text("half")).cut());
    let broken = chat(&key, true).try_status(gateway.address).await;
    assert_eq!(broken, None, "no end that looks like one");
    openai.once(Reply::stream("text/event-stream").then(&openai::text("half")).stall());
    let mut stream = gateway.stream(chat(&key, true)).await;
    stream.next_text().await;
    drop(stream);
    openai.request(2).await.abandoned().await;
    openai.once(Reply::silence());
    let pending = chat(&key, true).send(gateway.address).await;
    openai.request(3).await;
    drop(pending);
    openai.request(3).await.abandoned().await;
    gateway.wait_until_idle().await;
    let rows = log_rows(&gateway, 3).await;
    let statuses: Vec<&Value> = rows.iter().map(|row| &row["status"]).collect();
    assert_eq!(statuses, ["error", "cancelled", "cancelled"]);
    assert!(rows.iter().all(|row| row["estimated"] == 1 && row["prompt_tokens"].as_i64() > Some(0)), "{rows:#?}");
}

/// H1: an error is the provider's own, without the credential that it repeats.
#[tokio::test]
async fn h1_an_error_shows_no_credential() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = setup(&openai).start().await.with_key().await;
    let told = json!({ "error": { "message": "Incorrect API key provided: sk-openai-own" }, "extra": 1 });
    openai.once(Reply::json(401, &told).header("retry-after", "7"));
    let answer = gateway.ask(spoken(&key)).await.expect(401);
    let expected = json!({ "error": { "message": "Incorrect API key provided: ***" }, "extra": 1 });
    assert_eq!((answer.json(), answer.header("retry-after")), (expected, Some("7")));
}
