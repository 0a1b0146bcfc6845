//! Answers from the cache, stored by a client of one format and read by clients of every other.

use serde_json::{Value, json};

use super::script::{assert_no_part, texts_of, told};
use super::{PII, REDACTED};
use crate::canary::files_with;
use crate::harness::bodies::openai;
use crate::harness::clients::{CLIENTS, Client};
use crate::harness::{FakeProvider, Gateway, Request, Setup};
use crate::semantic::{is_ready, loading, semantic};

const VALUES: [&str; 2] = ["Nguyễn Văn A", "123456789"];

/// A gateway whose keys of one team share a cache: one that is guarded by its config, and one that is not.
struct Team {
    openai: FakeProvider,
    gateway: Gateway,
    open: String,
    guarded: String,
}

async fn team(action: &str) -> Team {
    let openai = FakeProvider::start().await;
    openai.by_body(|body| match body["stream"] == json!(true) {
        true => openai::stream(&[&PII[..20], &PII[20..]]),
        false => openai::answer(PII),
    });
    let strict =
        format!("[configs.strict.guardrails]\noutput = [{{ type = \"pii_detection\", action = \"{action}\" }}]\n");
    let gateway = Setup::new().openai(&openai).toml(&strict).start().await;
    let open = gateway.new_key(json!({ "team_id": "t" })).await;
    let guarded = gateway.new_key(json!({ "team_id": "t", "config": "strict" })).await;
    Team { openai, gateway, open, guarded }
}

fn asks(client: &Client, key: &str, text: &str, stream: bool) -> Request {
    client.asks(key, "gpt-4o-mini", text, stream).config(&json!({ "provider": "openai", "cache": "simple" }))
}

/// D8, "output guard on cache hits too": what a key without guardrails had stored, in any format, a guarded key gets redacted,
/// in every format.
#[tokio::test]
async fn d8_hits_are_redacted_in_every_format() {
    let Team { openai, gateway, open, guarded } = team("redact").await;
    let mut asked = 0;
    for first in &CLIENTS {
        for stored in [false, true] {
            asked += 1;
            let question = format!("question {asked}");
            let (raw, _) = told(&gateway, first, asks(first, &open, &question, stored), stored).await;
            assert_eq!(raw, PII, "{}: nothing is guarded for this key", first.path);
            gateway.wait_until_idle().await;
            for then in &CLIENTS {
                for stream in [false, true] {
                    let way = format!("{} ({stored}) to {} ({stream})", first.path, then.path);
                    let (text, all) = told(&gateway, then, asks(then, &guarded, &question, stream), stream).await;
                    assert_eq!(text, REDACTED, "{way}");
                    assert_no_part(&way, &all.join("\n"), &VALUES);
                    let (text, _) = told(&gateway, then, asks(then, &open, &question, stream), stream).await;
                    assert_eq!(text, PII, "{way}: what is stored stays as it was");
                }
            }
        }
    }
    assert_eq!(openai.count(), asked, "all others are hits");
}

/// D8: a hit that a guardrail denies is a 446 in every format, streamed too, as nothing of it has gone out.
#[tokio::test]
async fn d8_hits_are_denied_in_every_format() {
    let Team { openai, gateway, open, guarded } = team("deny").await;
    told(&gateway, &CLIENTS[0], asks(&CLIENTS[0], &open, "question", false), false).await;
    for client in &CLIENTS {
        for stream in [false, true] {
            let denied = gateway.ask(asks(client, &guarded, "question", stream)).await.expect(446);
            assert_eq!(denied.header("x-portkey-cache-status"), Some("HIT"), "{}", client.path);
            let mut texts = Vec::new();
            texts_of(&denied.json(), "", &mut texts);
            assert_no_part(client.path, &texts.join("\n"), &VALUES);
        }
    }
    assert_eq!(openai.count(), 1);
}

/// D8, "store unredacted answers never when an output redact is active for that key": not in the memory that keys share, and
/// in no file. What is denied is not stored.
#[tokio::test]
async fn d8_an_unredacted_answer_of_a_guarded_key_is_never_stored() {
    for action in ["redact", "deny"] {
        let Team { openai, gateway, open, guarded } = team(action).await;
        for (n, client) in CLIENTS.iter().enumerate() {
            for stream in [false, true] {
                let question = format!("question {n} {stream}");
                let way = format!("{action} {} ({stream})", client.path);
                let answer = gateway.ask(asks(client, &guarded, &question, stream)).await;
                assert_eq!(answer.header("x-portkey-cache-status"), Some("MISS"), "{way}");
                let mut texts = answer.text();
                if let Ok(json) = serde_json::from_slice::<Value>(&answer.body) {
                    let mut all = Vec::new();
                    texts_of(&json, "", &mut all);
                    texts = all.join("\n");
                }
                assert_no_part(&way, &texts, &VALUES[..1]);
                gateway.wait_until_idle().await;
                let count = openai.count();
                let (text, _) = told(&gateway, client, asks(client, &open, &question, false), false).await;
                // Of a redacted answer the key without guardrails gets what is stored; of a denied one nothing is.
                let (wanted, calls) = if action == "redact" { (REDACTED, 0) } else { (PII, 1) };
                assert_eq!((text.as_str(), openai.count() - count), (wanted, calls), "{way}");
            }
        }
        let folder = gateway.stop().await;
        for value in VALUES.iter().filter(|_| action == "redact") {
            assert_eq!(files_with(folder.path(), value), Vec::<String>::new(), "{value}");
        }
    }
}

/// D8: an answer to another wording passes the guardrails of its reader too, in every format.
#[tokio::test]
async fn d8_semantic_hits_are_redacted_in_every_format() {
    let openai = FakeProvider::answering(openai::answer(PII)).await;
    let strict = "[configs.strict.guardrails]\noutput = [{ type = \"pii_detection\", action = \"redact\" }]\n";
    let Some(setup) = loading(Setup::new().openai(&openai).toml(strict)).await else { return };
    let gateway = setup.start().await;
    is_ready(&gateway).await;
    let open = gateway.new_key(json!({ "team_id": "t" })).await;
    let guarded = gateway.new_key(json!({ "team_id": "t", "config": "strict" })).await;
    for client in &CLIENTS {
        for stream in [false, true] {
            let first = client.asks(&open, "gpt-4o-mini", "How do I reset my password?", false).config(&semantic());
            told(&gateway, client, first, false).await;
            let question = client.asks(&guarded, "gpt-4o-mini", "How can I reset my password?", stream);
            let question = question.config(&semantic());
            let hit = gateway.ask(question.clone()).await.expect(200);
            assert_eq!(hit.header("x-portkey-cache-status"), Some("SEMANTIC HIT"), "{} ({stream})", client.path);
            let (text, all) = told(&gateway, client, question, stream).await;
            assert_eq!(text, REDACTED, "{} ({stream})", client.path);
            assert_no_part(client.path, &all.join("\n"), &VALUES);
        }
    }
}
