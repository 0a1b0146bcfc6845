//! Streams: passed on at once, whatever the provider's writes look like, with the usage counted in any case.

use serde_json::json;

use crate::harness::bodies::{anthropic, ollama, openai};
use crate::harness::client::{Event, hello};
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

/// C4: the gateway always asks the provider for usage and records it; a client that did not ask sees none.
#[tokio::test]
async fn c4_usage_is_recorded_and_hidden_from_a_client_that_did_not_ask() {
    let openai = FakeProvider::answering(openai::stream(&["Xin ", "chào"])).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "c4-hidden");
    let events = gateway.stream(request).await.rest().await;

    assert_eq!(events.text(), "Xin chào");
    assert!(events.is_done());
    assert!(events.chunks().iter().all(|chunk| chunk["usage"].is_null()), "{events:?}");
    assert_eq!(openai.request(1).await.body["stream_options"]["include_usage"], true);
    let line = gateway.request_log("c4-hidden").await;
    assert_eq!((&line["prompt_tokens"], &line["completion_tokens"]), (&json!(10), &json!(15)));
    assert_eq!(line["cost_usd"], openai::COST);
    let model = [("provider", "openai"), ("model", "gpt-4o-mini"), ("type", "completion")];
    gateway.wait_for_metric("llm_tokens_total", &model, 15.0).await;
}

/// C4: a client that asks gets one usage chunk, the last, and with it the metadata.
#[tokio::test]
async fn c4_usage_is_shown_to_a_client_that_asked() {
    let openai = FakeProvider::answering(openai::stream(&["Xin ", "chào"])).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut body = hello("gpt-4o-mini");
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let events = gateway.stream(Request::chat(&key, &body)).await.rest().await;

    let chunks = events.chunks();
    let with_usage: Vec<_> = chunks.iter().filter(|chunk| chunk["usage"].is_object()).collect();
    assert_eq!(with_usage.len(), 1, "{events:?}");
    let last = chunks.last().unwrap();
    assert_eq!(last["usage"]["total_tokens"], 25);
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["metadata"], json!({ "cache_hit": false, "provider": "openai", "cost_usd": openai::COST }));
    assert!(events.is_done());
}

/// D9: an event reaches the client before the provider sends the next.
#[tokio::test]
async fn d9_every_event_is_passed_on_at_once() {
    let gate = Gate::new();
    let words = ["một ", "hai ", "ba "];
    let reply = words
        .iter()
        .fold(Reply::stream("text/event-stream"), |reply, word| reply.then(&openai::text(word)).wait(&gate));
    let openai = FakeProvider::answering(reply.then(&openai::finish("stop")).then(openai::DONE)).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
    assert_eq!(stream.status, 200);
    assert!(stream.header("content-type").unwrap().starts_with("text/event-stream"));
    assert_eq!(stream.header("x-portkey-provider"), Some("openai"));
    for word in words {
        // The provider waits at its gate until this word has arrived.
        assert_eq!(stream.next_text().await, word);
        gate.open();
    }
    assert!(stream.rest().await.is_done());
}

/// D5: any re-chunking of the provider's bytes, one byte a write included, gives the same events, with Vietnamese
/// text, CRLF, comments and multi-line data.
#[tokio::test]
async fn d5_any_rechunking_decodes_the_same() {
    let events = openai::stream_of(&["Tiếng ", "Việt: ", "đường, ", "ở 🇻🇳"]);
    let tricky = format!(
        ": comment\n\n{}{}{}",
        events[..2].concat().replace('\n', "\r\n"),
        "event: message\ndata: {\"id\":\"x\",\ndata: \"choices\":[{\"index\":0,\"delta\":{\"content\":\"[nối]\"}}]}\n\n",
        events[2..].concat(),
    );
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    for size in [1, 2, 3, 7, 64, 100_000] {
        openai.once(Reply::stream("text/event-stream").then(&tricky).in_writes_of(size));
        let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
        assert_eq!(events.text(), "Tiếng [nối]Việt: đường, ở 🇻🇳", "in writes of {size}");
        assert!(events.is_done(), "in writes of {size}: {events:?}");
    }
}

