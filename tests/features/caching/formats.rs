//! Answers that are given again to clients of every format.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{simple, status};
use crate::harness::bodies::openai;
use crate::harness::clients::{CLIENTS, Client};
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

/// A question that may be answered from the cache.
fn asks(client: &Client, key: &str, text: &str, stream: bool) -> Request {
    client.asks(key, "gpt-4o-mini", text, stream).config(&simple())
}

/// An answer with text and a call of a tool, streamed or not.
fn with_a_call(stream: bool) -> Reply {
    let call = json!([{ "index": 0, "id": "call_1", "type": "function",
        "function": { "name": "f", "arguments": "{\"a\":1}" } }]);
    if stream {
        let events = [openai::role(), openai::text("Let me see."), openai::delta(json!({ "tool_calls": call }))];
        return Reply::events(events).then(&openai::finish("tool_calls")).then(&openai::usage()).then(openai::DONE);
    }
    let mut answer = openai::completion("Let me see.");
    answer["choices"][0]["message"]["tool_calls"] = call;
    answer["choices"][0]["finish_reason"] = json!("tool_calls");
    Reply::json(200, &answer)
}

/// F1, F2, F4, J24: what one client was told, whole or streamed, is told again to clients of every format, whole and
/// streamed, and costs nothing; in the same format and framing it is told byte by byte, but for Responses, which repeats
/// fields of its request and is told under a name of its own.
#[tokio::test]
async fn f4_j24_one_answer_serves_every_client_format() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut asked = 0;
    for first in &CLIENTS {
        for streamed in [false, true] {
            asked += 1;
            let text = format!("question {asked}");
            openai.once(with_a_call(streamed));
            let missed = gateway.ask(asks(first, &key, &text, streamed)).await.expect(200);
            assert_eq!(status(&missed), "MISS", "{}", first.path);
            gateway.wait_until_idle().await;
            for then in &CLIENTS {
                let whole = gateway.ask(asks(then, &key, &text, false)).await.expect(200);
                let way = format!("{} ({streamed}) to {}", first.path, then.path);
                assert_eq!((status(&whole), whole.header("x-gateway-cost-usd")), ("HIT", Some("0")), "{way}");
                let said = (then.said)(&whole.json());
                let call =
                    if first.has_calls && then.has_calls { json!(["f", "{\"a\":1}"]) } else { json!([null, null]) };
                assert_eq!(said, ("Let me see.".to_owned(), call), "{way}: {}", whole.text());
                let stream = gateway.ask(asks(then, &key, &text, true)).await.expect(200);
                assert_eq!(status(&stream), "HIT", "{way}");
                let told = stream.text();
                assert!(told.contains("Let me see.") && told.contains(then.end), "{way}: {told}");
                if then.path == first.path && then.path != CLIENTS[0].path {
                    let again = if streamed { &stream } else { &whole };
                    let is_own = then.path == "/v1/responses";
                    assert_eq!(again.text() != missed.text(), is_own, "{way}: byte by byte");
                }
            }
        }
    }
    assert_eq!(openai.count(), asked);
}

/// F1, J24: another text, tenant or namespace is another question in every client format.
#[tokio::test]
async fn f1_j24_answers_are_not_shared_with_others_in_any_format() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let other = gateway.new_key(json!({})).await;
    for (n, client) in CLIENTS.iter().enumerate() {
        let text = format!("question {n}");
        for request in [
            asks(client, &key, &text, false),
            asks(client, &key, &(text.clone() + "!"), false),
            asks(client, &other, &text, false),
            asks(client, &key, &text, false).header("x-portkey-cache-namespace", "n"),
            asks(client, &key, &text, false).header("anthropic-beta", "b").header("x-portkey-provider", "openai"),
        ] {
            assert_eq!(status(&gateway.ask(request).await.expect(200)), "MISS", "{}", client.path);
        }
        assert_eq!(status(&gateway.ask(asks(client, &key, &text, false)).await.expect(200)), "HIT");
    }
}

/// F6, J24: errors, and answers that are cut, filtered or unfinished, are kept in no client format.
#[tokio::test]
async fn f6_j24_only_good_answers_are_kept_in_any_format() {
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    for client in &CLIENTS {
        for reason in ["length", "content_filter"] {
            let mut answer = openai::completion("not all of it");
            answer["choices"][0]["finish_reason"] = json!(reason);
            openai.once(Reply::json(200, &answer));
            let answer = gateway.ask(asks(client, &key, "question", false)).await.expect(200);
            assert_eq!(status(&answer), "MISS", "{} {reason}", client.path);
        }
        openai.once(openai::error(400));
        assert_eq!(status(&gateway.ask(asks(client, &key, "question", false)).await.expect(400)), "MISS");
        let half = Reply::events([openai::role(), openai::text("half")]);
        let ended = half.clone().then(&openai::finish("length")).then(openai::DONE);
        for reply in [ended, half.clone().cut(), half.reset()] {
            openai.once(reply);
            let stream = gateway.stream(asks(client, &key, "question", true)).await;
            assert_eq!(stream.header("x-portkey-cache-status"), Some("MISS"), "{}", client.path);
            stream.rest().await;
        }
        gateway.wait_until_idle().await;
    }
    openai.once(openai::answer("good"));
    assert_eq!(status(&gateway.ask(asks(&CLIENTS[1], &key, "question", false)).await.expect(200)), "MISS");
    for client in &CLIENTS {
        assert_eq!(status(&gateway.ask(asks(client, &key, "question", false)).await.expect(200)), "HIT");
    }
}

/// J24: equal questions of all formats at once ask the provider once.
#[tokio::test]
async fn j24_equal_questions_of_all_formats_at_once_are_asked_once() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    let gate = Gate::new();
    openai.always(openai::answer("hello").after(&gate));
    let asked = join_all((0..12).map(|n: usize| gateway.ask(asks(&CLIENTS[n % 4], &key, "hello?", false))));
    let opened = async {
        openai.request(1).await;
        gateway.wait_for_metric("llm_requests_in_flight", &[], 12.0).await;
        gate.open_for_good();
    };
    let (answers, ()) = tokio::join!(asked, opened);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!((CLIENTS[n % 4].said)(&answer.json()).0, "hello");
    }
    let hits = answers.iter().filter(|answer| status(answer) == "HIT").count();
    assert_eq!((hits, openai.count()), (11, 1));
}

/// J24: a stored answer that a client may go on from has a name of its own, and is gone on from.
#[tokio::test]
async fn j24_a_cached_response_is_gone_on_from() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut ids = HashSet::new();
    for stream in [false, false, true] {
        let mut request = (CLIENTS[2].body)("gpt-4o-mini", "hello?", stream);
        request["store"] = json!(true);
        let answer =
            gateway.ask(Request::new("POST", "/v1/responses").key(&key).json(&request).config(&simple())).await;
        let told = answer.expect(200).text();
        let at = told.rfind("\"id\":\"resp_").map(|at| at + 6).unwrap();
        let id = told[at..].split('"').next().unwrap().to_owned();
        let next = json!({ "model": "gpt-4o-mini", "input": "And?", "previous_response_id": id });
        gateway.ask(Request::new("POST", "/v1/responses").key(&key).json(&next)).await.expect(200);
        let asked = openai.request(openai.count()).await.body;
        let told: Vec<&Value> = asked["messages"].as_array().unwrap().iter().map(|one| &one["content"]).collect();
        assert_eq!(told, [&json!("hello?"), &json!("hello"), &json!("And?")], "{asked}");
        assert!(ids.insert(id));
    }
    assert_eq!(openai.count(), 4, "one answer, and three that went on from it");
}
