//! Guardrails: what leaves and what comes back, in every client format, before every kind of upstream.

mod answers;
mod by_format;
mod checks;
mod cut_anywhere;
mod fields;
mod hits;
mod judge_failures;
mod judge_limits;
mod judged_streams;
mod judges;
mod outputs;
mod pace;
mod reach;
mod refused_configs;
mod requests;
mod script;
mod seed;
mod stored;
mod streams;
mod transforms;

use serde_json::{Value, json};

use crate::canary::files_with;
use crate::harness::bodies::openai;
use crate::harness::bodies::scene::{Part, Scene, Upstream};
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::Upstreams;
use crate::harness::{Answer, FakeProvider, Gateway, Reply, Request, Setup};

const PII: &str = "Nhân viên Nguyễn Văn A, CMND 123456789.";
const REDACTED: &str = "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED].";

/// What must not be seen: the values, and parts of them that no id has by chance.
const VALUES: [&str; 4] = ["Nguyễn", "Văn A", "123456", "456789"];

const TARGETS: [&str; 4] = ["chat", "responses", "claude", "llama"];

/// Says what the model's name stands for; `echo` says what it was asked last.
fn choice(upstream: Upstream, body: &Value) -> Reply {
    let scene = match body["model"].as_str().unwrap() {
        "text" => Scene::text(PII),
        "thought" => Scene::of([Part::Thinking(PII), Part::Text("Xong.")]),
        "call" => {
            let arguments = json!({ "city": PII, "cmnd": "123456789" });
            Scene::of([Part::Call { id: "call_1", name: "get_weather".to_owned(), arguments }])
        }
        "unsafe" => Scene::text("Being kind helps. I will kill you and your family tonight."),
        "echo" => Scene::text(String::leak(asked(body))),
        "script" => return script::reply(upstream, body, &asked(body)),
        _ => Scene::text("Xin chào!"),
    };
    upstream.reply(&scene, body)
}

/// The text of the last turn.
fn asked(body: &Value) -> String {
    if let Some(text) = body["input"].as_str() {
        return text.to_owned();
    }
    let turns = body["messages"].as_array().or(body["input"].as_array()).unwrap();
    match &turns.last().unwrap()["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    }
}

fn guardrails(side: &str, guardrail: Value) -> Value {
    json!({ "guardrails": { side: [guardrail] } })
}

fn pii(side: &str, action: &str) -> Value {
    guardrails(side, json!({ "type": "pii_detection", "action": action }))
}

/// A question in a client's format.
fn question(client: ClientFormat, model: &str, stream: bool, text: &str) -> Value {
    let mut body = client.question(model, stream, None);
    let turns = if client == ClientFormat::Responses { "input" } else { "messages" };
    body[turns][0]["content"][0]["text"] = json!(text);
    body
}

async fn ask(gateway: &Gateway, key: &str, client: ClientFormat, body: &Value, config: &Value) -> Answer {
    gateway.ask(Request::new("POST", client.path()).key(key).config(config).json(body)).await
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for value in VALUES {
        assert!(!text.contains(value), "{what} shows {value}: {text}");
    }
}

/// D8: what is redacted in an answer, whole or streamed, is redacted in every client format and before every upstream.
#[tokio::test]
async fn d8_answers_are_redacted_in_every_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, target, stream) in cells() {
        let what = format!("{client:?} {target} stream={stream}");
        let ask = async |model: &str| {
            let body = question(client, &format!("{target}/{model}"), stream, "Xin chào!");
            let answer = ask(&gateway, &key, client, &body, &pii("output", "redact")).await.expect(200);
            assert_clean(&what, &answer.text());
            if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) }
        };
        assert_eq!(ask("text").await.texts(), REDACTED, "{what}");
        let thought = ask("thought").await;
        assert_eq!(thought.texts(), "Xong.", "{what}");
        assert!(["", REDACTED].contains(&thought.thoughts().as_str()), "{what}: {thought:?}");
        let calls = ask("call").await.calls();
        assert!(calls[0].contains(REDACTED) && calls[0].contains("\"[CMND_REDACTED]\""), "{what}: {calls:?}");
    }
}

/// D8: a denied answer is a 446, or where it streams one error event; nothing of it is shown, and it is billed.
#[tokio::test]
async fn d8_denied_answers_show_nothing() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, target, stream) in cells() {
        for model in ["text", "thought", "call"] {
            let what = format!("{client:?} {target} {model} stream={stream}");
            let body = question(client, &format!("{target}/{model}"), stream, "Xin chào!");
            let answer = ask(&gateway, &key, client, &body, &pii("output", "deny")).await;
            assert_clean(&what, &answer.text());
            if stream {
                let told = client.streamed(&answer.expect(200).text());
                assert!(told.error.is_some(), "{what}: {told:?}");
                continue;
            }
            let answer = answer.expect(446);
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
            assert!(client.error(&answer.json()).contains("guardrail checks"), "{what}");
        }
    }
}

