//! The `x-portkey-config` header: both dialects, with every mistake named.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Request, Setup};

fn errors(body: &Value) -> Vec<String> {
    body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {body}")).iter().map(Value::to_string).collect()
}

/// A wrong config is a 400 in Portkey's shape beside OpenAI's, with all its mistakes and their paths.
#[tokio::test]
async fn a_wrong_config_is_a_400_with_every_mistake() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let config = json!({ "strategy": "fallbak", "targets": [
        { "provider": "simulator", "weight": -1 }, { "provider": "simulator", "retry": { "attempts": "many" } } ] });
    let body = gateway.ask(Request::hello(&key, "sim-text").config(&config)).await.expect(400).json();
    assert_eq!((&body["status"], &body["message"]), (&json!("failure"), &json!("Invalid config passed")));
    let errors = errors(&body);
    for path in ["strategy", "targets[0].weight", "targets[1].retry.attempts"] {
        assert!(errors.iter().any(|error| error.contains(path)), "{path} in {errors:?}");
    }
    let modes = ["single", "fallback", "loadbalance", "conditional"];
    assert!(errors.iter().any(|error| modes.iter().all(|mode| error.contains(mode))), "{errors:?}");
    assert_eq!(body["error"]["type"], "invalid_request_error");
}

/// Other things that no config may be.
#[tokio::test]
async fn configs_that_make_no_sense_are_refused() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let target = json!({ "provider": "simulator", "model": "sim-text" });
    let deep = (0..9).fold(target.clone(), |inner, _| json!({ "strategy": "fallback", "targets": [inner] }));
    let too_many: Vec<_> = (0..65).map(|_| target.clone()).collect();
    for config in [
        json!({ "strategy": "loadbalance", "weights": [target], "targets": [target] }),
        json!({ "provider": "simulator", "model": "sim-text", "override_params": { "model": "sim-echo" } }),
        json!({ "provider": "simulator", "override_params": { "stream": true } }),
        json!({ "strategy": "fallback", "targets": [] }),
        json!({ "strategy": "fallback", "targets": too_many }),
        json!({ "options": [{ "provider": "openai" }] }),
        json!({ "provider": "openai", "api_key": "sk-of-the-client" }),
        json!({ "provider": "openai", "custom_host": "http://169.254.169.254" }),
        deep,
    ] {
        let answer = gateway.ask(Request::hello(&key, "sim-text").config(&config)).await;
        assert_eq!(answer.status, 400, "{config}: {}", answer.text());
        assert!(!answer.text().contains("sk-of-the-client"));
        assert!(!errors(&answer.json()).is_empty());
    }
    for text in ["{", "[1]", "{\"provider\":\"simulator\""] {
        let request = Request::hello(&key, "sim-text").header("x-portkey-config", text);
        gateway.ask(request).await.expect(400);
    }
    let nobody = json!({ "strategy": "fallback", "targets": [{ "provider": "nobody" }] });
    gateway.ask(Request::hello(&key, "sim-text").config(&nobody)).await.expect(400);
}

/// Unknown keys (`on_error` for `on_errors`) are warned about, and refused with their path in strict mode.
#[tokio::test]
async fn unknown_keys_are_warned_about_or_refused() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "simulator", "model": "sim-text", "on_error": ["*"] }, { "provider": "openai" } ] });
    let request = || Request::hello(&key, "sim-text").config(&config);
    let answer = gateway.ask(request()).await.expect(200);
    let warning = answer.header("x-gateway-config-warning").expect("a warning");
    assert!(warning.contains("targets[0].on_error"), "{warning}");
    let strict = gateway.ask(request().header("x-gateway-config-strict", "true")).await.expect(400).json();
    assert!(errors(&strict)[0].contains("targets[0].on_error"), "{strict}");
}

