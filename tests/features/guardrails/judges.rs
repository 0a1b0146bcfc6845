//! Guardrails that ask outside engines: what these see, when they are asked, and what comes of it.

use serde_json::{Value, json};

use super::{PII, ask, guardrails, question};
use crate::harness::bodies::openai;
use crate::harness::bodies::scene::{Scene, Upstream};
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::Upstreams;
use crate::harness::{Answer, FakeProvider, Gate, Gateway, Reply, Request, Setup, eventually};

/// What no detector of the gateway knows, and each fake engine does.
pub const PERSONAL: &str = "Ask Zorblax for it.";
pub const UNSAFE: &str = "We act at dawn.";
pub const REDACTED: &str = "Ask [NAME_REDACTED] for it.";

/// Presidio, moderations or a chat model, by what it is asked.
fn judge(body: &Value) -> Reply {
    if let Some(text) = body["text"].as_str() {
        let at = text.find("Zorblax").map(|at| text[..at].chars().count());
        let found = at.map(|at| json!({ "entity_type": "PERSON", "start": at, "end": at + 7, "score": 0.85 }));
        return Reply::json(200, &json!(found.into_iter().collect::<Vec<_>>()));
    }
    let is_unsafe = |text: &Value| text.as_str().unwrap().contains("at dawn");
    if let Some(texts) = body["input"].as_array() {
        // Only scores decide: what is flagged says the contrary.
        let result = |text: &Value| {
            let score = if is_unsafe(text) { 0.97 } else { 0.2 };
            json!({ "flagged": score < 0.5, "category_scores": { "violence": score, "hate": 0.0 } })
        };
        return Reply::json(200, &json!({ "results": texts.iter().map(result).collect::<Vec<_>>() }));
    }
    let text = &body["messages"].as_array().unwrap().last().unwrap()["content"];
    openai::answer(if is_unsafe(text) { "unsafe\nS1" } else { "safe" })
}

/// The engines of the tests, all of which are at one fake.
pub fn engines(origin: &str, more: &str) -> String {
    format!(
        "[providers.judge]\ndialect = \"openai\"\nbase_url = \"{origin}/v1\"\nbreaker = {{ failure_threshold = 0 }}\n\
         [guardrails.engines.pres]\ntype = \"presidio\"\nbase_url = \"{origin}\"\n{more}\n\
         [guardrails.engines.mods]\ntype = \"moderations\"\nprovider = \"judge\"\nmodel = \"omni\"\n{more}\n\
         [guardrails.engines.guard]\ntype = \"llama_guard\"\nprovider = \"judge\"\nmodel = \"llama-guard\"\n{more}\n"
    )
}

/// A gateway with engines that answer, and a key.
pub async fn start(setup: Setup) -> (FakeProvider, Gateway, String) {
    let fake = FakeProvider::start().await;
    fake.by_body(judge);
    let (gateway, key) = setup.toml(&engines(&fake.origin(), "timeout_ms = 20000")).start().await.with_key().await;
    (fake, gateway, key)
}

/// Says what the model's name stands for.
pub fn answers(upstream: Upstream, body: &Value) -> Reply {
    let scene = match body["model"].as_str().unwrap() {
        "personal" => Scene::text(PERSONAL),
        "unsafe" => Scene::text(UNSAFE),
        _ => Scene::text("Fine."),
    };
    upstream.reply(&scene, body)
}

/// Each engine with what it can do, the model that says what it finds, and that text.
const ENGINES: [(&str, &str, &str, &str); 3] = [
    ("pres", "pii_detection", "personal", PERSONAL),
    ("mods", "content_safety", "unsafe", UNSAFE),
    ("guard", "content_safety", "unsafe", UNSAFE),
];

pub fn texts(client: ClientFormat, stream: bool, answer: &Answer) -> String {
    if stream { client.streamed(&answer.text()).texts() } else { client.whole(&answer.json()).texts() }
}

pub fn chat(text: &str) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": text }] })
}

