//! J24: what holds of budgets, usage, cancelling and streams holds of every client format, before an upstream of another
//! format and before one of its own. The formats are rows of one table; `caching/formats.rs` has it for the cache.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::cancel::cancelled_within_100_ms;
use crate::harness::bodies::scene::Upstream;
use crate::harness::client::Event;
use crate::harness::clients::{CLIENTS, Client};
use crate::harness::money::{picos, settled, sql, usage};
use crate::harness::upstreams::{SAID, Upstreams, answer, scene};
use crate::harness::{Gateway, Reply, Setup, eventually};

/// What an answer of 101 and 37 tokens costs at $1 and $10 a million, in pico-dollars.
const COST: i128 = 101_000_000 + 370_000_000;

/// Upstreams that also fall silent before or in their answer, wait before it, or write byte by byte.
fn scripted(upstream: Upstream, body: &Value) -> Reply {
    match body["model"].as_str().unwrap_or_default() {
        "silence" => Reply::silence(),
        "stall" => upstream.stall(&scene("text")),
        "bytes" => upstream.reply(&scene("text"), body).in_writes_of(1),
        _ => answer(upstream, body),
    }
}

/// Runs a check for each format at each of its upstreams.
async fn each(mut check: impl AsyncFnMut(&'static Client, &'static str)) {
    for client in &CLIENTS {
        for upstream in client.upstreams {
            check(client, upstream).await;
        }
    }
}

async fn started(change: impl FnOnce(Setup) -> Setup) -> (Upstreams, Gateway, String) {
    let upstreams = Upstreams::answering(scripted).await;
    let (gateway, key) = change(upstreams.setup()).start().await.with_key().await;
    (upstreams, gateway, key)
}

/// B1, B5: forty requests at once, half of them streamed, never exceed a budget, and the format's own words stop its
/// clients.
#[tokio::test]
async fn b1_b5_j24_no_format_exceeds_a_budget() {
    let ceiling = "[budgets.ceiling_price]\ninput = '1'\noutput = '10'";
    let (upstreams, gateway, _) = started(|setup| setup.toml(ceiling).set("budgets.shorten_answers", false)).await;
    each(async |client, upstream| {
        let key = gateway.make_key(json!({ "budget_limit_usd": 0.01 })).await;
        let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
        let (way, before) = (format!("{} at {upstream}", client.path), upstreams.named(upstream).count());
        let model = format!("{upstream}/text");
        let asked = (0..40).map(|n| gateway.ask(client.asks(key, &model, "Xin chào!", n % 2 == 0)));
        let answers = join_all(asked).await;
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        assert!((1..=21).contains(&served), "{way}: {served} of 21 that the budget pays for");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((refused.status, refused.header("x-should-retry")), (429, Some("false")), "{way}");
            let error = &refused.json()["error"];
            assert_eq!(
                (error["type"].as_str(), error["code"].as_str()),
                (Some(client.over_budget.0), client.over_budget.1)
            );
        }
        assert_eq!(upstreams.named(upstream).count() - before, served, "{way}: what is refused reaches no provider");
        let figures = settled(&gateway, "key", id, COST * served as i128).await;
        assert!(picos(&figures["spent_usd"]) <= 10_000_000_000, "{way}");
    })
    .await;
}

/// C4: what the vendor counts is booked, whole and streamed, though no client asks for it; none sees what it did not ask for.
#[tokio::test]
async fn c4_j24_usage_is_booked_in_every_format() {
    let (upstreams, gateway, key) = started(|setup| setup).await;
    let mut asked = 0;
    each(async |client, upstream| {
        for stream in [false, true] {
            let told =
                gateway.ask(client.asks(&key, &format!("{upstream}/text"), "Xin chào!", stream)).await.expect(200);
            let seen = upstreams.named(upstream).requests().pop().unwrap().body;
            if stream && upstream == "chat" {
                assert_eq!(seen["stream_options"]["include_usage"], true, "{}", client.path);
            }
            if stream && client.end == "data: [DONE]" {
                assert!(!told.text().contains("\"usage\":{"), "{}: {}", client.path, told.text());
            }
            asked += 1;
            let rows = rows(&gateway, asked).await;
            let row = &rows[asked - 1];
            let figures = (&row["prompt_tokens"], &row["completion_tokens"], &row["estimated"], &row["endpoint"]);
            assert_eq!(figures, (&json!(101), &json!(37), &json!(0), &json!(client.path)), "{upstream}: {row}");
        }
    })
    .await;
}