/// D8: what is only flagged passes as it is, and is told.
#[tokio::test]
async fn d8_flagged_answers_pass_and_are_told() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, target, stream) in cells() {
        let what = format!("{client:?} {target} stream={stream}");
        let body = question(client, &format!("{target}/text"), stream, "Xin chào!");
        let answer = ask(&gateway, &key, client, &body, &pii("output", "flag")).await.expect(200);
        let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
        assert_eq!(told.texts(), PII, "{what}");
        if client == ClientFormat::Chat {
            assert!(answer.text().contains(r#""verdict":"flagged""#), "{what}: {}", answer.text());
        }
    }
    let counted = gateway.scrape().await.sum("guardrail_checks_total", &[("action", "flag"), ("verdict", "flagged")]);
    assert_eq!(counted, cells().count() as f64);
}

/// D8: what leaves is redacted in every client format and before every upstream; what is denied does not leave.
#[tokio::test]
async fn d8_requests_are_redacted_or_denied_before_they_leave() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, target, stream) in cells() {
        let what = format!("{client:?} {target} stream={stream}");
        let body = question(client, &format!("{target}/echo"), stream, PII);
        let answer = ask(&gateway, &key, client, &body, &pii("input", "redact")).await.expect(200);
        let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
        assert_eq!(told.texts(), REDACTED, "{what}");
        let seen = upstreams.named(target).requests().pop().unwrap();
        assert_clean(&what, &seen.body.to_string());
        assert!(seen.body.to_string().contains(REDACTED), "{what}: {}", seen.body);

        let count = upstreams.counts();
        let denied = ask(&gateway, &key, client, &body, &pii("input", "deny")).await.expect(446);
        assert_clean(&what, &denied.text());
        assert_eq!(denied.header("x-should-retry"), Some("false"), "{what}");
        assert_eq!(denied.header("x-gateway-cost-usd"), None, "{what}");
        assert_eq!(upstreams.counts(), count, "{what}: nothing is sent");
        if client == ClientFormat::Chat {
            let body = denied.json();
            let check = &body["hook_results"]["before_request_hooks"][0];
            assert_eq!((&check["verdict"], &check["deny"]), (&json!(false), &json!(true)), "{body}");
            assert_eq!(check["checks"][0]["data"]["counts"], json!({ "NAME": 1, "CMND": 1 }), "{body}");
            assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("hooks_failed"), &Value::Null));
        }
    }
}

/// Tokens leave in the place of values, and come back as these, whole and streamed.
#[tokio::test]
async fn tokens_leave_and_values_come_back() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, target, stream) in cells() {
        let what = format!("{client:?} {target} stream={stream}");
        let body = question(client, &format!("{target}/echo"), stream, PII);
        let answer = ask(&gateway, &key, client, &body, &pii("input", "tokenize")).await.expect(200);
        let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
        assert_eq!(told.texts(), PII, "{what}");
        let seen = upstreams.named(target).requests().pop().unwrap().body.to_string();
        assert_clean(&what, &seen);
        assert!(seen.contains("Nhân viên [NAME_1], CMND [CMND_1]."), "{what}: {seen}");
    }
}

/// Unsafe content is denied on both sides; nothing of it is shown.
#[tokio::test]
async fn unsafe_content_is_denied() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let safety = |side: &str| guardrails(side, json!({ "type": "content_safety", "threshold": 0.8 }));
    for (client, target, stream) in cells() {
        let what = format!("{client:?} {target} stream={stream}");
        let body = question(client, &format!("{target}/unsafe"), stream, "Xin chào!");
        let answer = ask(&gateway, &key, client, &body, &safety("output")).await;
        assert!(!answer.text().contains("kill"), "{what}: {}", answer.text());
        if stream {
            assert!(client.streamed(&answer.expect(200).text()).error.is_some(), "{what}");
        } else {
            answer.expect(446);
        }
        let text = "I will kill you and your family tonight.";
        let body = question(client, &format!("{target}/echo"), stream, text);
        ask(&gateway, &key, client, &body, &safety("input")).await.expect(446);
        let body = question(client, &format!("{target}/echo"), stream, "How do I kill a Linux process?");
        ask(&gateway, &key, client, &body, &safety("input")).await.expect(200);
    }
}

