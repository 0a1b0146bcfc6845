//! Streams that wait for outside engines, at their edges, and what else waits for engines.

use serde_json::{Value, json};

use super::judges::{PERSONAL, REDACTED, UNSAFE, chat, guard, start};
use super::{ask, guardrails, question};
use crate::harness::bodies::openai;
use crate::harness::bodies::scene::{Part, Scene, Upstream};
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::Upstreams;
use crate::harness::{FakeProvider, Reply, Request, Setup};

fn streamed(text: &str) -> Value {
    let mut body = chat(text);
    (body["stream"], body["stream_options"]) = (json!(true), json!({ "include_usage": true }));
    body
}

fn deny() -> Value {
    guardrails("output", guard("content_safety", "deny", "mods"))
}

/// D2, D8: a judged stream is complete without a terminal event where its choice has finished, whether its provider closes
/// or falls silent; one that ends before, or breaks off, is an error and shows nothing.
#[tokio::test]
async fn d2_d8_judged_streams_end_as_others_do() {
    let openai = FakeProvider::start().await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let begun = || Reply::events([openai::role(), openai::text("Fine "), openai::text("words.")]);
    let finished = || begun().then(&openai::finish("stop"));
    for (reply, is_complete) in [
        (finished(), true),
        (finished().cut(), false),
        (finished().stall(), true),
        (begun(), false),
        (begun().reset(), false),
        (begun().then("data: {\"error\":{\"message\":\"overloaded\"}}\n\n"), false),
    ] {
        openai.once(reply);
        let events = gateway.stream(Request::chat(&key, &streamed("hi")).config(&deny())).await.rest().await;
        let (text, errors) = if is_complete { ("Fine words.", 0) } else { ("", 1) };
        assert_eq!((events.text().as_str(), events.errors().len()), (text, errors), "{events:?}");
        assert_eq!(events.is_done(), is_complete, "{events:?}");
    }
    assert_eq!(fake.count(), 1, "one text, whose verdict is kept");
    gateway.wait_until_idle().await;
}

/// D8: every choice is judged, and one that may not pass denies the answer.
#[tokio::test]
async fn d8_every_choice_is_judged() {
    let openai = FakeProvider::start().await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    for (second, is_denied) in [(UNSAFE, true), ("Good.", false)] {
        let chunk = |index: u64, text: &str, finish: Value| {
            openai::event(&json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{ "index": index, "delta": { "content": text }, "finish_reason": finish }] }))
        };
        openai.once(Reply::events([
            chunk(0, "Fine.", Value::Null),
            chunk(1, second, Value::Null),
            chunk(0, "", json!("stop")),
            chunk(1, "", json!("stop")),
            "data: [DONE]\n\n".to_owned(),
        ]));
        let mut body = streamed("hi");
        body["n"] = json!(2);
        let events = gateway.stream(Request::chat(&key, &body).config(&deny())).await.rest().await;
        assert_eq!(events.errors().len(), usize::from(is_denied), "{events:?}");
        let shows = format!("{events:?}").contains("Fine.");
        assert_eq!(shows, !is_denied, "{events:?}");
    }
    assert_eq!(fake.requests()[0].body["input"].as_array().map(Vec::len), Some(2), "both in one call");
}

/// D8: what an engine finds in the arguments of a call is redacted, and they stay JSON.
#[tokio::test]
async fn d8_arguments_of_calls_are_redacted_by_engines() {
    let answer = |upstream: Upstream, body: &Value| {
        let arguments = json!({ "city": PERSONAL, "days": 3, "list": [PERSONAL, "\"quoted\""] });
        upstream.reply(&Scene::of([Part::Call { id: "call_1", name: "get_weather".to_owned(), arguments }]), body)
    };
    let upstreams = Upstreams::answering(answer).await;
    let (_fake, gateway, key) = start(upstreams.setup()).await;
    let redact = guardrails("output", guard("pii_detection", "redact", "pres"));
    let wanted = json!({ "city": REDACTED, "days": 3, "list": [REDACTED, "\"quoted\""] });
    for client in ClientFormat::ALL {
        for (target, stream) in [("chat", false), ("chat", true), ("claude", false), ("claude", true), ("llama", true)]
        {
            let what = format!("{client:?} {target} stream={stream}");
            let body = question(client, &format!("{target}/x"), stream, "Xin chào!");
            let answer = ask(&gateway, &key, client, &body, &redact).await.expect(200);
            let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
            assert_eq!(told.calls(), [format!("get_weather {wanted}")], "{what}");
        }
    }
}

