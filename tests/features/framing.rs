//! Answers in another framing than the one asked for, and streams whose end is not as it should be.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::bodies::{anthropic, openai};
use crate::harness::client::hello;
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup};

/// A gateway before one fake provider that plays all three vendors.
async fn before_all(fake: &FakeProvider) -> (Gateway, String) {
    let setup = Setup::new().openai(fake).anthropic(fake).ollama(fake);
    let setup = setup.set("providers.openai.breaker.failure_threshold", 1000);
    setup.set("providers.anthropic.breaker.failure_threshold", 1000).start().await.with_key().await
}

const MODELS: [&str; 3] = ["gpt-4o-mini", "claude-3-sonnet", "llama3:8b"];

fn anthropic_stream(ends: &[String]) -> String {
    let block = json!({ "index": 0, "content_block": { "type": "text", "text": "" } });
    let delta = json!({ "index": 0, "delta": { "type": "text_delta", "text": "good" } });
    let middle = [
        anthropic::event("content_block_start", block),
        anthropic::event("content_block_delta", delta),
        anthropic::event("content_block_stop", json!({ "index": 0 })),
    ];
    anthropic::start().concat() + &middle.concat() + &ends.concat()
}

fn ollama_line(text: &str, done: bool) -> String {
    let mut line = json!({ "model": "llama3:8b", "created_at": "2025-01-15T10:00:00Z",
        "message": { "role": "assistant", "content": text }, "done": done });
    if done {
        let counts = json!({ "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 15 });
        line.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
    }
    line.to_string()
}

/// A stream of each vendor that says "good", with 10 and 15 tokens, and its content type.
fn streams() -> [(String, &'static str); 3] {
    [
        (openai::stream_of(&["go", "od"]).concat(), "text/event-stream"),
        (anthropic_stream(&anthropic::end("end_turn")), "text/event-stream"),
        (format!("{}\n{}\n", ollama_line("good", false), ollama_line("", true)), "application/x-ndjson"),
    ]
}

/// The same as whole answers.
fn wholes() -> [String; 3] {
    let message = anthropic::message(json!([{ "type": "text", "text": "good" }]), "end_turn");
    [openai::completion("good").to_string(), message.to_string(), ollama_line("good", true)]
}

async fn check_tokens(gateway: &Gateway, trace: &str) {
    let line = gateway.request_log(trace).await;
    let told = (&line["status"], &line["prompt_tokens"], &line["completion_tokens"], &line["error"]);
    assert_eq!(told, (&json!(200), &json!(10), &json!(15), &json!(null)), "{line}");
}

/// J 4: a stream whose last event lacks its blank line, or its line end, is a complete answer, and nothing is asked for
/// after its end.
#[tokio::test]
async fn j4_a_last_event_may_lack_its_blank_line() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    for (model, (stream, content_type)) in MODELS.into_iter().zip(streams()) {
        for cut in [0, 1, 2] {
            let Some(text) = stream.trim_end().get(..).map(|text| text.to_owned() + &"\n".repeat(2 - cut)) else {
                return;
            };
            let trace = format!("{model}-{cut}");
            fake.once(Reply::stream(content_type).then(&text));
            let request = Request::streamed_hello(&key, model).header("x-portkey-trace-id", &trace);
            let events = gateway.stream(request).await.rest().await;
            assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{trace}: {events:?}");
            check_tokens(&gateway, &trace).await;
        }
    }
    assert!(!gateway.stderr().iter().any(|line| line.contains("panicked")), "{:?}", gateway.stderr());
    for provider in ["openai", "anthropic", "ollama"] {
        let state = gateway.actor(&format!("provider:{provider}")).await["state"].clone();
        assert_eq!((&state["window"]["successes"], &state["window"]["failures"]), (&json!(3), &json!(0)), "{state}");
    }
}

/// sse-end: an answer whose choices have all finished is complete though its provider neither says so nor closes.
#[tokio::test]
async fn a_finished_stream_is_not_waited_for() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    let finished = [openai::role(), openai::text("good"), openai::finish("stop"), openai::usage()].concat();
    let unstopped = anthropic_stream(&anthropic::end("end_turn")[..1]);
    for (n, (model, text)) in MODELS.into_iter().zip([finished, unstopped]).enumerate() {
        fake.once(Reply::stream("text/event-stream").then(&text).stall());
        let begun = Instant::now();
        let request = Request::streamed_hello(&key, model).header("x-portkey-trace-id", model);
        let events = gateway.stream(request).await.rest().await;
        assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{model}: {events:?}");
        assert!(begun.elapsed() < Duration::from_secs(15), "well before the idle limit of a minute");
        check_tokens(&gateway, model).await;
        fake.request(n + 1).await.abandoned().await;
    }
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!((&state["window"]["successes"], &state["window"]["failures"]), (&json!(1), &json!(0)), "{state}");
}

/// sse-end: comments that go on, and an idle limit below the grace, change nothing; with a choice to come it is an error.
#[tokio::test]
async fn an_idle_limit_does_not_spoil_a_finished_stream() {
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("providers.openai.timeouts.idle_ms", 400);
    let (gateway, key) = setup.start().await.with_key().await;
    let finished = || Reply::events([openai::role(), openai::text("good"), openai::finish("stop")]);
    openai.once(finished().then(": beat\n\n").stall());
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!((events.is_done(), events.errors().len()), (true, 0), "{events:?}");
    let half = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"half\"}}]}\n\n";
    openai.once(finished().then(half).stall());
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!((events.is_done(), events.errors().len()), (false, 1), "{events:?}");
}

/// other-framing: one whole answer to a streamed request is told as a stream, metered and billed once.
#[tokio::test]
async fn a_whole_answer_to_a_streamed_request_is_told_as_a_stream() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    for (model, whole) in MODELS.into_iter().zip(wholes()) {
        for content_type in ["application/json", "text/event-stream", ""] {
            let trace = format!("{model}-{content_type}");
            fake.once(Reply::text(200, content_type, &whole));
            let mut body = hello(model);
            body["stream"] = json!(true);
            body["stream_options"] = json!({ "include_usage": true });
            let request = Request::chat(&key, &body).header("x-portkey-trace-id", &trace);
            let events = gateway.stream(request).await.rest().await;
            assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{trace}: {events:?}");
            let chunks = events.chunks();
            assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"), "{trace}: {events:?}");
            let counted: Vec<_> = chunks.iter().filter(|chunk| chunk["usage"].is_object()).collect();
            assert_eq!((counted.len(), &counted[0]["usage"]["total_tokens"]), (1, &json!(25)), "{trace}: {events:?}");
            check_tokens(&gateway, &trace).await;
        }
    }
    assert_eq!(fake.count(), 9);
}