pub fn guard(kind: &str, action: &str, engine: &str) -> Value {
    json!({ "type": kind, "action": action, "engine": engine })
}

/// D8: each engine decides on requests and on answers, whole and streamed, in every client format; nothing that is denied
/// leaves or is shown, and a redaction holds on both sides.
#[tokio::test]
async fn d8_engines_decide_in_every_format() {
    let upstreams = Upstreams::answering(answers).await;
    let (fake, gateway, key) = start(upstreams.setup()).await;
    for client in ClientFormat::ALL {
        for ((engine, kind, model, text), stream) in
            ENGINES.into_iter().flat_map(|engine| [(engine, false), (engine, true)])
        {
            for (target, engine) in [("chat", engine.to_owned()), ("claude", format!("local+{engine}"))] {
                let what = format!("{client:?} {target} {engine} stream={stream}");
                let deny = guard(kind, "deny", &engine);
                let body = question(client, &format!("{target}/text"), stream, text);
                let count = upstreams.counts();
                ask(&gateway, &key, client, &body, &guardrails("input", deny.clone())).await.expect(446);
                assert_eq!(upstreams.counts(), count, "{what}: nothing is sent");

                let body = question(client, &format!("{target}/{model}"), stream, "Xin chào!");
                let denied = ask(&gateway, &key, client, &body, &guardrails("output", deny.clone())).await;
                assert!(!denied.text().contains(&text[4..]), "{what}: {}", denied.text());
                match stream {
                    true => assert!(client.streamed(&denied.expect(200).text()).error.is_some(), "{what}"),
                    false => drop(denied.expect(446)),
                }
                let fine = question(client, &format!("{target}/text"), stream, "Xin chào!");
                for side in ["input", "output"] {
                    let passed = ask(&gateway, &key, client, &fine, &guardrails(side, deny.clone())).await.expect(200);
                    assert_eq!(texts(client, stream, &passed), "Fine.", "{what}");
                }
            }
        }
        for stream in [false, true] {
            let redact = guard("pii_detection", "redact", "pres");
            let body = question(client, "chat/text", stream, PERSONAL);
            ask(&gateway, &key, client, &body, &guardrails("input", redact.clone())).await.expect(200);
            let seen = upstreams.named("chat").requests().pop().unwrap().body.to_string();
            assert!(seen.contains(REDACTED) && !seen.contains("Zorblax"), "{seen}");
            for target in ["chat", "claude"] {
                let body = question(client, &format!("{target}/personal"), stream, "Xin chào!");
                let told = ask(&gateway, &key, client, &body, &guardrails("output", redact.clone())).await.expect(200);
                assert_eq!(texts(client, stream, &told), REDACTED, "{client:?} {target} stream={stream}");
            }
        }
    }
    assert!(fake.requests().iter().any(|seen| seen.path == "/analyze") && fake.count() < 40, "{}", fake.count());
    let actor = gateway.actor("guardrail_engine:mods").await;
    assert!(actor["alive"] == json!(true) && actor["handled"].as_u64().unwrap() > 10, "{actor}");
    let scrape = gateway.scrape().await;
    assert!(scrape.sum("guardrail_judge_seconds_count", &[("engine", "guard")]) >= 2.0);
    assert_eq!(scrape.sum("guardrail_judge_errors_total", &[]), 0.0);
}

