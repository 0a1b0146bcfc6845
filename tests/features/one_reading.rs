//! What is authorised, priced, limited and cached is what is sent: a request that can be read in two ways is refused.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gateway, Request, Setup, client};

fn raw_body(key: &str, body: &str) -> Request {
    Request::new("POST", "/v1/chat/completions").key(key).body(body)
}

/// K04, M-6: a name that stands twice, however it is spelt, is a 400 that names it, and reaches no provider.
#[tokio::test]
async fn k04_a_doubled_name_is_refused() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "allowed_models": ["gpt-4o-mini"], "budget_limit_usd": 1 })).await;
    let hi = r#""messages":[{"role":"user","content":"hi"}]"#;
    for (body, param) in [
        (format!(r#"{{"model":"gpt-4o","model":"gpt-4o-mini",{hi}}}"#), "model"),
        (format!(r#"{{"mod\u0065l":"gpt-4o","model":"gpt-4o-mini",{hi}}}"#), "model"),
        (format!(r#"{{"model":"gpt-4o-mini",{hi},"Model":"gpt-4o"}}"#), "Model"),
        (format!(r#"{{"model":"gpt-4o-mini",{hi},"max_tokens":9,"max_tokens":99999}}"#), "max_tokens"),
        (format!(r#"{{"model":"gpt-4o-mini",{hi},"max_tokens":9,"MAX_TOKENS":99999}}"#), "MAX_TOKENS"),
        (format!("{{\"model\":\"gpt-4o-mini\",{hi},\"max_to\u{212a}ens\":99999}}"), "max_to\u{212a}ens"),
        (format!("{{\"model\":\"gpt-4o-mini\",{hi},\"\u{17f}tream\":true}}"), "\u{17f}tream"),
        (format!(r#"{{"model":"gpt-4o-mini","stream":true,"stream":false,{hi}}}"#), "stream"),
        (format!(r#"{{"model":"gpt-4o-mini",{hi},"unknown":1,"unknown":1}}"#), "unknown"),
        (
            format!(r#"{{"model":"gpt-4o-mini",{hi},"stream":true,"stream_options":{{"Include_Usage":false}}}}"#),
            "stream_options.Include_Usage",
        ),
        (
            r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"a","content":[]}]}"#.to_owned(),
            "messages[0].content",
        ),
    ] {
        let answer = gateway.ask(raw_body(&key, &body)).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!(param)), "{body}");
    }
    let body = r#"{"model":"text-embedding-3-small","input":"a","input":["b"]}"#;
    let request = Request::new("POST", "/v1/embeddings").key(&key).body(body);
    assert_eq!(gateway.ask(request).await.expect(400).json()["error"]["param"], "input");
    assert_eq!(openai.count(), 0);
    // Refused requests cost no limit and hold no place.
    gateway.wait_until_idle().await;
}

/// M-6: a config sets no look-alike either.
#[tokio::test]
async fn a_config_sets_no_look_alike() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "allowed_models": ["gpt-4o-mini"] })).await;
    for params in ["override_params", "default_params"] {
        let config = json!({ "provider": "openai", params: { "Model": "gpt-4o" } });
        let error = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(400).json();
        assert_eq!(error["error"]["param"], "Model", "{error}");
    }
    for config in [
        r#"{"provider":"openai","provider":"simulator"}"#,
        r#"{"targets":[{"provider":"openai","override_params":{"seed":1,"seed":2}}],"strategy":"fallback"}"#,
    ] {
        let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-config", config);
        let answer = gateway.ask(request).await.expect(400);
        assert_eq!(answer.json()["error"]["code"], "invalid_config", "{}", answer.text());
    }
    assert_eq!(openai.count(), 0);
}

/// http-bom: a byte order mark before the body is ignored, and not sent on.
#[tokio::test]
async fn a_byte_order_mark_is_ignored() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let body = format!("\u{feff}{}", client::hello("gpt-4o-mini"));
    gateway.ask(raw_body(&key, &body)).await.expect(200);
    assert_eq!(openai.request(1).await.body["model"], "gpt-4o-mini");
}

/// C01: namespaces keep tenants apart, whatever letters they are written in.
#[tokio::test]
async fn c01_namespaces_beyond_ascii_are_kept_apart() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let ask = async |namespace: &str| {
        let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-cache", "simple");
        let answer = gateway.ask(request.header("x-portkey-cache-namespace", namespace)).await.expect(200);
        answer.header("x-portkey-cache-status").map(str::to_owned)
    };
    assert_eq!(ask("khách-đỏ").await.as_deref(), Some("MISS"));
    assert_eq!(ask("khách-xanh").await.as_deref(), Some("MISS"));
    assert_eq!(ask("khách-đỏ").await.as_deref(), Some("HIT"));
}

/// C01: what a config forwards tells answers apart, also where it is beyond ASCII.
#[tokio::test]
async fn c01_forwarded_headers_beyond_ascii_are_kept_apart() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let config = json!({ "provider": "openai", "forward_headers": ["x-tenant"], "cache": { "mode": "simple" } });
    for (tenant, status) in [("đỏ", "MISS"), ("xanh", "MISS"), ("đỏ", "HIT")] {
        let request = Request::hello(&key, "gpt-4o-mini").config(&config).header("x-tenant", tenant);
        let answer = gateway.ask(request).await.expect(200);
        assert_eq!(answer.header("x-portkey-cache-status"), Some(status), "{tenant}");
    }
    assert_eq!(openai.count(), 2);
}

/// C01: a header that steers and cannot be read, or says two things, is a 400 that names it.
#[tokio::test]
async fn c01_a_header_that_cannot_be_read_is_refused() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let body = client::hello("gpt-4o-mini").to_string();
    for (lines, param) in [
        (&b"x-portkey-cache-namespace: kh\xe1ch\r\n"[..], "x-portkey-cache-namespace"),
        (b"x-portkey-cache-namespace: a\r\nx-portkey-cache-namespace: b\r\n", "x-portkey-cache-namespace"),
        (b"x-portkey-provider: open\xe4i\r\n", "x-portkey-provider"),
        (b"x-portkey-provider: openai\r\nx-portkey-provider: simulator\r\n", "x-portkey-provider"),
        (b"x-portkey-cache-force-refresh: yes\r\n", "x-portkey-cache-force-refresh"),
        (b"x-portkey-strict-open-ai-compliance: 1\r\n", "x-portkey-strict-open-ai-compliance"),
        (b"x-portkey-debug: no\r\n", "x-portkey-debug"),
        (b"x-portkey-request-timeout: 1.5\r\n", "x-portkey-request-timeout"),
        (b"x-portkey-metadata: {\"a\":\"\xff\"}\r\n", "x-portkey-metadata"),
        (b"x-portkey-metadata: {\"a\":1,\"a\":2}\r\n", "x-portkey-metadata"),
        (b"x-portkey-config: {\"provider\":\"\xe9\"}\r\n", "x-portkey-config"),
        (b"x-portkey-config: a\r\nx-portkey-config: b\r\n", "x-portkey-config"),
        (b"x-gateway-config-strict: perhaps\r\nx-portkey-config: {}\r\n", "x-gateway-config-strict"),
        (b"x-portkey-api-key: vk-\xe9\r\n", "x-portkey-api-key"),
        (b"x-api-key: vk-one\r\nx-api-key: vk-two\r\n", "x-api-key"),
        (b"authorization: Bearer vk-another\r\n", "authorization"),
    ] {
        let mut bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
             content-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(lines);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.as_bytes());
        let answer = client::send(&bytes, gateway.address).await.answer().await;
        let lines = String::from_utf8_lossy(lines);
        assert_eq!(answer.status, 400, "{lines}: {}", answer.text());
        assert_eq!(answer.json()["error"]["param"], param, "{lines}");
    }
    assert_eq!(openai.count(), 0);
    gateway.ask(Request::hello(&key, "gpt-4o-mini").header("x-portkey-debug", "True")).await.expect(200);
}
