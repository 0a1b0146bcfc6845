//! HTTP as clients of all kinds speak it: old versions, HEAD, browsers, caches on the way, and what is no HTTP at all.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::client::{exchange, hello};
use crate::harness::gateway::ADMIN_TOKEN;
use crate::harness::{FakeProvider, Gateway, Request, Setup};

/// P01, http-version: HTTP/1.0 knows no chunks; the end of the connection is the end of the stream.
#[tokio::test]
async fn p01_http_1_0_gets_no_chunks() {
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("server.keepalive_ms", 100);
    let (gateway, key) = setup.start().await.with_key().await;
    let gate = crate::harness::Gate::new();
    for (reply, stream) in [
        (openai::stream(&["good"]), true),
        // Committed to before the provider answers.
        (openai::stream(&["good"]).after(&gate), true),
        (openai::answer("good"), false),
    ] {
        openai.once(reply);
        let mut body = hello("gpt-4o-mini");
        body["stream"] = json!(stream);
        let body = body.to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let opened = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(exchange(request.as_bytes(), gateway.address), opened);
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        if stream {
            let is_events = rest.starts_with("data: ") || rest.starts_with(": ping");
            assert!(is_events && rest.ends_with("data: [DONE]\n\n"), "{rest}");
        } else {
            assert!(rest.starts_with('{') && rest.ends_with('}'), "{rest}");
        }
    }
}

/// P01: a chunked upload is read, with extensions and a trailer.
#[tokio::test]
async fn p01_a_chunked_upload_is_read() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let body = hello("sim-text").to_string();
    let (first, second) = body.split_at(9);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n{:x};ext=1\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nx-trailer: 1\r\n\r\n",
        first.len(),
        second.len()
    );
    let answer = exchange(request.as_bytes(), gateway.address).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

/// http-methods: HEAD is served wherever GET is (RFC 9110, 9.1), without a body.
#[tokio::test]
async fn head_is_served_where_get_is() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    for (path, token, status) in [
        ("/health", "", 200),
        ("/health/live", "", 200),
        ("/health/ready", "", 200),
        ("/metrics", "", 200),
        ("/v1/models", &*key, 200),
        ("/v1/models/none", &key, 404),
        ("/v1/models", "", 401),
        ("/admin/virtual-keys", ADMIN_TOKEN, 200),
        ("/v1/chat/completions", &key, 405),
        ("/nowhere", "", 404),
    ] {
        let request =
            format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        let answer = exchange(request.as_bytes(), gateway.address).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path} has a body: {answer}");
    }
}

/// http-methods: pages may use the API where the operator says so, and nowhere else.
#[tokio::test]
async fn browsers_are_let_in_by_configuration() {
    let preflight = |path: &str, origin: &str| {
        Request::new("OPTIONS", path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
    };
    let (gateway, _) = Setup::new().start().await.with_key().await;
    let answer = gateway.ask(preflight("/v1/chat/completions", "https://app.example")).await.expect(405);
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let cors = "[server]\ncors = ['https://app.example', 'http://localhost:5173']";
    let (gateway, key) = Setup::new().toml(cors).start().await.with_key().await;
    for origin in ["https://app.example", "http://localhost:5173"] {
        let answer = gateway.ask(preflight("/v1/chat/completions", origin)).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
        let answer = gateway.ask(Request::hello(&key, "sim-text").header("origin", origin)).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
        assert!(answer.header("vary").unwrap().contains("origin"));
    }
    // An error is read by a page too.
    let refused = gateway.ask(Request::hello("vk-no", "sim-text").header("origin", "https://app.example")).await;
    assert_eq!(refused.expect(401).header("access-control-allow-origin"), Some("https://app.example"));
    for (path, origin) in [
        ("/v1/chat/completions", "https://evil.example"),
        ("/v1/chat/completions", "https://app.example.evil"),
        ("/admin/virtual-keys", "https://app.example"),
    ] {
        let answer = gateway.ask(preflight(path, origin)).await;
        assert!(answer.status >= 400, "{path} {origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path} {origin}");
    }
}

/// A04: what belongs to one key, or to the operator, is stored by no cache on the way.
#[tokio::test]
async fn a04_private_answers_are_not_for_caches() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    for answer in [
        gateway.ask(Request::get("/v1/models").header("x-api-key", &key)).await,
        gateway.ask(Request::get("/v1/models/gpt-4o-mini").key(&key)).await,
        gateway.ask(Request::get("/v1/models")).await,
        gateway.ask(Request::hello(&key, "sim-text")).await,
        gateway.ask(Request::hello(&key, "")).await,
        gateway.ask(Request::hello(&key, "sim-status-500")).await,
        gateway.ask(Request::streamed_hello(&key, "sim-text")).await,
        gateway.admin("GET", "/admin/virtual-keys", None).await,
        gateway.admin("GET", "/admin/config", None).await,
        gateway.admin("GET", "/admin/nowhere", None).await,
    ] {
        let told = answer.header("cache-control").unwrap_or_default();
        assert!(told.contains("no-store"), "{told:?}: {} {:?}", answer.status, answer.head);
    }
}