/// Every client format before every upstream, whole and streamed.
fn cells() -> impl Iterator<Item = (ClientFormat, &'static str, bool)> {
    let clients = ClientFormat::ALL.into_iter();
    clients.flat_map(|client| TARGETS.into_iter().flat_map(move |target| [false, true].map(|s| (client, target, s))))
}

/// H1: nothing of a match stands in a log, a metric, the database or a file.
#[tokio::test]
async fn h1_no_value_is_left_behind() {
    let upstreams = Upstreams::answering(choice).await;
    let setup = upstreams.setup().set("log.level", "debug");
    let (gateway, key) = setup.start().await.with_key().await;
    for action in ["redact", "deny", "flag", "tokenize"] {
        let body = question(ClientFormat::Chat, "chat/echo", true, PII);
        ask(&gateway, &key, ClientFormat::Chat, &body, &pii("input", action)).await;
        if action != "tokenize" {
            let body = question(ClientFormat::Chat, "chat/text", true, "Xin chào!");
            ask(&gateway, &key, ClientFormat::Chat, &body, &pii("output", action)).await;
        }
    }
    let metrics = gateway.ask(Request::get("/metrics")).await.text();
    assert!(metrics.contains("guardrail_checks_total"), "{metrics}");
    assert_clean("a metric", &metrics);
    gateway
        .wait_for_log("what came of the guardrails", |line| line["guardrails"] == "input pii_detection redacted")
        .await;
    gateway.wait_until_idle().await;
    let log = gateway.stdout().join("\n") + &gateway.stderr().join("\n");
    assert_clean("the log", &log);
    let folder = gateway.stop().await;
    for value in VALUES {
        assert_eq!(files_with(folder.path(), value), Vec::<String>::new(), "{value}");
    }
}

/// What the operator wants holds for every request: no config weakens it, and the strictest action wins.
#[tokio::test]
async fn the_floor_is_not_weakened() {
    let openai = FakeProvider::answering(openai::answer(PII)).await;
    let floor = "[guardrails.floor]\ninput = [{ type = \"pii_detection\", action = \"redact\", categories = [\"CMND\"] }]\n\
        output = [{ type = \"pii_detection\", action = \"redact\", categories = [\"CMND\"] }]\n";
    let strict = "[configs.strict.guardrails]\ninput = [{ type = \"pii_detection\", action = \"deny\", categories = [\"NAME\"] }]\n";
    let gateway = Setup::new().openai(&openai).toml(floor).toml(strict).start().await;
    let key = gateway.new_key(json!({})).await;
    let strict = gateway.new_key(json!({ "config": "strict" })).await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": PII }] });
    let weak = "Nhân viên Nguyễn Văn A, CMND [CMND_REDACTED].";
    for config in [
        json!({ "provider": "openai" }),
        json!({ "guardrails": { "input": [], "output": [] } }),
        json!({ "guardrails": { "input": [{ "type": "pii_detection", "action": "flag" }] } }),
        json!({ "guardrails": { "input": [{ "type": "pii_detection", "action": "tokenize", "categories": ["CMND"] }] } }),
    ] {
        let answer = gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(200);
        assert_eq!(answer.content(), weak, "{config}");
        assert_eq!(openai.requests().pop().unwrap().body["messages"][0]["content"], weak, "{config}");
        // The guardrails of the config that a key has hold as well.
        gateway.ask(Request::chat(&strict, &body).config(&config)).await.expect(446);
    }
    let deny = gateway.ask(Request::chat(&key, &body).config(&pii("input", "deny"))).await;
    deny.expect(446);
}

/// F-series: an answer from the cache passes the guardrails of its reader, also where it was stored before them.
#[tokio::test]
async fn cached_answers_are_guarded_on_their_way_out() {
    let openai = FakeProvider::answering(openai::answer(PII)).await;
    let strict = "[configs.strict.guardrails]\noutput = [{ type = \"pii_detection\", action = \"ACTION\" }]\n";
    for (action, status) in [("redact", 200), ("deny", 446)] {
        let setup = Setup::new().openai(&openai).toml(&strict.replace("ACTION", action));
        let gateway = setup.start().await;
        let open = gateway.new_key(json!({ "team_id": "t" })).await;
        let guarded = gateway.new_key(json!({ "team_id": "t", "config": "strict" })).await;
        let config = json!({ "provider": "openai", "cache": "simple" });
        for stream in [false, true] {
            let body = json!({ "model": "gpt-4o-mini", "stream": stream,
                "messages": [{ "role": "user", "content": format!("who? {stream}") }] });
            let ask = |key: &str| gateway.ask(Request::chat(key, &body).config(&config));
            ask(&open).await.expect(200);
            let hit = ask(&guarded).await.expect(status);
            assert_eq!(hit.header("x-portkey-cache-status"), Some("HIT"), "{action} {stream}");
            assert_clean("a hit", &hit.text());
        }
        // What a redaction has changed is stored so.
        let redact = json!({ "provider": "openai", "cache": "simple",
            "guardrails": { "output": [{ "type": "pii_detection", "action": "redact" }] } });
        let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "again" }] });
        for status in ["MISS", "HIT"] {
            let answer = gateway.ask(Request::chat(&open, &body).config(&redact)).await.expect(200);
            assert_eq!(
                (answer.header("x-portkey-cache-status"), answer.content()),
                (Some(status), REDACTED.to_owned())
            );
        }
    }
}