/// All rows of the usage log.
async fn rows(gateway: &Gateway, count: usize) -> Vec<Value> {
    usage(gateway, "provider", count as i64).await;
    sql(gateway.folder(), "SELECT * FROM llm_usage_log ORDER BY timestamp, attempt").await
}

/// C5, D6, D7: a client that leaves, before the answer or in it, ends the provider's call at once, pays for what came, and
/// gives its place back.
#[tokio::test]
async fn c5_d6_d7_j24_leaving_ends_the_call_in_every_format() {
    let (upstreams, gateway, _) = started(|setup| setup).await;
    let mut asked = 0;
    each(async |client, upstream| {
        let (fake, way) = (upstreams.named(upstream), format!("{} at {upstream}", client.path));
        let key = gateway.new_key(json!({ "max_parallel": 1 })).await;
        cancelled_within_100_ms(&way, async || {
            asked += 1;
            let next = fake.count() + 1;
            let mut stream = gateway.stream(client.asks(&key, &format!("{upstream}/stall"), "Xin chào!", true)).await;
            while !matches!(stream.data().await, Some(Event::Data(data)) if (client.piece)(&data).is_some_and(|text| !text.is_empty())) {}
            let seen = fake.request(next).await;
            let left = Instant::now();
            drop(stream);
            let taken = seen.abandoned().await - left;
            gateway.wait_until_idle().await;
            taken
        })
        .await;
        for stream in [false, true] {
            asked += 1;
            let next = fake.count() + 1;
            let pending = client.asks(&key, &format!("{upstream}/silence"), "Xin chào!", stream).send(gateway.address).await;
            let seen = fake.request(next).await;
            drop(pending);
            seen.abandoned().await;
            gateway.wait_until_idle().await;
        }
        let rows = rows(&gateway, asked).await;
        for row in &rows[asked - 7..] {
            assert_eq!((&row["status"], &row["estimated"]), (&json!("cancelled"), &json!(1)), "{way}: {row}");
            assert!(row["prompt_tokens"].as_i64() > Some(0), "{way}: {row}");
        }
        assert!(rows[asked - 7]["completion_tokens"].as_i64() > Some(0), "{way}");
        asked += 1;
        gateway.ask(client.asks(&key, &format!("{upstream}/text"), "Xin chào!", false)).await.expect(200);
    })
    .await;
    assert_eq!(gateway.scrape().await.sum("llm_provider_in_flight", &[]), 0.0);
}

/// D1: before its first content a stream goes on at the next target, as one clean stream; after it, it ends with one
/// failure and never with a second answer.
#[tokio::test]
async fn d1_j24_no_two_answers_in_one_stream_of_any_format() {
    let (upstreams, gateway, key) = started(|setup| setup).await;
    each(async |client, upstream| {
        let (fake, way) = (upstreams.named(upstream), format!("{} at {upstream}", client.path));
        for (first, ends_well) in [("early-503", true), ("late", false), ("cut", false)] {
            let target = |model: &str| json!({ "provider": upstream, "override_params": { "model": model } });
            let config = json!({ "strategy": { "mode": "fallback" }, "targets": [target(first), target("text")] });
            let before = fake.count();
            let request = client.asks(&key, "any", "Xin chào!", true).config(&config);
            let events = gateway.stream(request).await.rest().await.0;
            assert_eq!(client.failures(&events), usize::from(!ends_well), "{way} {first}: {events:?}");
            assert_eq!(client.text(&events), SAID, "{way} {first}: {events:?}");
            assert_eq!(fake.count() - before, if ends_well { 2 } else { 1 }, "{way} {first}");
            if !ends_well {
                let last = events.iter().rev().find(|event| **event != Event::Done);
                assert!(matches!(last, Some(Event::Data(data)) if (client.is_failure)(data)), "{way}: {events:?}");
            }
        }
    })
    .await;
}