/// J 24: what is no HTTP is answered in OpenAI's shape, counted, and no error in the log.
#[tokio::test]
async fn j24_what_is_no_http_is_answered_and_counted() {
    let setup = Setup::new().set("server.header_timeout_ms", 5_000);
    let gateway = setup.start().await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(200_000));
    for (bytes, status, code) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..], 400, "malformed_http"),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "malformed_http"),
        (b"GET / HTTP/1.1\r\nhost", 408, "request_timeout"),
        (long.as_bytes(), 431, "headers_too_large"),
    ] {
        let answer = exchange(bytes, gateway.address).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], code, "{body}");
    }
    for (reason, count) in [("malformed_http", 2.0), ("request_timeout", 1.0), ("headers_too_large", 1.0)] {
        gateway.wait_for_metric("gateway_refused_requests_total", &[("reason", reason)], count).await;
    }
    let errors: Vec<String> = gateway.stdout().into_iter().filter(|line| line.contains("\"error\"")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// L-1: guesses of the admin token are limited by default; who has it is let in.
#[tokio::test]
async fn l1_guesses_of_the_admin_token_are_limited() {
    let gateway = Setup::new().set("server.admin_attempts_per_minute", 3).start().await;
    let guess = async || gateway.ask(Request::get("/admin/virtual-keys").key("guess")).await;
    for _ in 0..3 {
        guess().await.expect(401);
    }
    assert!(guess().await.expect(429).header("retry-after").is_some());
    gateway.admin("GET", "/admin/virtual-keys", None).await.expect(200);
}

/// K02: a key's models are named as clients name them, the list shows what may be used, and no config leads around it.
#[tokio::test]
async fn k02_models_are_allowed_by_the_names_that_clients_use() {
    let fake = FakeProvider::answering(openai::answer("hello")).await;
    let acme = format!("[providers.acme]\ndialect = 'openai'\nbase_url = '{}/v1'\n", fake.origin());
    let gateway = Setup::new().openai(&fake).toml(&acme).start().await;
    let price = json!({ "provider": "acme", "model": "small", "input": "0.1", "output": "0.1", "source": "test" });
    gateway.admin("PUT", "/admin/pricing", Some(price)).await.expect(200);
    let listed = async |key: &str| {
        let list = gateway.ask(Request::get("/v1/models").key(key)).await.expect(200).json();
        let ids = list["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let all = gateway.new_key(json!({})).await;
    let is_listed = async { while !listed(&all).await.contains(&"acme/small".to_owned()) {} };
    crate::harness::in_time("the priced model is listed", is_listed).await;
    for (pattern, model, others) in [
        ("acme/small", "acme/small", "gpt-4o-mini"),
        ("acme/*", "acme/small", "gpt-4o-mini"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini", "acme/gpt-4o-mini"),
        ("openai/*", "gpt-4o-mini", "acme/small"),
        ("gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o"),
    ] {
        let key = gateway.new_key(json!({ "allowed_models": [pattern] })).await;
        gateway.ask(Request::hello(&key, model)).await.expect(200);
        gateway.ask(Request::hello(&key, others)).await.expect(403);
        for config in [json!({ "provider": "acme", "model": "large" }), json!({ "override_params": { "model": "o3" } })]
        {
            let answer = gateway.ask(Request::hello(&key, model).config(&config)).await;
            let of_openai = config["provider"].is_null() && model != "acme/small";
            let is_allowed = match pattern {
                "acme/*" => !of_openai && config["provider"] == "acme",
                "openai/*" => of_openai,
                _ => false,
            };
            assert_eq!(answer.status, if is_allowed { 200 } else { 403 }, "{pattern} {config}: {}", answer.text());
        }
        let listed = listed(&key).await;
        assert!(!listed.is_empty(), "{pattern}");
        for id in listed {
            gateway.ask(Request::hello(&key, &id)).await.expect(200);
        }
    }
}

/// H6: no header of the gateway's own, of a credential or of the framing reaches a provider, also where a config asks.
#[tokio::test]
async fn h6_internal_headers_are_never_forwarded() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let own = [
        "x-portkey-virtual-key-id",
        "x-portkey-virtual-key-details",
        "x-portkey-api-key-details",
        "x-portkey-organisation-id",
        "x-portkey-trace-id",
        "x-portkey-metadata",
        "x-portkey-cache-namespace",
        "x-portkey-forwarded",
        "x-gateway-key-id",
        "x-gateway-tenant",
        "x-gateway-cost-usd",
        "x-api-key",
        "cookie",
        "te",
        "upgrade",
        "keep-alive",
        "proxy-authorization",
    ];
    let forwarded: Vec<&str> = own.into_iter().chain(["authorization", "host", "x-mine"]).collect();
    let config = json!({ "provider": "openai", "forward_headers": forwarded });
    for (n, name) in own.into_iter().enumerate() {
        let value = if name.ends_with("metadata") { "{\"spoofed\":\"1\"}" } else { "spoofed" };
        let mut request = Request::hello(&key, "gpt-4o-mini").config(&config).header("x-mine", "kept");
        // A key beside the bearer's goes first.
        request = if name == "x-api-key" { request.header(name, &key) } else { request.header(name, value) };
        gateway.ask(request).await.expect(200);
        let seen = openai.request(n + 1).await;
        assert_eq!(seen.header(name), None, "{name}");
        assert_eq!(seen.header("x-mine"), Some("kept"));
        assert_eq!(seen.header("authorization"), Some("Bearer sk-openai-own"));
        assert!(
            !seen.head.headers.iter().any(|(_, value)| value.contains("spoofed") || value.contains(&key)),
            "{name}"
        );
    }
}
