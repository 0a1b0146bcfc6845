//! Guardrails of answers that stream: chunks of every size, several choices, time limits, and what is cancelled.

use serde_json::{Value, json};

use super::{PII, REDACTED, assert_clean, pii};
use crate::harness::bodies::openai;
use crate::harness::client::Event;
use crate::harness::{FakeProvider, Reply, Request, Setup};

fn streamed(model: &str) -> Value {
    json!({ "model": model, "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "Xin chào!" }] })
}

/// D8: wherever the provider cuts its words and its bytes, the stream says what the whole answer says.
#[tokio::test]
async fn d8_a_stream_cut_anywhere_says_what_the_whole_says() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let characters: Vec<String> = PII.chars().map(String::from).collect();
    for (size, bytes) in [(1, 1_000_000), (1, 7), (2, 3), (3, 1), (5, 11), (13, 2), (100, 1)] {
        let words: Vec<String> = characters.chunks(size).map(|part| part.concat()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        openai.once(openai::stream(&words).in_writes_of(bytes));
        let asked = Request::chat(&key, &streamed("gpt-4o-mini")).config(&pii("output", "redact"));
        let events = gateway.stream(asked).await.rest().await;
        assert_eq!(events.text(), REDACTED, "words of {size}, writes of {bytes}");
        assert!(events.is_done());
        let last = events.chunks().pop().unwrap();
        let told = &last["metadata"]["guardrails"][0];
        assert_eq!(
            (&told["verdict"], &told["counts"]),
            (&json!("redacted"), &json!({ "NAME": 1, "CMND": 1 })),
            "{last}"
        );
        assert_eq!(last["usage"]["completion_tokens"], 15, "usage comes behind all that was held");
    }
}

/// D8: every choice has its own guard.
#[tokio::test]
async fn d8_every_choice_is_guarded() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let chunk = |index: u64, delta: Value, reason: Value| {
        let choices = json!([{ "index": index, "delta": delta, "finish_reason": reason }]);
        openai::event(
            &json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices }),
        )
    };
    let mut events = Vec::new();
    for word in PII.split_inclusive(' ') {
        events.extend([1, 0].map(|index| chunk(index, json!({ "content": word }), Value::Null)));
    }
    events.extend([0, 1].map(|index| chunk(index, json!({}), json!("stop"))));
    events.push("data: [DONE]\n\n".to_owned());
    openai.always(Reply::events(events));
    let mut body = streamed("gpt-4o-mini");
    body["n"] = json!(2);
    let asked = Request::chat(&key, &body).config(&pii("output", "redact"));
    let events = gateway.stream(asked).await.rest().await;
    for index in [0, 1] {
        let of_choice = |chunk: &&Value| -> Option<String> {
            let choice = chunk["choices"].as_array()?.iter().find(|choice| choice["index"] == index)?;
            Some(choice["delta"]["content"].as_str()?.to_owned())
        };
        let text: String = events.chunks().iter().filter_map(of_choice).collect();
        assert_eq!(text, REDACTED, "choice {index}");
    }
}

/// D8: a denied stream ends with one error, the provider's call is cancelled, and what came is billed.
#[tokio::test]
async fn d8_a_denied_stream_cancels_its_provider() {
    let reply =
        Reply::events([openai::role(), openai::text("Đây là: "), openai::text(PII), openai::text(" Và ")]).stall();
    let openai = FakeProvider::answering(reply).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let asked = Request::chat(&key, &streamed("gpt-4o-mini"))
        .config(&pii("output", "deny"))
        .header("x-portkey-trace-id", "denied");
    let events = gateway.stream(asked).await.rest().await;
    let told = format!("{events:?}");
    assert_clean("the stream", &told);
    assert_eq!(events.errors().len(), 1, "{told}");
    assert!(matches!(events.0.last(), Some(Event::Data(chunk)) if chunk["error"]["type"] == "hooks_failed"), "{told}");
    openai.request(1).await.abandoned().await;
    let line = gateway.request_log("denied").await;
    assert!(line["cost_usd"].as_f64().unwrap() > 0.0, "what was generated is billed: {line}");
    assert_eq!((&line["error"], &line["cause"]), (&json!("hooks_failed"), &json!("denied")), "{line}");
    assert_eq!(line["guardrails"], "output pii_detection denied", "{line}");
    let scrape = gateway.scrape().await;
    assert_eq!(scrape.sum("llm_circuit_breaker_state", &[("provider", "openai")]), 0.0);
    assert_eq!(scrape.sum("guardrail_checks_total", &[("verdict", "denied"), ("action", "deny")]), 1.0);
}

/// D3: a text that is held back is no silence of the provider's.
#[tokio::test]
async fn d3_a_held_stream_is_not_idle() {
    let setup = Setup::new().set("providers.simulator.timeouts.idle_ms", 400);
    let (gateway, key) = setup.start().await.with_key().await;
    let config =
        json!({ "output_guardrails": [{ "default.wordCount": { "minWords": 1, "maxWords": 100 }, "deny": true }] });
    let asked = Request::chat(&key, &streamed("sim-slow-8x100")).config(&config);
    let events = gateway.stream(asked).await.rest().await;
    assert_eq!(events.text(), "0 1 2 3 4 5 6 7 ");
    assert!(events.is_done(), "{events:?}");
    let few = json!({ "output_guardrails": [{ "default.wordCount": { "minWords": 1, "maxWords": 3 }, "deny": true }] });
    let asked = Request::chat(&key, &streamed("sim-slow-8x100")).config(&few);
    let events = gateway.stream(asked).await.rest().await;
    assert_eq!((events.text().as_str(), events.errors().len()), ("", 1), "{events:?}");
}
