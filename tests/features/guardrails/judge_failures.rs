//! "Fail modes: judge timeout, 500, garbage, slow -> per `on_error`; redact never emits raw."

use serde_json::{Value, json};

use super::judges::{PERSONAL, UNSAFE, answers, engines, texts};
use super::{ask, guardrails, question};
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::Upstreams;
use crate::harness::{FakeProvider, Gateway, Reply};

/// How an engine fails, with the reasons that its metric may tell.
fn failures() -> Vec<(&'static str, Reply, &'static [&'static str])> {
    let error = json!({ "error": { "message": "no" } });
    vec![
        ("timeout", Reply::silence(), &["timeout"]),
        ("500", Reply::json(500, &error), &["status", "timeout"]),
        ("garbage", Reply::text(200, "application/json", "<html>Zorblax</html>"), &["unreadable", "timeout"]),
        ("slow", Reply::stream("application/json").then("[").stall(), &["timeout"]),
        ("endless", Reply::text(200, "application/json", &" ".repeat(2 << 20)), &["unreadable", "timeout"]),
    ]
}

/// A check, and whether its request or answer passes.
struct Row {
    guardrail: Value,
    passes: bool,
}

fn rows() -> Vec<Row> {
    let row = |kind: &str, action: &str, engine: &str, on_error: Option<&str>, passes: bool| {
        let mut guardrail = json!({ "type": kind, "action": action, "engine": engine });
        if let Some(on_error) = on_error {
            guardrail["on_error"] = json!(on_error);
        }
        Row { guardrail, passes }
    };
    vec![
        row("pii_detection", "redact", "pres", None, false),
        row("pii_detection", "redact", "local+pres", Some("deny"), false),
        row("pii_detection", "deny", "pres", None, false),
        row("pii_detection", "deny", "pres", Some("allow"), true),
        row("pii_detection", "flag", "pres", None, true),
        row("content_safety", "deny", "mods", None, false),
        row("content_safety", "flag", "mods", Some("deny"), true),
        row("content_safety", "deny", "local+guard", None, false),
    ]
}

async fn start(upstreams: &Upstreams, failure: Reply) -> (FakeProvider, Gateway, String) {
    let fake = FakeProvider::answering(failure).await;
    let setup = upstreams.setup().set("log.level", "debug").toml(&engines(&fake.origin(), "timeout_ms = 60"));
    let (gateway, key) = setup.start().await.with_key().await;
    (fake, gateway, key)
}

/// D8: "Fail modes: judge timeout, 500, garbage, slow -> per `on_error`; redact never emits raw", in every client format,
/// whole and streamed, on both sides; each is one try, and is told.
#[tokio::test]
async fn d8_fail_modes_of_engines() {
    let upstreams = Upstreams::answering(answers).await;
    for (name, failure, reasons) in failures() {
        let (fake, gateway, key) = start(&upstreams, failure).await;
        let mut tries = 0;
        let cells = ClientFormat::ALL.into_iter().flat_map(|client| [(client, false), (client, true)]);
        for ((client, stream), Row { guardrail, passes }) in
            cells.flat_map(|cell| rows().into_iter().map(move |row| (cell, row)))
        {
            let what = format!("{name} {client:?} stream={stream} {guardrail}");
            let (model, text) =
                if guardrail["type"] == "pii_detection" { ("personal", PERSONAL) } else { ("unsafe", UNSAFE) };
            // A request: where it does not pass, nothing leaves.
            let count = upstreams.counts();
            let body = question(client, "chat/text", stream, text);
            let answer = ask(&gateway, &key, client, &body, &guardrails("input", guardrail.clone())).await;
            if passes {
                let answer = answer.expect(200);
                let told = answer.text();
                assert_eq!(texts(client, stream, &answer), "Fine.", "{what}: {told}");
                assert!(client != ClientFormat::Chat || told.contains(r#""verdict":"error""#), "{what}: {told}");
            } else {
                answer.expect(446);
                assert_eq!(upstreams.counts(), count, "{what}: nothing is sent");
            }
            // An answer: where it does not pass, nothing of it is shown.
            let body = question(client, &format!("chat/{model}"), stream, "Xin chào!");
            let answer = ask(&gateway, &key, client, &body, &guardrails("output", guardrail.clone())).await;
            let answer = answer.expect(if stream || passes { 200 } else { 446 });
            let told = answer.text();
            if passes {
                assert_eq!(texts(client, stream, &answer), text, "{what}: {told}");
            } else {
                assert!(!told.contains("Zorb") && !told.contains("dawn") && !told.contains("act at"), "{what}: {told}");
                assert!(!stream || client.streamed(&told).error.is_some(), "{what}: {told}");
            }
            assert!(client != ClientFormat::Chat || told.contains(r#""verdict":"error""#), "{what}: {told}");
            tries += 2;
        }
        // A stream of Messages or Responses is told before its flags are.
        gateway.wait_for_metric("guardrail_checks_total", &[("verdict", "error")], f64::from(tries)).await;
        // One text is one call; a call that came too late for its place was not made.
        assert!(fake.count() <= tries as usize, "{name}: {} calls for {tries} texts", fake.count());
        let scrape = gateway.scrape().await;
        let told: f64 =
            reasons.iter().map(|reason| scrape.sum("guardrail_judge_errors_total", &[("reason", reason)])).sum();
        // A call that a busy machine did not begin in its time is none.
        assert!(told > 0.0 && told <= f64::from(tries), "{name}: {told} of {tries}");
        gateway.wait_until_idle().await;
        let log = gateway.stdout().join("\n") + &gateway.stderr().join("\n");
        assert!(!log.contains("Zorblax") && !log.contains("at dawn"), "{name}: the log shows a text");
    }
}
