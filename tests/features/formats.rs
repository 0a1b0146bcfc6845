//! Every client format before every kind of upstream, with every kind of answer: the table of `reference/formats.md`.

use std::fmt::Write;

use crate::harness::told::{ClientFormat, Told};
use crate::harness::upstreams::{REFUSED, SAID, THOUGHT, Upstreams};
use crate::harness::{Gateway, Request};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The kinds of upstreams as the page names them, and their providers here.
const TARGETS: [(&str, &str); 5] = [
    ("OpenAI chat", "chat"),
    ("OpenAI Responses", "responses"),
    ("Anthropic", "claude"),
    ("Ollama", "llama"),
    ("Simulator", "simulator"),
];

/// The kinds of answers as the page names them, and the models that give them: those of the tests, and the simulator's.
const KINDS: [(&str, &str, Option<&str>); 10] = [
    ("text", "text", Some("sim-text")),
    ("reasoning", "reasoning", Some("sim-reasoning")),
    ("tool", "tool", Some("sim-tool")),
    ("two parallel tools", "two-tools", None),
    ("text, tool, text", "mixed", None),
    ("image in the question", "image", Some("sim-text")),
    ("refusal", "refusal", None),
    ("length", "length", None),
    ("error before content", "early-429", Some("sim-status-429")),
    ("error after content", "late", Some("sim-cut")),
];

fn name(client: ClientFormat) -> &'static str {
    match client {
        ClientFormat::Chat => "Chat",
        ClientFormat::Messages => "Messages",
        ClientFormat::Responses => "Responses",
    }
}

/// Asks once, and tells what is to be said of the cell.
async fn cell(
    gateway: &Gateway,
    key: &str,
    upstreams: &Upstreams,
    (client, target, kind): (ClientFormat, &str, &str),
    model: &str,
    stream: bool,
) -> &'static str {
    let image = (kind == "image").then_some(PNG);
    let body = client.question(&format!("{target}/{model}"), stream, image);
    let answer = gateway.ask(Request::new("POST", client.path()).key(key).json(&body)).await;
    if kind == "early-429" || (kind == "late" && !stream) {
        let said = client.error(&answer.json());
        match kind {
            "late" => assert!((500..600).contains(&answer.status), "{} {said}", answer.status),
            _ => assert!(answer.status == 429 && said.contains("429"), "{} {said}", answer.status),
        }
        return "yes";
    }
    let answer = answer.expect(200);
    let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
    if image.is_some() && target != "simulator" {
        let asked = upstreams.named(target).requests().pop().unwrap();
        assert!(asked.body.to_string().contains(PNG), "the image is lost: {}", asked.body);
    }
    if target == "simulator" {
        return simulated(&told, kind);
    }
    if kind != "late" {
        assert_eq!((told.input, told.output), (101, 37), "J14: {told:?}");
    }
    check(&told, client, target, kind)
}

/// What a scripted upstream said has come through.
fn check(told: &Told, client: ClientFormat, target: &str, kind: &str) -> &'static str {
    let hanoi = r#"get_weather {"city":"Hà Nội"}"#.to_owned();
    let hue = r#"get_weather {"city":"Huế"}"#.to_owned();
    let finish = match kind {
        "late" => {
            assert!(told.error.is_some(), "J3: {told:?}");
            return "yes";
        }
        "tool" | "two-tools" => {
            let calls = if kind == "tool" { vec![hanoi] } else { vec![hanoi, hue] };
            assert_eq!(told.calls(), calls, "{told:?}");
            "tool"
        }
        "mixed" => {
            assert_eq!((told.texts(), told.calls()), ("Let me see. One moment.".to_owned(), vec![hanoi]), "{told:?}");
            if client == ClientFormat::Chat || ["chat", "llama"].contains(&target) {
                assert_eq!(told.finish, "tool", "{told:?}");
                return "texts joined";
            }
            assert_eq!(told.order(), "text call text ", "{told:?}");
            "tool"
        }
        "refusal" if target == "llama" => {
            assert_eq!((told.texts(), told.finish), (REFUSED.to_owned(), "stop"), "{told:?}");
            return "as text";
        }
        "refusal" => {
            assert_eq!(told.texts() + &told.refusals(), REFUSED, "{told:?}");
            "refusal"
        }
        "length" => "length",
        _ => "stop",
    };
    if !["tool", "two-tools", "mixed", "refusal"].contains(&kind) {
        assert_eq!(told.texts(), SAID, "{told:?}");
    }
    if kind == "reasoning" {
        assert_eq!(told.thoughts(), THOUGHT, "{told:?}");
    }
    assert_eq!(told.finish, finish, "{told:?}");
    "yes"
}

/// The simulator says what it always says.
fn simulated(told: &Told, kind: &str) -> &'static str {
    match kind {
        "late" => assert!(told.error.is_some(), "J3: {told:?}"),
        "tool" => assert!(told.calls().len() == 1 && told.finish == "tool", "{told:?}"),
        "reasoning" => assert!(!told.thoughts().is_empty() && !told.texts().is_empty(), "{told:?}"),
        _ => assert!(told.texts().starts_with("Xin chào") && told.finish == "stop", "{told:?}"),
    }
    "yes"
}

/// J1, J2, J3, J14: each cell, whole and streamed, passes as the table on the page says.
#[tokio::test]
async fn every_client_reaches_every_upstream_with_every_answer() {
    let upstreams: &'static Upstreams = Box::leak(Box::new(Upstreams::start().await));
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let gateway = std::sync::Arc::new(gateway);
    let mut table = String::from("| Client | Answer |");
    for (title, _) in TARGETS {
        write!(table, " {title} |").unwrap();
    }
    writeln!(table, "\n|---|---|{}", "---|".repeat(TARGETS.len())).unwrap();
    let mut failures = Vec::new();
    for client in ClientFormat::ALL {
        for (title, kind, simulators) in KINDS {
            write!(table, "| {} | {title} |", name(client)).unwrap();
            for (_, target) in TARGETS {
                let model = if target == "simulator" { simulators } else { Some(kind) };
                let Some(model) = model else {
                    write!(table, " – |").unwrap();
                    continue;
                };
                let mut said = Vec::new();
                for stream in [false, true] {
                    let (gateway, key) = (gateway.clone(), key.clone());
                    let asked = tokio::spawn(async move {
                        cell(&gateway, &key, upstreams, (client, target, kind), model, stream).await
                    });
                    match asked.await {
                        Ok(word) => said.push(word),
                        Err(panic) => failures.push(format!(
                            "{} {target} {kind} {}: {}",
                            name(client),
                            if stream { "streamed" } else { "whole" },
                            message(panic)
                        )),
                    }
                }
                said.dedup();
                write!(table, " {} |", said.join(" / ")).unwrap();
            }
            table.push('\n');
        }
    }
    assert!(failures.is_empty(), "{}\n{table}", failures.join("\n"));
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/reference/formats.md"));
    assert!(page.contains(&table), "reference/formats.md must hold this table:\n{table}");
}

/// What a check said when it failed.
fn message(panic: tokio::task::JoinError) -> String {
    let panic = panic.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    let text: Option<String> = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
