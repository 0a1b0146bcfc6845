//! What a guard that holds back does to the pace of a stream: nothing to signs of life and limits, little to the first word.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::script::{say, ways};
use super::{PII, choice, pii};
use crate::harness::bodies::scene::Scene;
use crate::harness::client::Event;
use crate::harness::clients::{CLIENTS, Client};
use crate::harness::money::log_rows;
use crate::harness::upstreams::{UPSTREAMS, Upstreams};
use crate::harness::{EventStream, Gate, Request, Setup, eventually};

/// A check that holds back all of an answer.
fn at_most_100_words() -> Value {
    json!({ "output_guardrails": [{ "default.wordCount": { "minWords": 1, "maxWords": 100 }, "deny": true }] })
}

/// Where each word of a text begins, as cuts of a stream.
fn words(text: &str) -> Vec<usize> {
    let spaces = text.chars().enumerate().filter(|(_, character)| *character == ' ');
    spaces.map(|(at, _)| at + 1).collect()
}

/// The next text that a client is told.
async fn next_text(client: &Client, stream: &mut EventStream) -> String {
    loop {
        match stream.next().await {
            Some(Event::Data(data)) => {
                if let Some(text) = (client.piece)(&data).filter(|text| !text.is_empty()) {
                    return text.to_owned();
                }
            }
            Some(_) => {}
            None => panic!("{}: the stream is over", client.path),
        }
    }
}

/// D8, D9, "TTFT of plain prose delayed by <= one word run": what the provider says of plain prose is at most two words ahead
/// of the client, from the fourth word on.
#[tokio::test]
async fn d8_d9_plain_prose_is_two_words_behind_at_most_in_every_format() {
    const PROSE: &str = "hôm nay trời mưa nhiều nên mọi người đều ở nhà đọc sách";
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let said: Vec<&str> = PROSE.split_inclusive(' ').collect();
    for (client, upstream) in ways() {
        let kind = UPSTREAMS.iter().find(|(name, _)| *name == upstream).unwrap().1;
        for last in 3..said.len() - 1 {
            let gate = Gate::new();
            let scene = Scene { cuts: words(PROSE), ..Scene::text(PROSE) };
            upstreams.named(upstream).once(kind.pause_behind(said[last], &scene, &gate));
            let question = client.asks(&key, &format!("{upstream}/x"), "hi", true).config(&pii("output", "redact"));
            let mut stream = gateway.stream(question).await;
            let (mut told, due) = (String::new(), said[..last - 1].concat());
            while !told.starts_with(&due) {
                told += &next_text(client, &mut stream).await;
            }
            gate.open_for_good();
            let rest = client.text(&stream.rest().await.0);
            assert_eq!(told + &rest, PROSE, "{} at {upstream}", client.path);
        }
    }
}

/// D4, D8, "keepalive timers unaffected by holding": signs of life come while all is held back, in every format.
#[tokio::test]
async fn d4_d8_signs_of_life_come_while_a_guard_holds_back() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().set("server.keepalive_ms", 50).start().await.with_key().await;
    for (client, upstream) in ways() {
        let kind = UPSTREAMS.iter().find(|(name, _)| *name == upstream).unwrap().1;
        let gate = Gate::new();
        let reply = kind.pause_behind("Xin ", &Scene::text("Xin chào!"), &gate);
        upstreams.named(upstream).once(reply);
        let question = client.asks(&key, &format!("{upstream}/x"), "hi", true).config(&at_most_100_words());
        let mut stream = gateway.stream(question).await;
        let (mut beats, mut said) = (0, Vec::new());
        eventually("three signs of life", async || {
            let event = stream.next().await.expect("the stream goes on");
            beats += usize::from((client.is_beat)(&event));
            said.push(event);
            beats >= 3
        })
        .await;
        let way = format!("{} at {upstream}", client.path);
        assert_eq!(client.text(&said), "", "{way}: all is held back");
        gate.open_for_good();
        let rest = stream.rest().await.0;
        assert_eq!((client.text(&rest).as_str(), client.failures(&rest)), ("Xin chào!", 0), "{way}: {rest:?}");
    }
}