/// Guardrails that this gateway cannot have are answered with a 400 that names them.
#[tokio::test]
async fn guardrails_of_elsewhere_are_refused_by_name() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let with = |name: &str, value: Value| json!({ "provider": "simulator", name: value });
    for (config, path) in [
        (with("input_guardrails", json!(["grd-stored"])), "input_guardrails"),
        (with("output_guardrails", json!([{ "acme.toxicity": {} }])), "output_guardrails"),
        (with("after_request_hooks", json!([{ "type": "guardrail", "id": "g", "checks": [] }])), "after_request_hooks"),
    ] {
        let body = gateway.ask(Request::hello(&key, "sim-text").config(&config)).await.expect(400).json();
        assert!(body["error"]["message"].as_str().unwrap().contains(path), "{path}: {body}");
    }
    let wrong = with("cache", json!({ "mode": "sematic" }));
    let body = gateway.ask(Request::hello(&key, "sim-text").config(&wrong)).await.expect(400).json();
    assert!(errors(&body).iter().any(|error| error.contains("cache.mode")), "{body}");
}

/// A saved config is asked for by its slug, is a key's default, or the gateway's; an unknown slug is a 400.
#[tokio::test]
async fn saved_configs_are_found_by_slug() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let target = |name: &str, model: &str| format!("[configs.{name}]\nprovider = \"simulator\"\nmodel = \"{model}\"\n");
    let setup = Setup::new().openai(&openai).toml(&target("pc-echo", "sim-echo")).toml(&target("pc-text", "sim-text"));
    let gateway = setup.set("routing.default_config", "pc-text").start().await;
    let plain = gateway.new_key(json!({})).await;
    let with_default = gateway.new_key(json!({ "config": "pc-echo" })).await;
    let model = |answer: crate::harness::Answer| answer.expect(200).json()["model"].as_str().unwrap().to_owned();

    assert_eq!(model(gateway.ask(Request::hello(&plain, "gpt-4o-mini")).await), "sim-text");
    assert_eq!(model(gateway.ask(Request::hello(&with_default, "gpt-4o-mini")).await), "sim-echo");
    let by_slug = Request::hello(&plain, "gpt-4o-mini").header("x-portkey-config", "pc-echo");
    assert_eq!(model(gateway.ask(by_slug).await), "sim-echo");
    let inline = Request::hello(&with_default, "gpt-4o-mini").config(&json!({ "provider": "openai" }));
    gateway.ask(inline).await.expect(200);
    assert_eq!(openai.count(), 1, "the caller's own config wins");
    let unknown = Request::hello(&plain, "gpt-4o-mini").header("x-portkey-config", "pc-nobody");
    assert!(errors(&gateway.ask(unknown).await.expect(400).json())[0].contains("pc-nobody"));
}

/// Portkey's camelCase, base64, Vietnamese as it is, and parameters that override, default and drop.
#[tokio::test]
async fn headers_are_read_in_every_spelling() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let system = json!([{ "role": "system", "content": "Trả lời bằng tiếng Việt" }]);
    let config = json!({ "provider": "openai", "overrideParams": { "messages": system, "temperature": 0.5 },
        "default_params": { "temperature": 1, "seed": 7 }, "drop_params": ["user"] });
    let base64 = base64(config.to_string().as_bytes());
    let escape = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", c as u32) };
    let escaped: String = config.to_string().chars().map(escape).collect();
    let mut body = crate::harness::client::hello("gpt-4o-mini");
    body["user"] = json!("u1");
    for header in [config.to_string(), base64, escaped] {
        let before = openai.count();
        gateway.ask(Request::chat(&key, &body).header("x-portkey-config", &header)).await.expect(200);
        let seen = openai.request(before + 1).await.body;
        assert_eq!(
            (&seen["messages"], &seen["temperature"], &seen["seed"]),
            (&system, &json!(0.5), &json!(7)),
            "{header}"
        );
        assert!(seen.get("user").is_none(), "{header}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0, |bits, n| bits << 8 | u32::from(group.get(n).copied().unwrap_or_default()));
        let digit = move |n: usize| match n <= group.len() {
            true => char::from(ALPHABET[(bits >> (18 - 6 * n)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