/// B4, D2, D8: a stream that is cut at its budget, or breaks off, shows nothing that was not judged, in every format.
#[tokio::test]
async fn b4_d2_d8_what_was_not_judged_is_not_shown() {
    let answer = |upstream: Upstream, body: &Value| {
        if body["model"] == "broken" {
            return upstream.cut(&Scene::text("một hai ba bốn"), body);
        }
        upstream.reply(&Scene::text(String::leak("một hai ba bốn năm sáu bảy tám chín mười ".repeat(60))), body)
    };
    let upstreams = Upstreams::answering(answer).await;
    let ceiling = "[budgets.ceiling_price]\ninput = '1'\noutput = '10'";
    let (fake, gateway, _) = start(upstreams.setup().toml(ceiling)).await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    for client in ClientFormat::ALL {
        for (target, model) in [("chat", "long"), ("chat", "broken"), ("claude", "long"), ("claude", "broken")] {
            let what = format!("{client:?} {target} {model}");
            let mut body = question(client, &format!("{target}/{model}"), true, "Xin chào!");
            body[if client == ClientFormat::Responses { "max_output_tokens" } else { "max_tokens" }] = json!(16);
            let answer = ask(&gateway, &key, client, &body, &deny()).await.expect(200);
            let told = client.streamed(&answer.text());
            assert_eq!(told.texts(), "", "{what}");
            assert_eq!(told.error.is_some(), model == "broken", "{what}: {}", answer.text());
            assert!(model == "broken" || told.finish == "length", "{what}: {told:?}");
        }
    }
    assert_eq!(fake.count(), 0, "nobody is asked");
}

/// E8, D6: neither a client that has no more time nor one that leaves waits for an engine.
#[tokio::test]
async fn e8_d6_nobody_waits_longer_for_an_engine_than_wanted() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    for (side, sent) in [("input", 0), ("output", 1)] {
        fake.once(Reply::silence());
        let config = guardrails(side, guard("content_safety", "deny", "guard"));
        let request = Request::chat(&key, &chat(side)).config(&config).header("x-portkey-request-timeout", "1000");
        let before = openai.count();
        gateway.ask(request).await.expect(408);
        assert_eq!((openai.count() - before, fake.count()), (sent, sent + 1), "{side}");
    }
    fake.once(Reply::silence());
    openai.once(openai::stream(&["Other ", "words."]));
    let stream = gateway.stream(Request::chat(&key, &streamed("left")).config(&deny())).await;
    fake.request(3).await;
    drop(stream);
    gateway.wait_until_idle().await;
}

/// D8: Portkey's hooks ask engines too: what fails one without a denial is a 246.
#[tokio::test]
async fn portkeys_hooks_ask_engines() {
    let openai = FakeProvider::answering(openai::answer(UNSAFE)).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let hook = |deny: bool| {
        json!({ "type": "guardrail", "deny": deny, "async": false,
            "checks": [{ "id": "portkey.moderateContent", "parameters": { "engine": "mods" } }] })
    };
    for (side, text) in [("before_request_hooks", UNSAFE), ("after_request_hooks", "hi")] {
        for (deny, status) in [(false, 246), (true, 446)] {
            let answer = gateway.ask(Request::chat(&key, &chat(text)).config(&json!({ side: [hook(deny)] }))).await;
            let told = answer.expect(status).json();
            assert_eq!(told["hook_results"][side][0]["verdict"], false, "{side}: {told}");
        }
    }
    // Moderations do not care whose text it is.
    assert!(fake.count() <= 2, "each side asks once");
    let told = json!({ "before_request_hooks": [{ "type": "guardrail", "deny": true,
        "checks": [{ "id": "portkey.pii", "parameters": { "engine": "mods" } }] }] });
    let refused = gateway.ask(Request::chat(&key, &chat("hi")).config(&told)).await.expect(400).text();
    assert!(refused.contains("before_request_hooks[0].checks[0].parameters.engine"), "{refused}");
}

/// D8: a chat model of another format judges as well.
#[tokio::test]
async fn d8_chat_models_of_every_format_judge() {
    let answers = |upstream: Upstream, body: &Value| {
        if body["model"] != "llama-guard" {
            return upstream.reply(&Scene::text("Fine."), body);
        }
        let is_unsafe = body.to_string().contains("at dawn");
        upstream.reply(&Scene::text(if is_unsafe { "unsafe\nS1" } else { "safe" }), body)
    };
    let upstreams = Upstreams::answering(answers).await;
    let engine = |name: &str| {
        format!(
            "[guardrails.engines.{name}]\ntype = \"llama_guard\"\nprovider = \"{name}\"\nmodel = \"llama-guard\"\n\
             timeout_ms = 20000"
        )
    };
    let names = ["chat", "claude", "llama", "responses"];
    let setup = names.iter().fold(upstreams.setup(), |setup, name| setup.toml(&engine(name)));
    let (gateway, key) = setup.start().await.with_key().await;
    for engine in names {
        for (kind, text, status) in
            [("content_safety", UNSAFE, 446), ("prompt_injection", UNSAFE, 446), ("content_safety", "hi", 200)]
        {
            let body = question(ClientFormat::Chat, "chat/x", false, text);
            let config = guardrails("input", guard(kind, "deny", engine));
            ask(&gateway, &key, ClientFormat::Chat, &body, &config).await.expect(status);
        }
        let asked = upstreams.named(engine).requests().into_iter().filter(|seen| seen.body["model"] == "llama-guard");
        assert_eq!(asked.count(), 2, "{engine}: one verdict serves both types");
    }
}
