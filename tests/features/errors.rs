//! The error table: every status of the gateway's own, in OpenAI's shape, over raw HTTP.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::client::hello;
use crate::harness::{Answer, FakeProvider, Gateway, Reply, Request, Setup};

#[track_caller]
fn check(answer: &Answer, status: u16, kind: &str, code: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    let error = &body["error"];
    assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some(kind), Some(code)), "{body}");
    assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{body}");
    assert!(error.get("param").is_some(), "{body}");
}

fn posted(key: &str, body: &str) -> Request {
    Request::new("POST", "/v1/chat/completions").key(key).body(body)
}

/// The table of the gateway's own errors.
#[tokio::test]
async fn every_error_of_the_gateway_has_openais_shape() {
    let setup = Setup::new().set("server.max_body_bytes", 1_000_000);
    let (gateway, key) = setup.start().await.with_key().await;
    let narrow = gateway.new_key(json!({ "allowed_models": ["sim-text"] })).await;
    let limited = gateway.new_key(json!({ "rate_limit": 1 })).await;
    gateway.ask(Request::hello(&limited, "sim-text")).await.expect(200);
    let mut bad_field = hello("sim-text");
    bad_field["stream"] = json!("yes");
    let invalid = "invalid_request_error";
    for (request, status, kind, code) in [
        (posted(&key, "{nonsense"), 400, invalid, "invalid_json"),
        (posted(&key, "[]"), 400, invalid, "invalid_json"),
        (posted(&key, ""), 400, invalid, "invalid_json"),
        (posted(&key, &json!({ "messages": [] }).to_string()), 400, invalid, "invalid_request"),
        (posted(&key, &json!({ "model": "sim-text" }).to_string()), 400, invalid, "invalid_request"),
        (Request::chat(&key, &bad_field), 400, invalid, "invalid_request"),
        (Request::hello(&key, "sim-text").config(&json!({ "strategy": 1 })), 400, invalid, "invalid_config"),
        (posted("vk-unknown", "{}"), 401, "authentication_error", "invalid_api_key"),
        (Request::hello(&narrow, "sim-echo"), 403, "permission_error", "not_allowed"),
        (Request::get("/v1/no-such-route").key(&key), 404, invalid, "not_found"),
        (Request::get("/v1/chat/completions").key(&key), 405, invalid, "method_not_allowed"),
        (posted(&key, &"x".repeat(1_000_001)), 413, invalid, "body_too_large"),
        (Request::hello(&limited, "sim-text"), 429, "rate_limit_error", "rate_limit_exceeded"),
    ] {
        check(&gateway.ask(request).await, status, kind, code);
    }
    let models = gateway.ask(Request::get("/v1/models/no-such-model").key(&key)).await;
    assert_eq!(models.status, 404, "{}", models.text());
    let nowhere = gateway.ask(Request::get("/nowhere")).await.expect(404).json();
    assert_eq!((&nowhere["message"], &nowhere["ok"]), (&json!("Not Found"), &json!(false)), "Portkey's words");
}

/// A provider's errors keep their status, and Anthropic's are told in OpenAI's shape.
#[tokio::test]
async fn provider_errors_keep_their_status() {
    let openai = FakeProvider::start().await;
    let anthropic = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).anthropic(&anthropic);
    let setup = setup.set("providers.openai.breaker.failure_threshold", 1000);
    let setup = setup.set("providers.anthropic.breaker.failure_threshold", 1000);
    let (gateway, key) = setup.start().await.with_key().await;
    for status in [400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 529] {
        openai.once(openai::error(status));
        let error = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(status).json()["error"].clone();
        assert_eq!((&error["type"], &error["code"]), (&json!("fake_error"), &json!("fake")));
        assert!(error["message"].as_str().unwrap().contains(&format!("the provider says {status}")));
        anthropic.once(anthropic::error(status, "some_error"));
        let error = gateway.ask(Request::hello(&key, "claude-3-sonnet")).await.expect(status).json()["error"].clone();
        assert!(error["message"].as_str().unwrap().contains(&format!("the provider says {status}")), "{error}");
        assert!(error["type"].is_string() && error.get("param").is_some() && error.get("code").is_some(), "{error}");
    }
}

/// What is no error of the provider's own words: unreachable, silent, broken, without a credential.
#[tokio::test]
async fn failures_without_words_are_explained() {
    let refusing = FakeProvider::refusing().await;
    let setup = Setup::new().openai(&refusing);
    let (gateway, key) = setup.start().await.with_key().await;
    check(&gateway.ask(Request::hello(&key, "gpt-4o-mini")).await, 503, "api_error", "provider_unreachable");
    let without = gateway.ask(Request::hello(&key, "claude-3-sonnet")).await;
    check(&without, 503, "api_error", "provider_not_ready");
    assert!(without.text().contains("ANTHROPIC_API_KEY"), "{}", without.text());
    assert_eq!(without.header("x-should-retry"), Some("false"));
    drop(gateway);

    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    for reply in [
        Reply::text(200, "text/html", "<html>"),
        Reply::stream("application/json").then("{\"id\"").cut(),
        Reply::json(200, &json!([1])),
    ] {
        openai.once(reply);
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(502);
        assert!(answer.json()["error"]["type"].is_string());
    }
    openai.once(Reply::text(500, "text/html", "<html>Internal Server Error</html>"));
    let error: Value = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(500).json();
    assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
}