/// D8: what is only flagged passes as it is, and is told at the end.
#[tokio::test]
async fn d8_flags_of_engines_pass_and_are_told() {
    let upstreams = Upstreams::answering(answers).await;
    let (_fake, gateway, key) = start(upstreams.setup()).await;
    let mut flagged = 0.0;
    for client in ClientFormat::ALL {
        for ((engine, kind, model, text), stream) in
            ENGINES.into_iter().flat_map(|engine| [(engine, false), (engine, true)])
        {
            for (side, model, asked, said) in [("output", model, "Xin chào!", text), ("input", "text", text, "Fine.")]
            {
                let what = format!("{client:?} {engine} {side} stream={stream}");
                let body = question(client, &format!("chat/{model}"), stream, asked);
                let config = guardrails(side, guard(kind, "flag", engine));
                let answer = ask(&gateway, &key, client, &body, &config).await.expect(200);
                assert_eq!(texts(client, stream, &answer), said, "{what}");
                flagged += 1.0;
                if client == ClientFormat::Chat {
                    assert!(answer.text().contains(r#""verdict":"flagged""#), "{what}: {}", answer.text());
                    assert!(!answer.text().contains(r#""verdict":"passed""#), "{what}: {}", answer.text());
                }
            }
        }
    }
    gateway.wait_for_metric("guardrail_checks_total", &[("action", "flag"), ("verdict", "flagged")], flagged).await;
    gateway.wait_for_log("a flag", |line| line["guardrails"] == "input content_safety flagged").await;
}

/// "PII first": an engine sees what the built-in detectors have left, and moderations what Presidio has left.
#[tokio::test]
async fn d8_engines_see_redacted_texts() {
    let openai = FakeProvider::answering(openai::answer(PERSONAL)).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let list = json!([{ "type": "pii_detection", "action": "redact", "engine": "local+pres" },
        { "type": "content_safety", "engine": "mods" }]);
    let config = json!({ "guardrails": { "input": list, "output": list } });
    for stream in [false, true] {
        let mut body = chat(&format!("{PII} {PERSONAL} {stream}"));
        body["stream"] = json!(stream);
        let answer = match stream {
            false => Reply::json(200, &openai::completion(&format!("{PII} {PERSONAL}"))),
            true => openai::stream(&["Nhân viên Nguyễn ", "Văn A, CMND 1234", "56789. Ask Zor", "blax for it."]),
        };
        openai.once(answer);
        let told = gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(200).text();
        assert!(!told.contains("Zorblax") && !told.contains("456789") && told.contains("NAME_REDACTED"), "{told}");
        let sent = openai.requests().pop().unwrap().body.to_string();
        assert!(!sent.contains("Zorblax") && !sent.contains("456789"), "{sent}");
    }
    for seen in fake.requests() {
        let (is_presidio, text) = (seen.path == "/analyze", seen.body.to_string());
        assert!(!text.contains("456789") && !text.contains("Văn A"), "{text}");
        assert!(is_presidio || !text.contains("Zorblax"), "{text}");
        assert!(text.contains("CMND [CMND_REDACTED]"), "{text}");
    }
    // Two requests of other words, and two answers of the same ones.
    let paths: Vec<String> = fake.requests().into_iter().map(|seen| seen.path).collect();
    let count = |path: &str| paths.iter().filter(|seen| *seen == path).count();
    assert_eq!((count("/analyze"), count("/v1/moderations")), (3, 3), "{paths:?}");
    let body = chat(&format!("{PERSONAL} {PERSONAL}"));
    let tokens = guardrails("input", guard("pii_detection", "tokenize", "pres"));
    openai.once(openai::answer("I know [NAME_1]."));
    let answer = gateway.ask(Request::chat(&key, &body).config(&tokens)).await.expect(200);
    assert_eq!(answer.content(), "I know Zorblax.");
    assert!(openai.requests().pop().unwrap().body.to_string().contains("Ask [NAME_1] for it."));
}

/// D8: the same text is asked once, by a request with several of them and by the next request; a local hit asks nobody.
#[tokio::test]
async fn d8_nothing_is_asked_twice_or_in_vain() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let deny = guardrails("input", guard("content_safety", "deny", "mods"));
    let turn = |text: &str| json!({ "role": "user", "content": text });
    let body = json!({ "model": "gpt-4o-mini", "messages": [turn("one"), turn("two"), turn("one"), turn(" one ")] });
    gateway.ask(Request::chat(&key, &body).config(&deny)).await.expect(200);
    let asked = fake.requests();
    assert_eq!((asked.len(), &asked[0].body["input"]), (1, &json!(["one", "two"])), "one call for all texts");
    for _ in 0..2 {
        gateway.ask(Request::chat(&key, &body).config(&deny)).await.expect(200);
    }
    assert_eq!(fake.count(), 1, "verdicts are kept");
    let unsafe_text = chat("I will kill you and your family tonight.");
    let both = guardrails("input", guard("content_safety", "deny", "local+mods"));
    gateway.ask(Request::chat(&key, &unsafe_text).config(&both)).await.expect(446);
    assert_eq!(fake.count(), 1, "a local hit is denied at once");
    gateway.ask(Request::chat(&key, &unsafe_text).config(&deny)).await.expect(200);
    assert_eq!(fake.count(), 2, "without the built-in detectors the engine alone decides");
}

/// D8: what denies is asked before anything leaves; what flags is asked while the provider works.
#[tokio::test]
async fn d8_a_flag_runs_beside_the_request_and_a_denial_before_it() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    for (action, sent_before) in [("flag", 1), ("deny", 0)] {
        let gate = Gate::new();
        let results = json!({ "results": [{ "category_scores": { "violence": 0.1 } }] });
        fake.once(Reply::json(200, &results).after(&gate));
        let (calls, sent) = (fake.count(), openai.count());
        let config = guardrails("input", guard("content_safety", action, "mods"));
        let body = chat(action);
        let asking = gateway.ask(Request::chat(&key, &body).config(&config));
        let opening = async {
            fake.request(calls + 1).await;
            if sent_before > 0 {
                openai.request(sent + 1).await;
            }
            assert_eq!(openai.count(), sent + sent_before, "{action}");
            gate.open();
        };
        let (answer, ()) = tokio::join!(asking, opening);
        assert_eq!(answer.expect(200).content(), "hello");
    }
}

/// D8, D3: a stream that must be judged is read to its end and held meanwhile, which is no silence of the provider's.
#[tokio::test]
async fn d8_a_judged_stream_is_held_until_its_end() {
    let openai = FakeProvider::start().await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let gate = Gate::new();
    let opening = Reply::events([openai::role(), openai::text("Fine ")]).wait(&gate);
    let ending = [openai::text("words."), openai::finish("stop"), openai::usage(), "data: [DONE]\n\n".to_owned()];
    openai.once(ending.iter().fold(opening, |reply, event| reply.then(event)));
    let mut body = chat("hi");
    (body["stream"], body["stream_options"]) = (json!(true), json!({ "include_usage": true }));
    let deny = guardrails("output", guard("content_safety", "deny", "mods"));
    let stream = gateway.stream(Request::chat(&key, &body).config(&deny).header("x-portkey-trace-id", "held")).await;
    assert_eq!(fake.count(), 0, "nobody is asked before the end");
    gate.open();
    let events = stream.rest().await;
    assert_eq!(events.text(), "Fine words.");
    assert!(events.is_done(), "{events:?}");
    assert_eq!((fake.count(), &fake.requests()[0].body["input"]), (1, &json!(["Fine words."])));
    let line = gateway.request_log("held").await;
    assert_eq!(line["guardrails"], "output content_safety passed", "{line}");
    assert!((line["cost_usd"].as_f64().unwrap() - openai::COST).abs() < 1e-9, "{line}");

    openai.once(Reply::events([openai::role(), openai::text("We act at ")]).cut());
    let events = gateway.stream(Request::chat(&key, &body).config(&deny)).await.rest().await;
    assert_eq!((events.text().as_str(), events.errors().len()), ("", 1), "what broke off is not shown: {events:?}");
    assert_eq!(fake.count(), 1, "and nobody is asked");
}

/// F-series: an answer from the cache is judged on its way out.
#[tokio::test]
async fn cached_answers_are_judged_on_their_way_out() {
    let openai = FakeProvider::answering(openai::answer(PERSONAL)).await;
    let config = |name: &str, action: &str| {
        format!(
            "[configs.{name}.guardrails]\noutput = [{{ type = \"pii_detection\", action = \"{action}\", engine = \"pres\" }}]\n"
        )
    };
    let setup = ["deny", "redact", "flag"]
        .iter()
        .fold(Setup::new().openai(&openai), |setup, action| setup.toml(&config(action, action)));
    let (_fake, gateway, key) = start(setup).await;
    let _ = key;
    let open = gateway.new_key(json!({ "team_id": "t" })).await;
    let cache = json!({ "provider": "openai", "cache": "simple" });
    for stream in [false, true] {
        let mut body = chat(&format!("who? {stream}"));
        body["stream"] = json!(stream);
        let ask = async |key: &str| gateway.ask(Request::chat(key, &body).config(&cache)).await;
        ask(&open).await.expect(200);
        eventually("it is stored", async || ask(&open).await.header("x-portkey-cache-status") == Some("HIT")).await;
        for (action, status, shown) in [("deny", 446, false), ("redact", 200, false), ("flag", 200, true)] {
            let key = gateway.new_key(json!({ "team_id": "t", "config": action })).await;
            let told = ask(&key).await.expect(status);
            assert_eq!(told.header("x-portkey-cache-status"), Some("HIT"), "{action}");
            assert_eq!(told.text().contains("Zorblax"), shown, "{action} stream={stream}: {}", told.text());
            assert_eq!(told.text().contains("[NAME_REDACTED]"), action == "redact", "{action}: {}", told.text());
        }
    }
}

/// D8: engines that are not there, or cannot do what is asked of them, are a 400 that names the place; the dry run asks
/// engines as well.
#[tokio::test]
async fn d8_unknown_engines_are_refused_and_checks_ask_engines() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (_fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    for (guardrail, place) in [
        (guard("content_safety", "deny", "none"), "guardrails.input[0].engine"),
        (guard("content_safety", "deny", "local+pres"), "guardrails.input[0].engine"),
        (guard("pii_detection", "redact", "mods"), "guardrails.input[0].engine"),
        (guard("prompt_injection", "deny", "mods"), "guardrails.input[0].engine"),
        (json!({ "type": "content_safety", "engine": "mods", "timeout_ms": 0 }), "guardrails.input[0].timeout_ms"),
        (json!({ "type": "content_safety", "engine": "mods", "on_error": "x" }), "guardrails.input[0].on_error"),
    ] {
        let refused =
            gateway.ask(Request::chat(&key, &chat("hi")).config(&guardrails("input", guardrail.clone()))).await;
        assert!(refused.text().contains(place), "{guardrail}: {}", refused.text());
        refused.expect(400);
        let body = json!({ "text": "hi", "guardrails": [guardrail] });
        let refused = gateway.ask(Request::new("POST", "/v1/guardrails/check").key(&key).json(&body)).await.expect(400);
        assert!(refused.text().contains(&place.replace(".input", "")), "{}", refused.text());
    }
    let check = async |side: &str, text: &str, guardrail: Value| {
        let body = json!({ "text": text, "side": side, "guardrails": [guardrail] });
        gateway.ask(Request::new("POST", "/v1/guardrails/check").key(&key).json(&body)).await.expect(200).json()
    };
    for side in ["input", "output"] {
        let told = check(side, PERSONAL, guard("pii_detection", "redact", "pres")).await;
        assert_eq!((&told["text"], &told["findings"][0]["start"]), (&json!(REDACTED), &json!(4)), "{told}");
        let told = check(side, UNSAFE, guard("content_safety", "flag", "mods")).await;
        assert_eq!((&told["denied"], &told["scores"]["violence"]), (&json!(false), &json!(0.97)), "{told}");
        assert_eq!(told["guardrails"][0]["verdict"], "flagged", "{told}");
        let told = check(side, UNSAFE, guard("prompt_injection", "deny", "guard")).await;
        assert_eq!((&told["denied"], &told["text"]), (&json!(true), &Value::Null), "{told}");
    }
}
