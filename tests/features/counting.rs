//! Tokens that a vendor does not tell are counted, whatever the text is, and nobody waits for another's count.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::client::hello;
use crate::harness::money::{log_rows, picos};
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup, eventually};

/// An OpenAI that says one word of a stream, and then nothing.
async fn one_word() -> FakeProvider {
    FakeProvider::answering(Reply::events([openai::role(), openai::text("one ")]).stall()).await
}

fn asking(key: &str, prompt: &str) -> Request {
    let mut body = hello("gpt-4o-mini");
    body["stream"] = json!(true);
    body["messages"][0]["content"] = json!(prompt);
    Request::chat(key, &body)
}

/// Asks for a stream, and leaves it at the first word.
async fn leave(gateway: &Gateway, request: Request) {
    let mut stream = gateway.stream(request).await;
    assert_eq!(stream.next_text().await, "one ");
}

/// A megabyte of words that differ.
fn long_prompt() -> String {
    (0..150_000).map(|number| format!("word{number} ")).collect::<String>()
}

/// H-1, C5: texts on which the encoding overflows or takes seconds, left by their client: the gateway lives, each is a row,
/// and the worker is there for the next one.
#[tokio::test]
async fn h1_hostile_texts_are_booked_and_hold_nobody_up() {
    let openai = one_word().await;
    let (gateway, key) = Setup::new().openai(&openai).set("server.workers", 1).start().await.with_key().await;
    let texts =
        [" ".repeat(1_200_000), " ".repeat(8_000_000), "a".repeat(8_000_000), "\n ".repeat(600_000), "Hi".into()];
    for text in &texts {
        leave(&gateway, asking(&key, text)).await;
        gateway.ask(Request::get("/health/live")).await.expect(200);
    }
    let rows = log_rows(&gateway, texts.len() as i64).await;
    for row in &rows {
        assert_eq!((&row["status"], &row["estimated"]), (&json!("cancelled"), &json!(1)), "{row}");
        assert!(row["prompt_tokens"].as_i64() > Some(5), "{row}");
    }
    let counter = gateway.actor("token_counter:abandoned").await;
    assert_eq!((&counter["alive"], &counter["mailbox_depth"]), (&json!(true), &json!(0)), "{counter}");
    let failures: Vec<_> = gateway.stderr().into_iter().filter(|line| line.contains("panicked")).collect();
    assert!(failures.is_empty(), "{failures:?}");
}

/// J 2: a budgeted stream of one key does not wait for the prompts that another one's clients left.
#[tokio::test]
async fn j2_left_prompts_hold_no_stream_up() {
    let openai = one_word().await;
    let gateway = Setup::new().openai(&openai).start().await;
    let (left, other) = (gateway.new_key(json!({})).await, gateway.new_key(json!({ "budget_limit_usd": 1 })).await);
    let words = vec!["some more words "; 40];
    let mut body = hello("gpt-4o-mini");
    (body["stream"], body["max_tokens"]) = (json!(true), json!(200));
    // The encoding is loaded by now.
    leave(&gateway, asking(&left, "Hi")).await;
    log_rows(&gateway, 1).await;
    let prompt = "a".repeat(10 << 20);
    for _ in 0..6 {
        leave(&gateway, asking(&left, &prompt)).await;
    }
    openai.always(Reply::events(openai::stream_of(&words)));
    let begun = Instant::now();
    let events = gateway.stream(Request::chat(&other, &body)).await.rest().await;
    let taken = begun.elapsed();
    assert!(events.is_done() && events.errors().is_empty(), "{events:?}");
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    let rows = log_rows(&gateway, 8).await;
    assert_eq!(rows.iter().filter(|row| row["status"] == "cancelled").count(), 7);
}

