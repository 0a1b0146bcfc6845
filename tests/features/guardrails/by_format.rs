//! The line of the mission in every client format: what is redacted, to the byte; what is denied, with nothing of it left
//! anywhere.

use serde_json::{Value, json};

use super::script::{assert_no_part, say, told, ways};
use super::{VALUES, asked, assert_clean, choice, pii};
use crate::canary::files_with;
use crate::harness::money::{log_rows, sql};
use crate::harness::upstreams::Upstreams;
use crate::harness::{Answer, Gateway, Request};

const LINE: &str = "Nhân viên Nguyễn Văn A, CMND 123456789";
const REDACTED: &str = "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED]";
const WHOLE_VALUES: [&str; 2] = ["Nguyễn Văn A", "123456789"];

/// Makes a body with a text.
type Body = fn(&str) -> Value;

/// The endpoints whose requests alone have texts, with a text in one of them, and where it stands in what is sent.
const REQUESTS_ALONE: [(&str, Body, &str); 4] = [
    ("/v1/embeddings", |text| json!({ "model": "chat/x", "input": text }), "/input"),
    ("/v1/moderations", |text| json!({ "model": "chat/x", "input": text }), "/input"),
    ("/v1/rerank", |text| json!({ "model": "chat/x", "query": text, "documents": ["a", "b"] }), "/query"),
    ("/v1/rerank", |text| json!({ "model": "chat/x", "query": "q", "documents": ["a", text] }), "/documents/1"),
];

/// D8, "seed line byte-exact": the line is redacted on its way out and on its way back, whole and streamed, in every client
/// format, before an upstream of another format and of its own.
#[tokio::test]
async fn d8_the_line_is_redacted_to_the_byte_in_every_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, upstream) in ways() {
        for stream in [false, true] {
            let way = format!("{} at {upstream}, stream={stream}", client.path);
            let question = client.asks(&key, &format!("{upstream}/script"), &say(LINE, &[12, 30]), stream);
            let (text, all) = told(&gateway, client, question.config(&pii("output", "redact")), stream).await;
            assert_eq!(text, REDACTED, "{way}: an answer");
            assert_no_part(&way, &all.join("\n"), &WHOLE_VALUES);

            let question = client.asks(&key, &format!("{upstream}/echo"), LINE, stream);
            let (text, _) = told(&gateway, client, question.config(&pii("input", "redact")), stream).await;
            let sent = upstreams.named(upstream).requests().pop().unwrap().body;
            assert_eq!((asked(&sent).as_str(), text.as_str()), (REDACTED, REDACTED), "{way}: a request");
        }
    }
    for (path, body, place) in REQUESTS_ALONE {
        let request = Request::new("POST", path).key(&key).json(&body(LINE)).config(&pii("input", "redact"));
        gateway.ask(request).await;
        let sent = upstreams.named("chat").requests().pop().unwrap().body;
        assert_eq!(sent.pointer(place), Some(&json!(REDACTED)), "{path}: {sent}");
    }
}

/// D8, "deny -> 446 (or configured) with no PII in body, logs, metrics labels, error text": nor in a header, in a row of the
/// usage log, or in any file of the gateway.
#[tokio::test]
async fn d8_denied_is_446_and_leaves_nothing_behind_in_any_format() {
    for status in [446, 400] {
        let upstreams = Upstreams::answering(choice).await;
        let setup = upstreams.setup().set("log.level", "debug").set("compat.guardrail_status", status);
        let (gateway, key) = setup.start().await.with_key().await;
        let (mut asked, mut sent) = (0, 0);
        for (client, upstream) in ways() {
            for stream in [false, true] {
                let way = format!("{} at {upstream}, stream={stream}", client.path);
                let question = client.asks(&key, &format!("{upstream}/echo"), LINE, stream);
                let denied = gateway.ask(question.config(&pii("input", "deny"))).await.expect(status);
                is_denied(&way, &denied);
                assert_eq!(upstreams.counts().iter().sum::<usize>(), sent, "{way}: nothing leaves");

                let question = client.asks(&key, &format!("{upstream}/script"), &say(LINE, &[12, 30]), stream);
                let question = question.config(&pii("output", "deny"));
                (asked, sent) = (asked + 1, sent + 1);
                if !stream {
                    is_denied(&way, &gateway.ask(question).await.expect(status));
                    continue;
                }
                let events = gateway.stream(question).await.rest().await.0;
                assert_eq!(client.failures(&events), 1, "{way}: {events:?}");
                assert_clean(&way, &format!("{events:?}"));
                assert_no_part(&way, &client.text(&events), &WHOLE_VALUES);
            }
        }
        for (path, body, _) in REQUESTS_ALONE {
            let request = Request::new("POST", path).key(&key).json(&body(LINE)).config(&pii("input", "deny"));
            is_denied(path, &gateway.ask(request).await.expect(status));
        }
        assert_eq!(upstreams.counts().iter().sum::<usize>(), sent, "nothing leaves");
        nothing_is_left(gateway, asked).await;
    }
}

#[track_caller]
fn is_denied(way: &str, answer: &Answer) {
    assert_clean(way, &format!("{:?} {}", answer.head, answer.text()));
    assert_eq!(answer.header("x-should-retry"), Some("false"), "{way}");
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("guardrail checks"), "{way}: {error}");
}

/// Looks for the values in metrics, rows, the log, and the files, of which the database is one.
async fn nothing_is_left(gateway: Gateway, answers: usize) {
    let rows = log_rows(&gateway, answers as i64).await;
    assert!(rows.iter().all(|row| row["status"] == "denied"), "{rows:?}");
    assert_clean("a row of usage", &json!(rows).to_string());
    gateway.wait_until_idle().await;
    let metrics = gateway.ask(Request::get("/metrics")).await.expect(200).text();
    assert!(metrics.contains(r#"verdict="denied""#), "{metrics}");
    assert_clean("a metric", &metrics);
    let is_told = |line: &Value| line["guardrails"] == "input pii_detection denied";
    gateway.wait_for_log("what came of the guardrails", is_told).await;
    let lines = [gateway.stdout(), gateway.stderr()].concat().join("\n");
    assert_clean("the log", &lines);
    let folder = gateway.stop().await;
    for value in VALUES {
        assert_eq!(files_with(folder.path(), value), Vec::<String>::new(), "{value}");
    }
    let tables = sql(folder.path(), "SELECT count(*) AS rows FROM llm_usage_log").await;
    assert_eq!(tables[0]["rows"], json!(answers), "the database was looked at");
}
