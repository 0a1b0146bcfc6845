//! Limits of the calls of outside engines: whose time holds, and whose turn it is.

use serde_json::{Value, json};

use super::guardrails;
use super::judges::{UNSAFE, chat, engines, guard, start};
use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Reply, Request, Setup};

/// Texts of a request that has many.
const MANY: usize = 300;

fn scored(score: f64) -> Reply {
    Reply::json(200, &json!({ "results": [{ "category_scores": { "violence": score } }] }))
}

/// D8: "a default that a client cannot weaken": a client's check that has no time, and does not mind, leaves the floor's
/// check of the same text its verdict.
#[tokio::test]
async fn d8_a_check_without_time_spoils_no_other_verdict() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let floor = "[guardrails.floor]\ninput = [{ type = \"content_safety\", action = \"flag\", engine = \"mods\" }]\n";
    let (fake, gateway, key) = start(Setup::new().openai(&openai).toml(floor)).await;
    let gate = Gate::new();
    fake.once(scored(0.97).after(&gate)).once(scored(0.97).after(&gate));
    let hasty = json!({ "type": "content_safety", "engine": "mods", "timeout_ms": 1, "on_error": "allow" });
    let request = Request::chat(&key, &chat(UNSAFE)).config(&guardrails("input", hasty));
    let opening = async {
        openai.request(1).await;
        gate.open_for_good();
    };
    let (answer, ()) = tokio::join!(gateway.ask(request), opening);
    let told = answer.expect(200).json();
    let verdict = |at: usize| told["metadata"]["guardrails"][at]["verdict"].clone();
    assert_eq!((verdict(0), verdict(1)), (json!("flagged"), json!("error")), "{told}");
}

/// E8: a client's own limit holds for a flag too: the answer comes in time, and tells that there is no verdict.
#[tokio::test]
async fn e8_no_answer_waits_longer_for_a_flag_than_its_client() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    for side in ["input", "output"] {
        fake.once(Reply::silence());
        let config = guardrails(side, guard("content_safety", "flag", "mods"));
        let request = Request::chat(&key, &chat(side)).config(&config).header("x-portkey-request-timeout", "3000");
        let told = gateway.ask(request).await.expect(200).json();
        assert_eq!(told["metadata"]["guardrails"][0]["verdict"], "error", "{told}");
        let failed = gateway.scrape().await.sum("guardrail_judge_errors_total", &[]);
        assert_eq!(failed, 0.0, "{side}: the engine has more time than the client");
    }
}

/// D8: a request with many texts takes turns with others at an engine.
#[tokio::test]
async fn d8_a_request_with_many_texts_lets_others_have_their_turn() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (fake, gate) = (FakeProvider::start().await, Gate::new());
    let held = gate.clone();
    fake.by_body(move |body: &Value| match body.get("text") {
        Some(_) => Reply::json(200, &json!([])).after(&held),
        None => scored(0.1),
    });
    let one = engines(&fake.origin(), "timeout_ms = 20000\nmax_in_flight = 1");
    let (gateway, key) = Setup::new().openai(&openai).toml(&one).start().await.with_key().await;
    let ask = async |texts: Vec<String>, engines: Value| {
        let turns: Vec<Value> = texts.iter().map(|text| json!({ "role": "user", "content": text })).collect();
        let body = json!({ "model": "gpt-4o-mini", "messages": turns });
        let config = json!({ "guardrails": { "input": engines } });
        gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(200)
    };
    let personal = guard("pii_detection", "deny", "pres");
    let many = ask((0..MANY).map(|n| format!("text {n}")).collect(), json!([personal]));
    let other = async {
        fake.request(1).await;
        // Moderations answer at once: what they are asked tells that this request has come as far as its engines.
        ask(vec!["other".to_owned()], json!([personal, guard("content_safety", "deny", "mods")])).await
    };
    let turns = async {
        let mut seen = 2;
        while fake.request(seen).await.body["text"] != "other" {
            assert!(seen < MANY, "all texts of a request were asked before another's turn");
            seen += 1;
            gate.open();
        }
        gate.open_for_good();
    };
    tokio::join!(many, other, turns);
}

/// D8: a flag does not pass what nobody has judged, because its stream broke off.
#[tokio::test]
async fn d8_a_stream_that_breaks_off_passes_no_check_of_an_engine() {
    let openai = FakeProvider::start().await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let flag = guardrails("output", guard("content_safety", "flag", "mods"));
    openai.once(Reply::events([openai::role(), openai::text("We act at ")]).cut());
    let mut body = chat("hi");
    body["stream"] = json!(true);
    let request = Request::chat(&key, &body).config(&flag).header("x-portkey-trace-id", "broken");
    let events = gateway.stream(request).await.rest().await;
    assert_eq!((events.text().as_str(), events.errors().len()), ("We act at ", 1), "{events:?}");
    assert_eq!(gateway.request_log("broken").await["guardrails"], "output content_safety unchecked");
    assert_eq!(fake.count(), 0, "nobody is asked");
}

/// D8: what is denied is not told as passed by an engine that was not asked, and waits for none.
#[tokio::test]
async fn d8_what_is_denied_waits_for_no_engine() {
    let openai = FakeProvider::answering(openai::answer("Mail bob@example.com")).await;
    let (fake, gateway, key) = start(Setup::new().openai(&openai)).await;
    let flag = guard("content_safety", "flag", "mods");
    for (side, denying, calls) in [
        ("input", json!({ "type": "pii_detection" }), 0),
        ("output", json!({ "type": "pii_detection" }), 0),
        ("input", guard("pii_detection", "deny", "pres"), 1),
    ] {
        let config = json!({ "guardrails": { side: [denying, flag] } });
        let text = if side == "input" { "Mail bob@example.com and Zorblax" } else { "hi" };
        let before = fake.count();
        let request = Request::chat(&key, &chat(text)).config(&config).header("x-portkey-trace-id", side);
        gateway.ask(request).await.expect(446);
        let verdicts = format!("{side} pii_detection denied, {side} content_safety unchecked");
        gateway.wait_for_log("the verdicts", |line| line["guardrails"] == verdicts).await;
        assert_eq!(fake.count() - before, calls, "{side} {denying}");
    }
    assert!(fake.requests().iter().all(|seen| seen.path == "/analyze"), "moderations are not asked");
}
