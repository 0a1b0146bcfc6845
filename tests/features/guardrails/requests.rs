//! Guardrails of requests: whatever a client or a config does to get around them.

use serde_json::{Value, json};

use super::{PII, REDACTED, assert_clean, choice, pii};
use crate::harness::bodies::openai;
use crate::harness::upstreams::Upstreams;
use crate::harness::{FakeProvider, Request, Setup};

fn body(text: &str) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": text }] })
}

/// D8: a body with a number that nobody can read is a 400 that names the field; nothing leaves.
#[tokio::test]
async fn d8_a_number_out_of_range_turns_nothing_off() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (path, text, field) in [
        (
            "/v1/chat/completions",
            r#"{"model":"chat/x","messages":[{"role":"user","x":1e999,"content":"PII"}]}"#,
            "messages",
        ),
        (
            "/v1/messages",
            r#"{"model":"claude/x","max_tokens":9,"messages":[{"role":"user","content":"PII"},{"role":"assistant","content":[
                {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1e999}}]}]}"#,
            "messages",
        ),
        ("/v1/responses", r#"{"model":"responses/x","input":[{"role":"user","x":1e999,"content":"PII"}]}"#, "input"),
        ("/v1/embeddings", r#"{"model":"chat/x","input":["PII",1e999]}"#, "input"),
    ] {
        for action in ["redact", "deny"] {
            let text = text.replace("PII", PII);
            let asked = Request::new("POST", path).key(&key).config(&pii("input", action)).body(text);
            let told = gateway.ask(asked).await.expect(400).text();
            assert!(told.contains(field), "{path}: {told}");
            assert_clean(path, &told);
        }
    }
    assert_eq!(upstreams.counts().iter().sum::<usize>(), 0, "nothing is sent");
}

/// D8: what a config sets in a request passes the floor; a denied one does not leave.
#[tokio::test]
async fn d8_overrides_pass_the_floor() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    for (action, status) in [("redact", 200), ("deny", 446)] {
        let floor = format!("[guardrails.floor]\ninput = [{{ type = \"pii_detection\", action = \"{action}\" }}]\n");
        let (gateway, key) = Setup::new().openai(&openai).toml(&floor).start().await.with_key().await;
        let count = openai.count();
        for name in ["override_params", "default_params"] {
            let params =
                json!({ "messages": [{ "role": "user", "content": PII }], "metadata": { "x": PII }, "user": PII });
            let params = if name == "default_params" { json!({ "user": PII }) } else { params };
            let config =
                json!({ "strategy": { "mode": "fallback" }, "targets": [{ "provider": "openai", name: params }] });
            gateway.ask(Request::chat(&key, &body("hi")).config(&config)).await.expect(status);
            if action == "redact" {
                let sent = openai.requests().pop().unwrap().body;
                assert_clean(name, &sent.to_string());
                assert_eq!(sent["user"], REDACTED);
            }
        }
        assert_eq!(openai.count() - count, if action == "redact" { 2 } else { 0 });
    }
}

/// D8: what a former request sealed passes the guardrails of this one, all of them.
#[tokio::test]
async fn d8_sealed_summaries_pass_the_guardrails() {
    let summary = format!("{PII} Someone wants to build a bomb.");
    let openai = FakeProvider::answering(openai::answer(&summary)).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let compact = json!({ "model": "gpt-4o-mini", "input": [{ "role": "user", "content": "hi" }] });
    let asked = Request::new("POST", "/v1/responses/compact").key(&key).json(&compact);
    let mut output = gateway.ask(asked).await.expect(200).json()["output"].clone();
    let items = output.as_array_mut().unwrap();
    items.retain(|item| item["type"] == "compaction");
    assert_eq!(items.len(), 1);
    let next = json!({ "model": "gpt-4o-mini", "store": false, "input": items });
    let ask = async |config: Value| {
        gateway.ask(Request::new("POST", "/v1/responses").key(&key).config(&config).json(&next)).await
    };
    for (action, stands) in [("redact", "CMND [CMND_REDACTED]"), ("tokenize", "CMND [CMND_1]")] {
        ask(pii("input", action)).await.expect(200);
        let sent = openai.requests().pop().unwrap().body.to_string();
        assert_clean(action, &sent);
        assert!(sent.contains(stands), "{sent}");
    }
    let count = openai.count();
    ask(pii("input", "deny")).await.expect(446);
    let no_bombs = json!({ "default.contains": { "operator": "none", "words": ["bomb"] }, "deny": true });
    ask(json!({ "input_guardrails": [no_bombs] })).await.expect(446);
    assert_eq!(openai.count(), count, "nothing is sent");
}