/// D6, D8: a client that leaves while all is held back ends the provider's call, in every format.
#[tokio::test]
async fn d6_d8_leaving_a_held_stream_ends_the_call() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().set("server.keepalive_ms", 50).start().await.with_key().await;
    for (client, upstream) in ways() {
        let kind = UPSTREAMS.iter().find(|(name, _)| *name == upstream).unwrap().1;
        let (fake, gate) = (upstreams.named(upstream), Gate::new());
        let next = fake.count() + 1;
        fake.once(kind.pause_behind("Xin ", &Scene::text("Xin chào!"), &gate));
        let question = client.asks(&key, &format!("{upstream}/x"), "hi", true).config(&at_most_100_words());
        let mut stream = gateway.stream(question).await;
        while !stream.next().await.is_some_and(|event| (client.is_beat)(&event)) {}
        let seen = fake.request(next).await;
        drop(stream);
        seen.abandoned().await;
        gateway.wait_until_idle().await;
    }
}

/// D3, D8, "idle timers unaffected by holding": what is held back has come all the same, in every format.
#[tokio::test]
async fn d3_d8_a_held_stream_is_not_idle_in_any_format() {
    let setup = Setup::new().set("providers.simulator.timeouts.idle_ms", 1_200);
    let (gateway, key) = setup.start().await.with_key().await;
    let (gateway, key) = (&gateway, &key);
    let asked = CLIENTS.iter().map(|client| async move {
        let question = client.asks(key, "sim-slow-8x200", "hi", true).config(&at_most_100_words());
        let events = gateway.stream(question).await.rest().await.0;
        assert_eq!(client.text(&events), "0 1 2 3 4 5 6 7 ", "{}: {events:?}", client.path);
        assert_eq!(client.failures(&events), 0, "{}: {events:?}", client.path);
    });
    futures_util::future::join_all(asked).await;
}

/// D8, C4: usage is booked once, and as the vendor counts it, whatever a guard does with the stream; a denied one is billed.
#[tokio::test]
async fn c4_d8_usage_of_guarded_streams_is_booked_in_every_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let mut asked = 0;
    for (client, upstream) in ways() {
        for action in ["redact", "flag", "deny"] {
            asked += 1;
            let question = client.asks(&key, &format!("{upstream}/script"), &say(PII, &[20]), true);
            gateway.stream(question.config(&pii("output", action))).await.rest().await;
            let rows = log_rows(&gateway, asked).await;
            let row = rows.last().unwrap();
            let way = format!("{action} of {} at {upstream}: {row}", client.path);
            assert_eq!(row["endpoint"], client.path, "{way}");
            if action == "deny" {
                // Its call is cancelled before the vendor counts.
                assert_eq!(row["status"], "denied", "{way}");
                assert!(row["prompt_tokens"].as_i64() > Some(0), "{way}");
                continue;
            }
            let counts = (&row["status"], &row["prompt_tokens"], &row["completion_tokens"], &row["estimated"]);
            assert_eq!(counts, (&json!("success"), &json!(101), &json!(37), &json!(0)), "{way}");
        }
    }
    let requests: BTreeSet<String> =
        log_rows(&gateway, asked).await.iter().map(|row| row["request_id"].to_string()).collect();
    assert_eq!(requests.len() as i64, asked, "one row each");
}

/// B4, D8: a stream that is cut at its budget shows no part of a value, and what only waited for the end is judged and goes
/// out, in every format.
#[tokio::test]
async fn b4_d8_a_stream_cut_at_its_budget_is_guarded() {
    let long = format!("{} {PII}", "một hai ba bốn năm sáu bảy tám chín mười ".repeat(40));
    let ceiling = "[budgets.ceiling_price]\ninput = '1'\noutput = '10'";
    let upstreams = Upstreams::answering(choice).await;
    let gateway = upstreams.setup().toml(ceiling).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    let every: Vec<usize> = (1..long.chars().count()).step_by(5).collect();
    let words = |most: u64| json!({ "output_guardrails": [{ "default.wordCount": { "minWords": 1, "maxWords": most }, "deny": true }] });
    for (client, upstream) in ways() {
        let mut body = (client.body)(&format!("{upstream}/script"), &say(&long, &every), true);
        for name in ["max_tokens", "max_output_tokens"] {
            if body.get(name).is_some() {
                body[name] = json!(16);
            }
        }
        for (config, is_denied) in [(pii("output", "redact"), false), (words(1_000), false), (words(3), true)] {
            let question = Request::new("POST", client.path).key(&key).json(&body).config(&config);
            let events = gateway.stream(question).await.rest().await.0;
            let (text, way) = (client.text(&events), format!("{} at {upstream}, {config}", client.path));
            assert_eq!(client.failures(&events), usize::from(is_denied), "{way}: {events:?}");
            assert_eq!(text.is_empty(), is_denied, "{way}: {text}");
            assert!(text.len() < long.len() && long.starts_with(&text), "{way}: {text}");
        }
    }
}