/// A provider that splits a surrogate pair over two events breaks no stream: the pair comes out whole.
#[tokio::test]
async fn a_split_surrogate_pair_is_put_together() {
    let split = |half: &str| {
        format!("data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{half}\"}}}}]}}\n\n")
    };
    let reply = Reply::events([
        openai::role(),
        openai::text("a"),
        split(r"\ud83d"),
        split(r"\ude00"),
        openai::text("b"),
        openai::finish("stop"),
        openai::DONE.to_owned(),
    ]);
    let openai = FakeProvider::answering(reply).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!(events.text(), "a😀b");
    assert!(events.is_done());
}

/// Tool-call deltas, reasoning and several choices pass through a stream as they came.
#[tokio::test]
async fn stream_deltas_keep_every_field() {
    let call = json!({ "tool_calls": [{ "index": 1, "id": "b", "type": "function",
        "function": { "name": "f", "arguments": "{\"x\"" } }] });
    let reasoning = json!({ "reasoning_content": "nghĩ", "a_field_of_tomorrow": 1.5 });
    let end = [openai::finish("tool_calls"), openai::DONE.to_owned()];
    let deltas = [openai::role(), openai::delta(call.clone()), openai::delta(reasoning.clone())];
    let openai = FakeProvider::answering(Reply::events(deltas.into_iter().chain(end))).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let request = Request::streamed_hello(&key, "gpt-4o-mini").header("x-portkey-strict-open-ai-compliance", "false");
    let events = gateway.stream(request).await.rest().await;
    let deltas: Vec<_> = events.chunks().iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    assert!(deltas.contains(&call), "{deltas:?}");
    assert!(deltas.contains(&reasoning), "{deltas:?}");
    assert_eq!(events.chunks().last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

/// Anthropic's and Ollama's streams come out as OpenAI's, usage and cost included.
#[tokio::test]
async fn other_formats_stream_as_openais() {
    let anthropic = FakeProvider::answering(anthropic::stream(&["Xin ", "chào"]).in_writes_of(5)).await;
    let ollama = FakeProvider::answering(ollama::stream(&["Xin ", "chào"]).in_writes_of(5)).await;
    let (gateway, key) = Setup::new().anthropic(&anthropic).ollama(&ollama).start().await.with_key().await;
    for (model, provider) in [("claude-3-sonnet", "anthropic"), ("llama3:8b", "ollama")] {
        let mut body = hello(model);
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let events = gateway.stream(Request::chat(&key, &body)).await.rest().await;
        assert_eq!(events.text(), "Xin chào", "{provider}");
        assert!(events.is_done(), "{provider}: {events:?}");
        let chunks = events.chunks();
        assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"), "{provider}: {events:?}");
        let reasons = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
        assert_eq!(reasons.collect::<Vec<_>>(), ["stop"], "{provider}");
        let usage = chunks.last().unwrap();
        assert_eq!(usage["usage"]["prompt_tokens"], 10, "{provider}: {usage}");
        assert_eq!(usage["usage"]["completion_tokens"], 15, "{provider}: {usage}");
        assert_eq!(usage["metadata"]["provider"], provider);
        assert!(!events.0.iter().any(|event| matches!(event, Event::Comment(_))));
    }
}

/// A finished stream leaves its connection for the next request.
#[tokio::test]
async fn connections_are_used_again_after_a_stream() {
    let openai = FakeProvider::answering(openai::stream(&["Xin ", "chào"])).await;
    let (gateway, key) = Setup::new().openai(&openai).set("server.workers", 1).start().await.with_key().await;
    for _ in 0..5 {
        gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(200);
        gateway.wait_until_idle().await;
    }
    assert_eq!((openai.count(), openai.connections()), (5, 1));
}

/// D2: a stream that ends while a choice is unfinished, or breaks before `[DONE]` at all, is an error.
#[tokio::test]
async fn d2_a_break_after_a_finish_reason_is_an_error() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    let gate = Gate::new();
    let second = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"half\"}}]}\n\n".to_owned();
    let two = || Reply::events([openai::role(), openai::text("one"), second.clone(), openai::finish("stop")]);
    let one = || Reply::events([openai::role(), openai::text("one"), openai::finish("stop")]);
    let replies = [two().wait(&gate), two().wait(&gate).cut(), two().wait(&gate).reset(), one().wait(&gate).reset()];
    for (n, reply) in replies.into_iter().enumerate() {
        openai.once(reply);
        let mut stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
        assert_eq!(stream.next_text().await, "one");
        gate.open();
        let events = stream.rest().await;
        assert_eq!(events.errors().len(), 1, "{n}: {events:?}");
        assert!(!events.is_done(), "{n}: {events:?}");
    }
    let state = gateway.actor("provider:openai").await["state"].clone();
    assert_eq!(state["window"]["failures"], 4, "{state}");

    openai.once(one());
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert!(events.is_done(), "a proper end may lack [DONE]: {events:?}");
}

/// Role-only events without end are no answer: the stream is given up before they fill the memory.
#[tokio::test]
async fn a_stream_that_never_begins_is_given_up() {
    let roles = openai::role().repeat(20_000);
    let openai = FakeProvider::answering(Reply::stream("text/event-stream").then(&roles).stall()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    gateway.ask(Request::streamed_hello(&key, "gpt-4o-mini")).await.expect(502);
    openai.request(1).await.abandoned().await;
}

/// A line without end is no event: the stream is given up before it fills the memory.
#[tokio::test]
async fn an_event_without_end_is_given_up() {
    let endless = |opening: &str| Reply::stream("text/event-stream").then(opening).then(&"x".repeat(20 << 20)).stall();
    let openai = FakeProvider::answering(endless("data: ")).await;
    let ollama = FakeProvider::answering(endless("{\"model\":\"")).await;
    let (gateway, key) = Setup::new().openai(&openai).ollama(&ollama).start().await.with_key().await;
    for model in ["gpt-4o-mini", "llama3:8b"] {
        gateway.ask(Request::streamed_hello(&key, model)).await.expect(502);
    }
}

/// S20: `drop_params` has the last word, also over what the gateway adds; a vendor that refuses `stream_options` is not
/// sent it. The gateway counts by itself then.
#[tokio::test]
async fn s20_stream_options_can_be_left_out() {
    let openai = FakeProvider::start().await;
    let toml = format!(
        "[providers.plain]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nstream_options = false\n",
        openai.origin()
    );
    let (gateway, key) = Setup::new().openai(&openai).toml(&toml).start().await.with_key().await;
    let unmetered =
        || Reply::events([openai::role(), openai::text("one two"), openai::finish("stop"), openai::DONE.to_owned()]);
    let config = |config: serde_json::Value| config;
    for (n, config) in [
        config(json!({ "provider": "openai", "drop_params": ["stream_options"] })),
        config(json!({ "provider": "openai", "drop_params": ["stream_options.include_usage"] })),
        config(json!({ "provider": "plain" })),
    ]
    .into_iter()
    .enumerate()
    {
        openai.once(unmetered());
        let mut body = hello("gpt-4o-mini");
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let events = gateway.stream(Request::chat(&key, &body).config(&config)).await.rest().await;
        assert_eq!((events.text().as_str(), events.is_done()), ("one two", true), "{config}: {events:?}");
        let sent = openai.request(n + 1).await.body;
        assert!(sent["stream_options"]["include_usage"].is_null(), "{config}: {sent}");
    }
}