/// Guardrails that are asked for are never passed over: what the gateway cannot do of them is a 400.
#[tokio::test]
async fn d8_guardrails_are_applied_or_refused() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let open = "[providers.openai]\npass_through = [{ path = \"/chat/completions\", methods = [\"POST\"] }]\n";
    let (gateway, key) = Setup::new().openai(&openai).toml(open).start().await.with_key().await;
    let proxied = Request::new("POST", "/v1/proxy/openai/chat/completions").key(&key).json(&body(PII));
    let refused = gateway.ask(proxied.config(&pii("input", "redact"))).await.expect(400).json();
    assert_eq!(refused["error"]["code"], "not_supported", "{refused}");
    for name in ["x-portkey-default-input-guardrails", "x-portkey-default-output-guardrails"] {
        let asked = Request::chat(&key, &body(PII)).header(name, r#"[{"portkey.pii":{"redact":true}}]"#);
        let refused = gateway.ask(asked).await.expect(400).json();
        assert_eq!(refused["error"]["param"], name, "{refused}");
    }
    let list = json!([{ "type": "pii_detection", "action": "redact" }]);
    for config in [
        json!({ "Guardrails": { "input": list } }),
        json!({ "guardrails": { "Input": list } }),
        json!({ "guardrails": { "inputs": list } }),
        json!({ "guardrail": { "input": list } }),
        json!({ "inputGuardrail": list }),
        json!({ "default_input_guardrails": list }),
    ] {
        gateway.ask(Request::chat(&key, &body(PII)).config(&config)).await.expect(400);
    }
    assert_eq!(openai.count(), 0, "nothing is sent");
}

/// What is too long is denied only where a guardrail of requests could deny or change it.
#[tokio::test]
async fn a_long_request_passes_where_nothing_looks_at_it() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) =
        Setup::new().openai(&openai).set("guardrails.max_scan_bytes", 1_000).start().await.with_key().await;
    let long = body(&"Xin chào. ".repeat(200));
    for config in [pii("output", "redact"), pii("input", "flag")] {
        gateway.ask(Request::chat(&key, &long).config(&config)).await.expect(200);
    }
    gateway.ask(Request::chat(&key, &long).config(&pii("input", "redact"))).await.expect(446);
}

/// The guardrails of the targets of a key's config hold where a client brings its own config.
#[tokio::test]
async fn guardrails_of_a_keys_targets_hold_for_other_configs() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let strict = "[configs.strict]\ntargets = [{ provider = \"openai\", input_guardrails = [{ \"portkey.pii\" = { redact = \
                  true }, deny = false }] }]\nstrategy = { mode = \"fallback\" }\n";
    let gateway = Setup::new().openai(&openai).toml(strict).start().await;
    let key = gateway.new_key(json!({ "config": "strict" })).await;
    gateway.ask(Request::chat(&key, &body(PII)).config(&json!({ "provider": "openai" }))).await.expect(200);
    assert_eq!(openai.requests().pop().unwrap().body["messages"][0]["content"], REDACTED);
}

/// A deny wins over a parameter, and no result tells the pattern that was looked for.
#[tokio::test]
async fn d8_deny_wins_and_patterns_stay_secret() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let floor = "[guardrails.floor]\ninput = [{ \"default.regexMatch\" = { rule = \"secret-plan\", not = true }, deny = true }]\n";
    let (gateway, key) = Setup::new().openai(&openai).toml(floor).start().await.with_key().await;
    let denied = gateway.ask(Request::chat(&key, &body("the secret-plan"))).await.expect(446).text();
    assert!(!denied.contains("secret-plan"), "{denied}");
    let both = json!({ "guardrails": { "input": [
        { "type": "pii_detection", "action": "deny", "parameters": { "redact": true } }] } });
    gateway.ask(Request::chat(&key, &body(PII)).config(&both)).await.expect(446);
}