/// Every field that leaves: system, all parts, names, tool results, arguments, reasoning, instructions, prompts, inputs.
#[tokio::test]
async fn every_field_that_leaves_is_guarded() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let arguments = json!({ "cmnd": "123456789", "order_id": "A-1" }).to_string();
    let chat = json!({ "model": "chat/x", "user": PII, "messages": [
        { "role": "system", "content": PII },
        { "role": "user", "name": "Nguyễn Văn A", "content": [{ "type": "text", "text": PII }, { "type": "text", "text": PII }] },
        { "role": "assistant", "content": PII, "reasoning_content": PII, "tool_calls": [
            { "id": "call_1", "type": "function", "function": { "name": "f", "arguments": arguments } }] },
        { "role": "tool", "tool_call_id": "call_1", "content": PII }] });
    let messages = json!({ "model": "claude/x", "max_tokens": 10, "system": [{ "type": "text", "text": PII }], "messages": [
        { "role": "user", "content": PII },
        { "role": "assistant", "content": [{ "type": "text", "text": PII },
            { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "cmnd": 123456789, "deep": [{ "note": PII }] } }] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "toolu_1", "content": [{ "type": "text", "text": PII }] },
            { "type": "document", "title": PII, "source": { "type": "text", "media_type": "text/plain", "data": PII } }] }] });
    let responses = json!({ "model": "responses/x", "store": false, "instructions": PII, "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": PII }] },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": arguments },
        { "type": "function_call_output", "call_id": "c", "output": PII },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": PII }] }] });
    let completions = json!({ "model": "chat/x", "prompt": PII });
    for (path, body) in [
        ("/v1/chat/completions", chat),
        ("/v1/messages", messages),
        ("/v1/responses", responses),
        ("/v1/completions", completions),
        ("/v1/embeddings", json!({ "model": "chat/x", "input": ["hello", PII] })),
        ("/v1/moderations", json!({ "model": "chat/x", "input": PII })),
    ] {
        let before = upstreams.counts().iter().sum::<usize>();
        let asked = Request::new("POST", path).key(&key).config(&pii("input", "redact")).json(&body);
        gateway.ask(asked).await;
        assert_eq!(upstreams.counts().iter().sum::<usize>(), before + 1, "{path} is sent");
        let name = body["model"].as_str().unwrap().split('/').next().unwrap();
        let seen = upstreams.named(name).requests().pop().unwrap().body.to_string();
        assert_clean(path, &seen);
        assert!(seen.contains("CMND [CMND_REDACTED]"), "{path}: {seen}");
    }
}

/// Portkey's hooks: a failure that does not deny is a 246; `compat.guardrail_status` is another 446.
#[tokio::test]
async fn portkeys_statuses_and_results() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": PII }] });
    let hook = |deny: bool| {
        json!({ "before_request_hooks": [{ "type": "guardrail", "id": "grd-1", "deny": deny, "async": false,
        "checks": [{ "id": "portkey.pii", "parameters": {} }], "on_fail": { "feedback": { "value": -5 } } }] })
    };
    let told = gateway.ask(Request::chat(&key, &body).config(&hook(false))).await.expect(246).json();
    let result = &told["hook_results"]["before_request_hooks"][0];
    assert_eq!(
        (&result["id"], &result["verdict"], &result["feedback"]["value"]),
        (&json!("grd-1"), &json!(false), &json!(-5))
    );
    assert_eq!(told["choices"][0]["message"]["content"], "hello");
    gateway.ask(Request::chat(&key, &body).config(&hook(true))).await.expect(446);
    let shorthand = json!({ "input_guardrails": [{ "portkey.pii": { "redact": true }, "deny": false }] });
    gateway.ask(Request::chat(&key, &body).config(&shorthand)).await.expect(200);
    assert_clean("the request", &openai.requests().pop().unwrap().body.to_string());
    let (strict, key) = Setup::new().openai(&openai).set("compat.guardrail_status", 400).start().await.with_key().await;
    strict.ask(Request::chat(&key, &body).config(&hook(true))).await.expect(400);
}
