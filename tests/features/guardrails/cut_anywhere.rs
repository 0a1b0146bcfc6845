//! Answers that stream: wherever a provider cuts them, they say what the whole says, and show no part of a value.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::script::{assert_no_part, say, say_as, told, ways};
use super::{TARGETS, ask, asked, choice, pii, question};
use crate::harness::bodies::scene::Scene;
use crate::harness::seeds;
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::{UPSTREAMS, Upstreams};

const LINE: &str = "Nhân viên Nguyễn Văn A, CMND 123456789.";
const REDACTED: &str = "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED].";

/// A long text, and its values.
const LETTER: &str = "Chào bạn, tôi là Trần Thị Bích Ngọc, số CCCD 001195012345. Gọi 0912 345 678 nhé! Thẻ của tôi là \
                      4111 1111 1111 1111, thư gửi về ngoc.phuong@mailbox.org; khóa là \
                      sk-proj-Zq8vT3nLw5xK2mRb7YcJ4hPd9sFg6uEa1oNi0BkQ và xin giữ kín. Hẹn gặp lại vào thứ hai.";
const VALUES: [&str; 6] = [
    "Trần Thị Bích Ngọc",
    "001195012345",
    "0912 345 678",
    "4111 1111 1111 1111",
    "ngoc.phuong@mailbox.org",
    "sk-proj-Zq8vT3nLw5xK2mRb7YcJ4hPd9sFg6uEa1oNi0BkQ",
];

/// D8, "any re-chunking, concatenated stream == redact(whole)": cut before every character of the line, in every client
/// format.
#[tokio::test]
async fn d8_a_cut_before_any_character_shows_no_value_in_any_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, upstream) in ways() {
        for cut in 1..LINE.chars().count() {
            let question = client.asks(&key, &format!("{upstream}/script"), &say(LINE, &[cut]), true);
            let (text, all) = told(&gateway, client, question.config(&pii("output", "redact")), true).await;
            let way = format!("{} at {upstream}, cut before character {cut}", client.path);
            assert_eq!(text, REDACTED, "{way}");
            assert_no_part(&way, &all.join("\n"), &["Nguyễn Văn A", "123456789"]);
        }
    }
}

/// D8, "count partial leaks by searching each gold value's >= 4-char" parts: random cuts, and writes of any number of bytes,
/// so that characters, lines and events are cut too.
#[tokio::test]
async fn d8_random_cuts_show_no_part_of_a_value_in_any_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let characters = LETTER.chars().count();
    for (client, upstream) in ways() {
        let redact = pii("output", "redact");
        let model = format!("{upstream}/script");
        let whole = client.asks(&key, &model, &say(LETTER, &[]), false).config(&redact);
        let (whole, all) = told(&gateway, client, whole, false).await;
        assert_no_part(client.path, &all.join("\n"), &VALUES);
        assert_eq!(whole.matches("_REDACTED]").count(), VALUES.len(), "{whole}");
        for seed in seeds(15, 500) {
            let mut random = StdRng::seed_from_u64(seed);
            let longest = random.random_range(1..20);
            let (mut cuts, mut at) = (Vec::new(), 0);
            while at < characters {
                at += random.random_range(1..=longest);
                cuts.push(at);
            }
            let bytes = [1, 2, 3, 7, 64, 1_000_000][random.random_range(0..6)];
            let question = client.asks(&key, &model, &say_as("text", LETTER, &cuts, bytes), true);
            let (text, all) = told(&gateway, client, question.config(&redact), true).await;
            let way = format!("{} at {upstream}, seed {seed}", client.path);
            assert_eq!(text, whole, "{way}");
            assert_no_part(&way, &all.join("\n"), &VALUES);
        }
    }
}

/// D8, "fields": reasoning, refusals and arguments of calls that are cut anywhere say what they say as a whole.
#[tokio::test]
async fn d8_other_texts_than_the_answer_are_the_same_cut_anywhere() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for client in ClientFormat::ALL {
        for target in &TARGETS[..3] {
            for kind in ["thought", "refusal", "call"] {
                let ask = async |cuts: &[usize], stream: bool| {
                    let script = say_as(kind, LINE, cuts, 1_000_000);
                    let body = question(client, &format!("{target}/script"), stream, &script);
                    let answer = ask(&gateway, &key, client, &body, &pii("output", "redact")).await.expect(200);
                    let told = if stream { client.streamed(&answer.text()) } else { client.whole(&answer.json()) };
                    [told.thoughts(), told.refusals(), told.texts(), told.calls().join("\n")]
                };
                let whole = ask(&[], false).await;
                let way = format!("{kind} to {client:?} at {target}");
                assert_no_part(&way, &whole.join("\n"), &["Nguyễn Văn A", "123456789"]);
                let is_told = whole.join("").contains(REDACTED);
                assert!(is_told || kind == "thought", "{way}: {whole:?}");
                let length =
                    LINE.chars().count() + if kind == "call" { json!({ "city": "" }).to_string().len() } else { 0 };
                for cut in 1..length {
                    assert_eq!(ask(&[cut], true).await, whole, "{way}, cut before character {cut}");
                }
            }
        }
    }
}

/// Tokens that a provider cuts anywhere come back as their values, in every client format; the provider saw none of these.
#[tokio::test]
async fn d8_tokens_cut_before_any_character_come_back_in_every_format() {
    const TOKENS: &str = "Nhân viên [NAME_1], CMND [CMND_1].";
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, upstream) in ways() {
        for cut in 1..TOKENS.chars().count() {
            let question = client.asks(&key, &format!("{upstream}/script"), &say(LINE, &[cut]), true);
            let (text, _) = told(&gateway, client, question.config(&pii("input", "tokenize")), true).await;
            let way = format!("{} at {upstream}, cut before character {cut}", client.path);
            assert_eq!(text, LINE, "{way}");
            let sent = asked(&upstreams.named(upstream).requests().pop().unwrap().body);
            assert!(sent.contains(TOKENS), "{way}: {sent}");
            assert_no_part(&way, &sent, &["Nguyễn Văn A", "123456789"]);
        }
    }
}

/// D2, D8: a stream that breaks in the middle of a value shows no part of it, in any client format.
#[tokio::test]
async fn d2_d8_a_stream_that_breaks_in_a_value_shows_no_part_of_it() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (client, upstream) in ways() {
        let kind = UPSTREAMS.iter().find(|(name, _)| *name == upstream).unwrap().1;
        let scene = Scene { cuts: vec![19, 24], ..Scene::text("Xin chào, số CMND: 1234567") };
        for reply in [kind.cut(&scene, &json!({ "stream": true })), kind.fail_late(&scene)] {
            upstreams.named(upstream).once(reply);
            let question = client.asks(&key, &format!("{upstream}/x"), "hi", true).config(&pii("output", "redact"));
            let events = gateway.stream(question).await.rest().await.0;
            let way = format!("{} at {upstream}: {events:?}", client.path);
            assert_eq!(client.failures(&events), 1, "{way}");
            let text = client.text(&events);
            assert!(text.starts_with("Xin chào") && !text.contains("12"), "{way}");
        }
    }
}