/// other-framing: a stream to a whole request is gathered into the whole answer, whether or not it says that it is one.
#[tokio::test]
async fn a_stream_to_a_whole_request_is_gathered() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    for (model, (stream, content_type)) in MODELS.into_iter().zip(streams()) {
        for content_type in [content_type, "text/plain"] {
            let trace = format!("{model} {content_type}");
            fake.once(Reply::stream(content_type).then(&stream));
            let request = Request::hello(&key, model).header("x-portkey-trace-id", &trace);
            let answer = gateway.ask(request).await.expect(200).json();
            let choice = &answer["choices"][0];
            let told = (&choice["message"]["content"], &choice["finish_reason"], &answer["usage"]["total_tokens"]);
            assert_eq!(told, (&json!("good"), &json!("stop"), &json!(25)), "{trace}: {answer}");
            assert_eq!(answer["object"], "chat.completion", "{trace}: {answer}");
            check_tokens(&gateway, &trace).await;
        }
    }
    let cut = [openai::role(), openai::text("half")];
    fake.once(Reply::events(cut.iter()));
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(502);
    fake.once(Reply::events([openai::DONE]));
    gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(502);
    // sse-end: it is not waited for either, once it is complete.
    let finished = [openai::role(), openai::text("good"), openai::finish("stop"), openai::usage()];
    fake.once(Reply::events(finished).stall());
    assert_eq!(gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200).content(), "good");
}