/// D2: a failure in the middle is told as one, counted as one, and not cached.
#[tokio::test]
async fn d2_j24_a_broken_answer_is_an_error_in_every_format() {
    let (upstreams, gateway, key) = started(|setup| setup).await;
    let (mut asked, cache) = (0, json!({ "cache": { "mode": "simple" } }));
    each(async |client, upstream| {
        for kind in ["late", "cut"] {
            for _ in 0..2 {
                asked += 1;
                let request = client.asks(&key, &format!("{upstream}/{kind}"), "Xin chào!", true).config(&cache);
                let stream = gateway.stream(request).await;
                assert_eq!((stream.status, stream.header("x-portkey-cache-status")), (200, Some("MISS")));
                assert_eq!(client.failures(&stream.rest().await.0), 1, "{} at {upstream}: {kind}", client.path);
            }
        }
        let whole = gateway.ask(client.asks(&key, &format!("{upstream}/cut"), "Xin chào!", false)).await;
        assert_eq!(whole.status, 502, "{} at {upstream}: {}", client.path, whole.text());
        asked += 1;
        gateway.wait_for_metric("llm_requests_total", &[("status", "error")], f64::from(asked)).await;
    })
    .await;
    assert_eq!(upstreams.counts().iter().sum::<usize>(), asked as usize);
}

/// D3: an upstream that falls silent in its answer is given up, and the client is told.
#[tokio::test]
async fn d3_j24_a_stalled_stream_is_given_up_in_every_format() {
    let idle = |setup: Setup| {
        ["chat", "claude", "responses"]
            .iter()
            .fold(setup, |setup, name| setup.set(&format!("providers.{name}.timeouts.idle_ms"), 200))
    };
    let (upstreams, gateway, key) = started(idle).await;
    each(async |client, upstream| {
        let next = upstreams.named(upstream).count() + 1;
        let request = client.asks(&key, &format!("{upstream}/stall"), "Xin chào!", true);
        let events = gateway.stream(request).await.rest().await.0;
        assert_eq!((client.text(&events).as_str(), client.failures(&events)), (SAID, 1), "{}: {events:?}", client.path);
        upstreams.named(upstream).request(next).await.abandoned().await;
    })
    .await;
}

/// D4: signs of life come before a silent upstream answers, and its answer behind them is whole.
#[tokio::test]
async fn d4_j24_silence_is_bridged_in_every_format() {
    let (upstreams, gateway, key) = started(|setup| setup.set("server.keepalive_ms", 50)).await;
    each(async |client, upstream| {
        let request = client.asks(&key, &format!("{upstream}/silence"), "Xin chào!", true);
        let mut stream = gateway.stream(request).await;
        let mut beats = 0;
        eventually("three signs of life", async || {
            beats += usize::from(stream.next().await.is_some_and(|event| (client.is_beat)(&event)));
            beats >= 3
        })
        .await;
        drop(stream);
        let request = client.asks(&key, &format!("{upstream}/text"), "Xin chào!", true);
        let events = gateway.stream(request).await.rest().await.0;
        assert_eq!((client.text(&events).as_str(), client.failures(&events)), (SAID, 0), "{}: {events:?}", client.path);
    })
    .await;
    drop(upstreams);
}

/// D5: a stream that comes byte by byte is the same stream.
#[tokio::test]
async fn d5_j24_any_chunking_is_the_same_in_every_format() {
    let (_upstreams, gateway, key) = started(|setup| setup).await;
    each(async |client, upstream| {
        let mut told = Vec::new();
        for kind in ["text", "bytes"] {
            let request = client.asks(&key, &format!("{upstream}/{kind}"), "Xin chào!", true);
            let events = gateway.stream(request).await.rest().await.0;
            assert_eq!(client.failures(&events), 0, "{} at {upstream}: {events:?}", client.path);
            told.push(client.text(&events));
        }
        assert_eq!(told, [SAID, SAID], "{} at {upstream}", client.path);
    })
    .await;
}