/// C5: a whole answer whose vendor tells no usage says what it costs: in its body, its header, the log, the metric and
/// the row alike, however hostile its text.
#[tokio::test]
async fn c5_a_whole_answer_without_usage_tells_what_is_booked() {
    let mut completion = openai::completion("some words");
    completion.as_object_mut().unwrap().remove("usage");
    let openai = FakeProvider::answering(Reply::json(200, &completion)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut sum = 0;
    for (at, prompt) in ["Hello world", &" ".repeat(1_200_000), &long_prompt()].into_iter().enumerate() {
        let mut body = hello("gpt-4o-mini");
        body["messages"][0]["content"] = json!(prompt);
        let trace_id = format!("no-usage-{at}");
        let request = Request::chat(&key, &body).header("x-portkey-trace-id", &trace_id);
        let answer = gateway.ask(request).await.expect(200);
        let header = picos(&json!(answer.header("x-gateway-cost-usd").unwrap()));
        let line = gateway.request_log(&trace_id).await;
        let rows = log_rows(&gateway, at as i64 + 1).await;
        let row = rows.iter().find(|row| row["trace_id"] == *trace_id).unwrap();
        let tokens = |name: &str| i128::from(row[name].as_i64().unwrap());
        let cost = tokens("prompt_tokens") * 150_000 + tokens("completion_tokens") * 600_000;
        assert_eq!(header, cost, "{row}");
        assert_eq!((&row["status"], &row["estimated"]), (&json!("success"), &json!(1)), "{row}");
        assert_eq!(line["completion_tokens"], row["completion_tokens"], "{line}");
        let dollars = cost as f64 / 1e12;
        for told in [&answer.json()["metadata"]["cost_usd"], &line["cost_usd"]] {
            assert!((told.as_f64().unwrap() - dollars).abs() < 1e-12, "{told} for {dollars}");
        }
        sum += cost;
        let metered = gateway.scrape().await.sum("llm_cost_total_usd", &[("provider", "openai")]);
        assert!((metered - sum as f64 / 1e12).abs() < 1e-9, "{metered} for {sum}");
    }
}

/// Leaves so many large streams that counting them takes a while, and waits until the first is noted.
async fn leave_many(gateway: &Gateway, key: &str, count: usize) {
    let prompt = long_prompt();
    for _ in 0..count {
        leave(gateway, asking(key, &prompt)).await;
    }
    eventually("the rows are noted before they are counted", async || noted(gateway).len() >= count).await;
}

/// The ids of rows of which the journal has any line.
fn noted(gateway: &Gateway) -> std::collections::HashSet<String> {
    let mut ids = std::collections::HashSet::new();
    for file in std::fs::read_dir(gateway.folder().join("data/journal")).unwrap() {
        let lines = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        let rows = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        ids.extend(rows.filter_map(|row| row["id"].as_str().map(str::to_owned)));
    }
    ids
}

fn rows_are_complete(rows: &[Value]) {
    for row in rows {
        assert_eq!((&row["status"], &row["estimated"]), (&json!("cancelled"), &json!(1)), "{row}");
        let tokens = row["prompt_tokens"].as_i64().unwrap();
        assert!((200_000..1_000_000).contains(&tokens), "{row}");
    }
}

/// J 10, B2: SIGTERM while prompts are counted: all of them are booked before the end, which does not wait for the counts.
#[tokio::test]
async fn j10_sigterm_while_counting_loses_no_row() {
    let openai = one_word().await;
    let (mut gateway, key) = Gateway::before(&openai).await;
    leave_many(&gateway, &key, 12).await;
    let asked = Instant::now();
    gateway.terminate().await;
    assert_eq!(gateway.exit().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let gateway = Setup::new().start_in(gateway.into_folder()).await;
    rows_are_complete(&log_rows(&gateway, 12).await);
}

/// J 10, B2: a process that is killed while it counts leaves the rows to the next start, each once.
#[tokio::test]
async fn j10_a_kill_while_counting_loses_no_row() {
    let openai = one_word().await;
    let (gateway, key) = Gateway::before(&openai).await;
    leave_many(&gateway, &key, 12).await;
    let gateway = Setup::new().start_in(gateway.kill().await).await;
    rows_are_complete(&log_rows(&gateway, 12).await);
}
