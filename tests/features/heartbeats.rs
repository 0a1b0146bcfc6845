//! J21: what keeps silent streams of Messages and Responses alive.

use serde_json::{Value, json};

use crate::continued_responses::{native, responses};
use crate::harness::bodies::openai;
use crate::harness::client::{Event, EventStream, Events};
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

async fn beating(setup: Setup) -> (Gateway, String) {
    setup.set("server.keepalive_ms", 100).start().await.with_key().await
}

fn hello(stream: bool) -> Value {
    json!({ "model": "gpt-4o-mini", "input": "hello", "stream": stream })
}

async fn next(stream: &mut EventStream) -> Value {
    match stream.next().await {
        Some(Event::Data(data)) => data,
        other => panic!("no event, but {other:?}"),
    }
}

/// The kinds of all events, whose numbers must have no gap.
fn kinds(before: &[Value], rest: &Events) -> Vec<String> {
    let all: Vec<Value> = before.iter().cloned().chain(rest.chunks().into_iter().cloned()).collect();
    for (number, event) in all.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{all:?}");
    }
    assert_eq!(rest.comments(), 0);
    all.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// J21: events keep the stream alive before the provider's head and in the middle, and their numbers have no gap.
#[tokio::test]
async fn j21_responses_are_kept_alive_by_numbered_events() {
    let (head, middle) = (Gate::new(), Gate::new());
    let reply = Reply::events([openai::role(), openai::text("a")]).after(&head).wait(&middle);
    let reply = reply.then(&openai::text("b")).then(&openai::finish("stop")).then(openai::DONE);
    let openai = FakeProvider::answering(reply).await;
    let (gateway, key) = beating(Setup::new().openai(&openai)).await;
    let mut stream = gateway.stream(responses(&key, &hello(true))).await;
    assert_eq!(stream.status, 200);
    let mut before = Vec::new();
    for kind in ["response.created", "response.in_progress", "keepalive", "keepalive"] {
        before.push(next(&mut stream).await);
        assert_eq!(before.last().unwrap()["type"], kind);
    }
    let id = before[0]["response"]["id"].clone();
    assert!(id.as_str().unwrap().starts_with("resp_gw"));
    head.open();
    loop {
        before.push(next(&mut stream).await);
        if before.last().unwrap()["type"] == "response.output_text.delta" {
            break;
        }
    }
    before.push(next(&mut stream).await);
    assert_eq!(before.last().unwrap()["type"], "keepalive", "in the middle");
    middle.open();
    let rest = stream.rest().await;
    let kinds = kinds(&before, &rest);
    assert_eq!(kinds.iter().filter(|kind| *kind == "response.created").count(), 1, "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "response.completed");
    let last = rest.chunks().last().copied().unwrap();
    assert_eq!(last["response"]["id"], id);
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "ab");
}

/// J21: the same for a stream that passes as it stands.
#[tokio::test]
async fn j21_passing_streams_are_renumbered() {
    let head = Gate::new();
    let openai = FakeProvider::answering(native(true).after(&head)).await;
    let (gateway, key) = beating(Setup::new().openai(&openai).set("providers.openai.serves_responses", true)).await;
    let mut stream = gateway.stream(responses(&key, &hello(true))).await;
    let mut before = Vec::new();
    while before.last().is_none_or(|event: &Value| event["type"] != "keepalive") {
        before.push(next(&mut stream).await);
    }
    head.open();
    let rest = stream.rest().await;
    let kinds = kinds(&before, &rest);
    assert_eq!(kinds.iter().filter(|kind| *kind == "response.created").count(), 1, "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "response.completed");
    assert_eq!(rest.chunks().last().unwrap()["response"]["id"], before[0]["response"]["id"]);
}

/// J3: a failure after a heartbeat is `response.failed` with the next number, before and after the answer began.
#[tokio::test]
async fn j3_a_late_failure_is_the_streams_own() {
    let (gate, middle) = (Gate::new(), Gate::new());
    let openai = FakeProvider::answering(openai::error(400).after(&gate)).await;
    let (gateway, key) = beating(Setup::new().openai(&openai)).await;
    let mut stream = gateway.stream(responses(&key, &hello(true))).await;
    let mut before = vec![next(&mut stream).await, next(&mut stream).await, next(&mut stream).await];
    gate.open();
    let rest = stream.rest().await;
    assert_eq!(kinds(&before, &rest).last().unwrap(), "response.failed");
    let failed = rest.chunks().last().copied().unwrap();
    assert_eq!(failed["response"]["id"], before[0]["response"]["id"]);
    assert_eq!(failed["response"]["status"], "failed");

    openai.always(Reply::events([openai::role(), openai::text("a")]).wait(&middle).cut());
    let mut stream = gateway.stream(responses(&key, &hello(true))).await;
    before.clear();
    while before.last().is_none_or(|event: &Value| event["type"] != "keepalive") {
        before.push(next(&mut stream).await);
    }
    middle.open();
    assert_eq!(kinds(&before, &stream.rest().await).last().unwrap(), "response.failed");
}

/// J21: Messages have pings of their own, before the first event and in the middle.
#[tokio::test]
async fn j21_messages_have_pings() {
    let (head, middle) = (Gate::new(), Gate::new());
    let reply = Reply::events([openai::role(), openai::text("a")]).after(&head).wait(&middle);
    let reply = reply.then(&openai::finish("stop")).then(openai::DONE);
    let openai = FakeProvider::answering(reply).await;
    let (gateway, key) = beating(Setup::new().openai(&openai)).await;
    let body = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "stream": true,
        "messages": [{ "role": "user", "content": "hello" }] });
    let mut stream = gateway.stream(Request::new("POST", "/v1/messages").key(&key).json(&body)).await;
    for _ in 0..3 {
        assert_eq!(next(&mut stream).await, json!({ "type": "ping" }));
    }
    head.open();
    while next(&mut stream).await["type"] != "content_block_delta" {}
    assert_eq!(next(&mut stream).await, json!({ "type": "ping" }));
    middle.open();
    let rest = stream.rest().await;
    assert_eq!(rest.chunks().last().unwrap()["type"], "message_stop");
    assert_eq!(rest.comments(), 0);
}