/// A name of a model has at most 256 characters.
#[tokio::test]
async fn a_models_name_is_not_endless() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let named = |length: usize| Request::hello(&key, &("openai/".to_owned() + &"ỳ".repeat(length - 7)));
    gateway.ask(named(256)).await.expect(200);
    let refused = gateway.ask(named(257)).await.expect(400);
    assert_eq!(refused.json()["error"]["param"], "model");
    // A target's too.
    let config = serde_json::json!({ "provider": "openai", "model": "ỳ".repeat(257) });
    let refused = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(400);
    assert_eq!(refused.json()["error"]["param"], "model");
    assert_eq!(openai.count(), 1);
}

/// Portkey's headers come with errors too.
#[tokio::test]
async fn errors_carry_portkeys_headers() {
    let gateway = Setup::new().start().await;
    for (request, status) in [
        (Request::hello("vk-nobody", "sim-text"), 401),
        (Request::get("/v1/nowhere"), 404),
        (Request::get("/v1/chat/completions"), 405),
    ] {
        let answer = gateway.ask(request.header("x-portkey-trace-id", "t-1")).await.expect(status);
        assert_eq!(answer.header("x-portkey-trace-id"), Some("t-1"), "{status}");
        assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("0"), "{status}");
        assert_eq!(answer.header("x-portkey-cache-status"), Some("DISABLED"), "{status}");
        assert!(answer.header("x-request-id").is_some(), "{status}");
    }
    let elsewhere = gateway.ask(Request::get("/nowhere")).await.expect(404);
    assert_eq!(elsewhere.header("x-portkey-trace-id"), None);
}

/// A redirect is no answer and is not followed (H2): it is a 502 that tells the operator what to correct. Where it leads is
/// for the log, without what may be a signature (L-8).
#[tokio::test]
async fn h2_a_redirect_is_told_and_not_followed() {
    let openai = FakeProvider::start().await;
    let elsewhere = FakeProvider::answering(openai::answer("from elsewhere")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    for status in [301, 302, 307, 308] {
        let location = elsewhere.origin() + "/v1/chat/completions";
        openai.once(
            Reply::text(status, "text/html", "<html>Moved</html>")
                .header("location", &(location.clone() + "?sig=s3cret")),
        );
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await;
        check(&answer, 502, "api_error", "provider_redirects");
        let text = answer.text();
        assert!(text.contains(&status.to_string()) && text.contains("base_url"), "{text}");
        // L-8: where it leads is the operator's to know, without what may be signed.
        assert!(!text.contains("chat/completions") && !text.contains("sig="), "{text}");
        let logged = gateway
            .wait_for_log("the redirect", |line| line["message"].to_string().contains(&format!("({status})")))
            .await;
        let logged = logged["message"].to_string();
        assert!(logged.contains(&location) && !logged.contains("sig="), "{logged}");
    }
    assert_eq!(elsewhere.count(), 0);
}

/// errors: what a vendor tells beside OpenAI's fields reaches the client, in whole answers and streams, within bounds and
/// without the credential; its id of the request is in the error and in the log line.
#[tokio::test]
async fn errors_keep_the_vendors_other_fields() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&fake).anthropic(&fake).start().await.with_key().await;
    let filter = json!({ "content_filter_result": { "violence": { "filtered": true } }, "note": "key sk-openai-own" });
    let azure = json!({ "error": { "message": "filtered", "type": null, "param": "prompt", "code": "content_filter",
        "status": 400, "innererror": filter } });
    fake.once(Reply::json(400, &azure).header("x-request-id", "req-7"));
    let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "azure");
    let error = gateway.ask(request).await.expect(400).json()["error"].clone();
    assert_eq!(error["innererror"]["content_filter_result"], filter["content_filter_result"], "{error}");
    assert_eq!(error["innererror"]["note"], "key ***", "{error}");
    assert_eq!(
        (&error["code"], &error["param"], &error["status"]),
        (&json!("content_filter"), &json!("prompt"), &json!(400))
    );
    assert_eq!(error["request_id"], "req-7", "{error}");
    assert_eq!(gateway.request_log("azure").await["provider_request_id"], "req-7");

    let claude =
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "busy" }, "request_id": "req_1" });
    fake.once(Reply::json(529, &claude).header("request-id", "req_1"));
    let error = gateway.ask(Request::hello(&key, "claude-3-sonnet")).await.expect(529).json()["error"].clone();
    assert_eq!((&error["request_id"], &error["code"]), (&json!("req_1"), &json!("overloaded_error")), "{error}");
    let begun = Reply::events([openai::role(), openai::text("half"), openai::event(&azure)]);
    fake.once(begun.header("x-request-id", "req-8"));
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "stream");
    let events = gateway.stream(request).await.rest().await;
    assert!(events.errors()[0]["innererror"]["content_filter_result"].is_object(), "{events:?}");
    assert_eq!(gateway.request_log("stream").await["provider_request_id"], "req-8");
}

/// J 25: what is no status of an error is a 502, with the provider's words.
#[tokio::test]
async fn j25_a_status_that_nobody_knows_is_a_502() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&fake).await;
    for status in [600, 799, 999] {
        fake.once(Reply::json(status, &json!({ "error": { "message": "no such status" } })));
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(502).json();
        assert_eq!(answer["error"]["message"], "no such status");
    }
}
