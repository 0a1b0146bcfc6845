//! Stored responses: what is kept of them, what goes on from them, and who reads them.

use serde_json::{Value, json};

use super::script::{assert_no_part, say, texts_of};
use super::{PII, REDACTED, assert_clean, choice};
use crate::harness::upstreams::Upstreams;
use crate::harness::{Answer, Gateway, Request};

const VALUES: [&str; 2] = ["Nguyễn Văn A", "123456789"];

/// A gateway whose keys of one team share their stored responses: one is guarded by its config, and one is not.
async fn team(upstreams: &Upstreams, action: &str) -> (Gateway, String, String) {
    let rule = format!("[{{ type = \"pii_detection\", action = \"{action}\" }}]");
    let strict = format!("[configs.strict.guardrails]\ninput = {rule}\noutput = {rule}\n");
    let gateway = upstreams.setup().toml(&strict).start().await;
    let open = gateway.new_key(json!({ "team_id": "t" })).await;
    let guarded = gateway.new_key(json!({ "team_id": "t", "config": "strict" })).await;
    (gateway, open, guarded)
}

fn asks(key: &str, model: &str, input: &str, more: Value) -> Request {
    let mut body = json!({ "model": model, "store": true, "input": input });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::new("POST", "/v1/responses").key(key).json(&body)
}

/// The name under which an answer is stored, whole or streamed.
fn id_of(answer: &Answer) -> String {
    let text = answer.text();
    let at = text.find("\"id\":\"resp_").unwrap_or_else(|| panic!("no name in {text}")) + 6;
    text[at..].split('"').next().unwrap().to_owned()
}

async fn stored(gateway: &Gateway, key: &str, id: &str) -> Answer {
    gateway.wait_until_idle().await;
    gateway.ask(Request::get(&format!("/v1/responses/{id}")).key(key)).await
}

/// D8: what others of the team had stored passes the guardrails of whoever goes on from it, whatever its provider.
#[tokio::test]
async fn d8_a_stored_history_passes_the_guardrails() {
    let upstreams = Upstreams::answering(choice).await;
    for action in ["redact", "deny"] {
        let (gateway, open, guarded) = team(&upstreams, action).await;
        for upstream in ["chat", "claude", "responses"] {
            let first = gateway.ask(asks(&open, &format!("{upstream}/text"), PII, json!({}))).await.expect(200);
            assert!(first.text().contains(PII), "nothing is guarded for this key");
            let id = id_of(&first);
            gateway.wait_until_idle().await;
            let count = upstreams.named(upstream).count();
            for stream in [false, true] {
                let more = json!({ "previous_response_id": id, "stream": stream });
                let next = gateway.ask(asks(&guarded, &format!("{upstream}/x"), "And?", more)).await;
                if action == "deny" {
                    next.expect(446);
                    continue;
                }
                next.expect(200);
                let mut sent = Vec::new();
                texts_of(&upstreams.named(upstream).requests().pop().unwrap().body, "", &mut sent);
                let sent = sent.join("\n");
                assert_no_part(upstream, &sent, &VALUES);
                assert_eq!(sent.matches(REDACTED).count(), 2, "{upstream}: question and answer: {sent}");
            }
            let sent = upstreams.named(upstream).count() - count;
            assert_eq!(sent, if action == "deny" { 0 } else { 2 }, "{upstream}");
        }
    }
}

/// D8: of a redacted conversation nothing else is stored, whole or streamed; a denied answer is not stored.
#[tokio::test]
async fn d8_what_is_stored_is_what_the_guards_let_go() {
    let upstreams = Upstreams::answering(choice).await;
    for action in ["redact", "deny"] {
        let (gateway, open, guarded) = team(&upstreams, action).await;
        for upstream in ["chat", "claude", "responses"] {
            for stream in [false, true] {
                let way = format!("{action} at {upstream}, stream={stream}");
                let input = if action == "deny" { say("hi", &[]) } else { PII.to_owned() };
                let model = format!("{upstream}/text");
                let answer = gateway.ask(asks(&guarded, &model, &input, json!({ "stream": stream }))).await;
                if action == "deny" {
                    assert_clean(&way, &answer.text());
                    if stream {
                        stored(&gateway, &open, &id_of(&answer)).await.expect(404);
                    }
                    continue;
                }
                let id = id_of(&answer.expect(200));
                let shown = stored(&gateway, &open, &id).await.expect(200).text();
                assert_clean(&way, &shown);
                assert!(shown.contains(REDACTED), "{way}: {shown}");
                let items = gateway.ask(Request::get(&format!("/v1/responses/{id}/input_items")).key(&open)).await;
                let items = items.expect(200).text();
                assert_clean(&way, &items);
                assert!(items.contains(REDACTED), "{way}: {items}");
            }
        }
    }
}

/// D8: a stored answer passes the guardrails of whoever reads it, as one from the cache does.
#[tokio::test]
async fn d8_stored_answers_pass_the_guardrails_of_their_reader() {
    let upstreams = Upstreams::answering(choice).await;
    for (action, status) in [("redact", 200), ("deny", 446), ("flag", 200)] {
        let (gateway, open, guarded) = team(&upstreams, action).await;
        for model in ["chat/text", "claude/call", "responses/thought"] {
            let id = id_of(&gateway.ask(asks(&open, model, "hi", json!({}))).await.expect(200));
            let raw = stored(&gateway, &open, &id).await.expect(200);
            let read = stored(&gateway, &guarded, &id).await.expect(status);
            match action {
                "flag" => assert_eq!(read.text(), raw.text()),
                _ => assert_clean(model, &read.text()),
            }
            if action == "redact" {
                assert!(read.text().contains(REDACTED), "{}", read.text());
                assert_eq!(read.json()["usage"], raw.json()["usage"]);
            }
        }
    }
}