/// other-framing: an error in a 200 is an error with the provider's words, in whichever framing and place it comes, and
/// leads to the next target as long as nothing was shown.
#[tokio::test]
async fn an_error_in_a_200_keeps_its_words() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    let error = json!({ "error": { "message": "the word is xyzzy", "type": "overloaded" } });
    let framed = format!("data: {error}\n\n");
    for model in ["gpt-4o-mini", "claude-3-sonnet"] {
        for text in [error.to_string(), serde_json::to_string_pretty(&error).unwrap(), framed.clone()] {
            for content_type in ["application/json", "text/event-stream"] {
                for request in [Request::hello(&key, model), Request::streamed_hello(&key, model)] {
                    fake.once(Reply::text(200, content_type, &text));
                    let told = gateway.ask(request).await.expect(502).json()["error"]["message"].clone();
                    assert_eq!(told, "the word is xyzzy", "{model} {content_type} {text}");
                }
            }
        }
    }
    let config = json!({ "strategy": "fallback", "targets": [{ "provider": "openai" },
        { "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } }] });
    fake.once(Reply::text(200, "application/json", &error.to_string())).once(anthropic::stream(&["good"]));
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&config)).await.rest().await;
    assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{events:?}");
    // After the first content it ends the stream.
    for last in [error.to_string(), format!("{error}\n\n{}", openai::DONE)] {
        fake.once(Reply::events([openai::role(), openai::text("half")]).then(&last));
        let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
        assert_eq!((events.text().as_str(), events.is_done()), ("half", false), "{events:?}");
        assert_eq!(events.errors()[0]["message"], "the word is xyzzy", "{events:?}");
    }
}

/// http-bom: a byte order mark before an answer is no part of it.
#[tokio::test]
async fn a_byte_order_mark_is_passed_over() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    for (model, whole) in MODELS.into_iter().zip(wholes()) {
        fake.once(Reply::text(200, "application/json", &format!("\u{feff}{whole}")));
        assert_eq!(gateway.ask(Request::hello(&key, model)).await.expect(200).content(), "good", "{model}");
    }
    let (line, content_type) = streams()[2].clone();
    fake.once(Reply::stream(content_type).then(&format!("\u{feff}{line}")));
    assert!(gateway.stream(Request::streamed_hello(&key, "llama3:8b")).await.rest().await.is_done());
}

/// sse-empty-event, sse-finish-reason: events without data say nothing, and an empty finish reason is none.
#[tokio::test]
async fn events_without_data_and_empty_finish_reasons_say_nothing() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    let [empty, blank] = ["data:\n\n".to_owned(), "event: ping\ndata: \n\n".to_owned()];
    let events = [openai::role(), empty.clone(), openai::text("go"), blank.clone(), openai::text("od"), empty.clone()];
    fake.once(Reply::events(events.into_iter().chain([openai::finish("stop"), openai::DONE.to_owned()])));
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{events:?}");
    let text = anthropic_stream(&anthropic::end("end_turn"))
        .replace("event: content_block_stop", &(blank + "event: content_block_stop"));
    fake.once(Reply::stream("text/event-stream").then(&text));
    let events = gateway.stream(Request::streamed_hello(&key, "claude-3-sonnet")).await.rest().await;
    assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{events:?}");

    let unended = |event: String| event.replace("\"finish_reason\":null", "\"finish_reason\":\"\"");
    let role = unended(openai::role());
    fake.once(Reply::events([role.clone(), unended(openai::text("half"))]));
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!((events.errors().len(), events.is_done()), (1, false), "{events:?}");
    // D1: what has only a role and no end is taken over by the next target.
    let config = json!({ "strategy": "fallback", "targets": [{ "provider": "openai" },
        { "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } }] });
    fake.once(Reply::events([role])).once(anthropic::stream(&["good"]));
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&config)).await.rest().await;
    assert_eq!((events.text().as_str(), events.is_done()), ("good", true), "{events:?}");
}

/// D9: each vendor's piece k reaches the client before its provider sends piece k + 1.
#[tokio::test]
async fn d9_every_piece_is_passed_on_at_once() {
    let fake = FakeProvider::start().await;
    let (gateway, key) = before_all(&fake).await;
    let words = ["một ", "hai ", "ba "];
    let gate = crate::harness::Gate::new();
    let begun = anthropic_stream(&[]);
    let opening = begun.split("event: content_block_delta").next().unwrap();
    let delta = |word: &&str| {
        let delta = json!({ "index": 0, "delta": { "type": "text_delta", "text": word } });
        anthropic::event("content_block_delta", delta)
    };
    let claude = words
        .iter()
        .fold(Reply::stream("text/event-stream").then(opening), |reply, word| reply.then(&delta(word)).wait(&gate));
    let ends = anthropic::event("content_block_stop", json!({ "index": 0 })) + &anthropic::end("end_turn").concat();
    let llama = words.iter().fold(Reply::stream("application/x-ndjson"), |reply, word| {
        reply.then(&(ollama_line(word, false) + "\n")).wait(&gate)
    });
    for (model, reply) in [(MODELS[1], claude.then(&ends)), (MODELS[2], llama.then(&ollama_line("", true)))] {
        fake.once(reply);
        let mut stream = gateway.stream(Request::streamed_hello(&key, model)).await;
        for word in words {
            // The provider waits at its gate until this word has arrived.
            assert_eq!(stream.next_text().await, word, "{model}");
            gate.open();
        }
        assert!(stream.rest().await.is_done(), "{model}");
    }
}
