//! What is billed: each attempt at its own target, and no more than was reserved.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, ollama, openai};
use crate::harness::client::hello;
use crate::harness::money::{COST, log_rows, picos, settled, usage};
use crate::harness::{FakeProvider, Reply, Request, Setup};

/// A stream of a vendor that says " the", a token, for as long as it is listened to.
fn endless() -> Reply {
    let words = (0..400).map(|_| openai::text(" the"));
    Reply::events(std::iter::once(openai::role()).chain(words)).stall()
}

/// B1: a vendor that ignores `max_tokens` is cut where the reservation ends; the client sees a proper end and what it
/// pays for, counted here.
#[tokio::test]
async fn b1_a_stream_is_cut_where_its_reservation_ends() {
    let openai = FakeProvider::answering(endless()).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 1 })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let mut body = hello("gpt-4o-mini");
    body["max_tokens"] = json!(15);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let events = gateway.stream(Request::chat(key, &body).header("x-portkey-trace-id", "cut")).await.rest().await;
    assert!(events.is_done() && events.errors().is_empty(), "{events:?}");
    assert_eq!(events.text(), " the".repeat(15));
    let chunks = events.chunks();
    let [.., last, usage_chunk] = &chunks[..] else { panic!("{events:?}") };
    assert_eq!(last["choices"], json!([{ "index": 0, "delta": {}, "finish_reason": "length" }]));
    assert_eq!((&last["id"], &last["model"]), (&json!("chatcmpl-fake"), &json!("gpt-4o-mini")));
    let counts = &usage_chunk["usage"];
    assert_eq!((&usage_chunk["choices"], &counts["completion_tokens"]), (&json!([]), &json!(16)));
    openai.request(1).await.abandoned().await;
    let cost = i128::from(counts["prompt_tokens"].as_i64().unwrap()) * 150_000 + 16 * 600_000;
    settled(&gateway, "key", id, cost).await;
    let row = &usage(&gateway, "key", 1).await[0];
    assert_eq!((&row["estimated"], &row["completion_tokens"]), (&json!(1), &json!(16)));
    let line = gateway.request_log("cut").await;
    assert_eq!((&line["status"], &line["completion_tokens"]), (&json!(200), &json!(16)));
    assert_eq!(picos(&row["cost_usd"]), cost);
}

/// Who did not ask for usage gets none; a reasoning answer and one of another vendor are cut as well.
#[tokio::test]
async fn b1_every_kind_of_output_counts_against_the_reservation() {
    let thinking = (0..100).map(|_| openai::delta(json!({ "reasoning_content": " the" })));
    let openai = FakeProvider::answering(Reply::events(thinking).stall()).await;
    let words = [" the"; 100];
    let anthropic = FakeProvider::answering(anthropic::stream(&words).stall()).await;
    let gateway = Setup::new().openai(&openai).anthropic(&anthropic).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    for model in ["gpt-4o-mini", "claude-3-sonnet"] {
        let mut body = hello(model);
        body["max_tokens"] = json!(15);
        body["stream"] = json!(true);
        let events = gateway.stream(Request::chat(&key, &body)).await.rest().await;
        assert!(events.is_done(), "{events:?}");
        let chunks = events.chunks();
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "length", "{events:?}");
        assert!((16..=17).contains(&chunks.len()), "{}", chunks.len());
    }
    usage(&gateway, "provider", 2).await;
}

/// A vendor that keeps to `max_tokens` is not cut, and without a budget nobody is.
#[tokio::test]
async fn b1_who_keeps_to_the_limit_is_not_cut() {
    let openai = FakeProvider::answering(openai::stream(&[" the"; 15])).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    let mut body = hello("gpt-4o-mini");
    body["max_tokens"] = json!(15);
    body["stream"] = json!(true);
    let events = gateway.stream(Request::chat(&key, &body)).await.rest().await;
    assert_eq!((events.text(), events.is_done()), (" the".repeat(15), true));
    openai.always(openai::stream(&[" the"; 400]));
    let free = gateway.new_key(json!({})).await;
    let events = gateway.stream(Request::chat(&free, &body)).await.rest().await;
    assert_eq!((events.text(), events.is_done()), (" the".repeat(400), true));
    assert_eq!(usage(&gateway, "provider", 2).await[0]["estimated"], json!(0));
}

/// What ten input and fifteen output tokens of claude-3-sonnet cost.
const CLAUDE: i128 = 10 * 3_000_000 + 15 * 15_000_000;

fn with_usage(mut body: Value) -> Value {
    body["usage"] = json!({ "prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25 });
    body
}

/// B7: an attempt that failed and told usage is billed to its own target, whole and streamed, beside the one that
/// answered; a failure that told none is not.
#[tokio::test]
async fn b7_a_failed_attempt_with_usage_is_billed_to_its_own_target() {
    let error = json!({ "error": { "message": "boom", "type": "server_error" } });
    let broken = [openai::role(), openai::usage(), openai::event(&error)];
    let failures = [
        ("an error status", false, Reply::json(500, &with_usage(error.clone()))),
        ("an error inside a whole answer", false, Reply::json(200, &with_usage(error.clone()))),
        ("an error before the first content", true, Reply::events(broken)),
        ("a cut before the first content", true, Reply::events([openai::role(), openai::usage()]).cut()),
        ("silence before the first content", true, Reply::events([openai::role(), openai::usage()]).stall()),
    ];
    let openai = FakeProvider::start().await;
    let anthropic = FakeProvider::start().await;
    let gateway =
        Setup::new().openai(&openai).anthropic(&anthropic).set("providers.openai.timeouts.first_byte_ms", 500);
    let gateway = gateway.set("providers.openai.breaker.failure_threshold", 0).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 1 })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let targets = json!([{ "provider": "openai" }, { "provider": "anthropic", "model": "claude-3-sonnet" }]);
    let config = json!({ "strategy": "fallback", "targets": targets });
    let mut spent = 0;
    for (at, (what, stream, failure)) in failures.into_iter().enumerate() {
        openai.once(failure);
        anthropic.once(if stream { anthropic::stream(&["hello"]) } else { anthropic::answer("hello") });
        let mut body = hello("gpt-4o-mini");
        body["stream"] = json!(stream);
        let request = Request::chat(key, &body).config(&config).header("x-portkey-trace-id", what);
        let answer = gateway.ask(request).await.expect(200);
        assert_eq!(answer.header("x-portkey-provider"), Some("anthropic"), "{what}");
        spent += COST + CLAUDE;
        let rows = log_rows(&gateway, 2 * (at as i64 + 1)).await;
        let told: Vec<_> = rows[2 * at..].iter().map(|row| (&row["provider"], &row["status"], &row["cost"])).collect();
        let expected = [
            (&json!("openai"), &json!("error"), &json!(COST as i64)),
            (&json!("anthropic"), &json!("success"), &json!(CLAUDE as i64)),
        ];
        assert_eq!(told, expected, "{what}");
        settled(&gateway, "key", id, spent).await;
        let line = gateway.request_log(what).await;
        assert_eq!((&line["prompt_tokens"], &line["cost_usd"]), (&json!(20), &json!(0.0002655)), "{what}");
    }
    for failure in [openai::error(500), Reply::json(500, &json!({ "error": "x", "usage": { "prompt_tokens": 0 } }))] {
        openai.once(failure);
        anthropic.once(anthropic::answer("hello"));
        gateway.ask(Request::hello(key, "gpt-4o-mini").config(&config)).await.expect(200);
        spent += CLAUDE;
        settled(&gateway, "key", id, spent).await;
    }
    assert_eq!(log_rows(&gateway, 12).await.len(), 12);
}

/// B7: the input that Anthropic counts at the beginning of a stream is paid where an error follows before any content, as
/// is what an error's body counts in the formats of Anthropic and Ollama.
#[tokio::test]
async fn b7_usage_of_every_dialect_is_read_from_failures() {
    let overloaded = json!({ "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let mut start = anthropic::start();
    start.push(anthropic::event("error", overloaded.clone()));
    let mut counted = overloaded;
    counted["usage"] = json!({ "input_tokens": 4, "output_tokens": 2 });
    let anthropic = FakeProvider::start().await;
    anthropic.once(Reply::events(start)).once(Reply::json(529, &counted));
    let ollama = FakeProvider::start().await;
    ollama.once(Reply::json(200, &json!({ "error": "boom", "prompt_eval_count": 7, "eval_count": 1 })));
    let (gateway, key) = Setup::new().anthropic(&anthropic).ollama(&ollama).start().await.with_key().await;
    gateway.ask(Request::streamed_hello(&key, "claude-3-sonnet")).await.expect(502);
    gateway.ask(Request::hello(&key, "claude-3-sonnet")).await.expect(529);
    gateway.ask(Request::hello(&key, "ollama/llama3:8b")).await.expect(502);
    let told = log_rows(&gateway, 3).await;
    let tokens: Vec<_> =
        told.iter().map(|row| [&row["prompt_tokens"], &row["completion_tokens"], &row["cost"]]).collect();
    assert_eq!(json!(tokens), json!([[10, 1, 45_000_000], [4, 2, 42_000_000], [7, 1, 0]]));
    assert!(told.iter().all(|row| row["status"] == "error"), "{told:?}");
}

/// B7: a stream that breaks after its first content is billed as the vendor counted, or for what came where that is more.
#[tokio::test]
async fn b7_a_stream_that_breaks_is_billed_as_an_error() {
    let openai = FakeProvider::start().await;
    let error = openai::event(&json!({ "error": { "message": "boom", "type": "server_error" } }));
    openai.once(Reply::events([openai::text("Hello"), openai::usage(), error]));
    let mut events = anthropic::start();
    let text = json!({ "type": "text_delta", "text": " the".repeat(40) });
    events.push(anthropic::event("content_block_delta", json!({ "index": 0, "delta": text })));
    let anthropic = FakeProvider::start().await;
    anthropic.once(Reply::events(events).cut());
    let (gateway, key) = Setup::new().openai(&openai).anthropic(&anthropic).start().await.with_key().await;
    for model in ["gpt-4o-mini", "claude-3-sonnet"] {
        let events = gateway.stream(Request::streamed_hello(&key, model)).await.rest().await;
        assert_eq!(events.errors().len(), 1, "{events:?}");
    }
    let rows = log_rows(&gateway, 2).await;
    let told =
        rows.iter().map(|row| json!([row["status"], row["prompt_tokens"], row["completion_tokens"], row["estimated"]]));
    assert_eq!(Value::Array(told.collect()), json!([["error", 10, 15, 0], ["error", 10, 40, 1]]));
}

/// What is saved is the price of the model that the client asked for, less that of the one that served it: local models
/// and cheaper routes are told apart, and a model that was asked for saves nothing.
#[tokio::test]
async fn savings_are_told_against_the_model_that_was_asked_for() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let ollama = FakeProvider::answering(ollama::answer("hello")).await;
    let anthropic = FakeProvider::answering(anthropic::stream(&["hello"])).await;
    let setup = Setup::new().openai(&openai).ollama(&ollama).anthropic(&anthropic);
    let (gateway, key) = setup.start().await.with_key().await;
    let to = |provider: &str, model: &str| json!({ "strategy": "single", "targets": [{ "provider": provider, "model": model }] });
    let ask = async |model: &str, config: Value| {
        gateway.ask(Request::hello(&key, model).config(&config)).await.expect(200);
    };
    // gpt-4o costs $2.50 and $10 a million: ten and fifteen tokens are $0.000175.
    ask("gpt-4o", to("openai", "gpt-4o-mini")).await;
    ask("gpt-4o", to("ollama", "llama3:8b")).await;
    ask("openai/gpt-4o", to("openai", "gpt-4o")).await;
    gateway.ask(Request::hello(&key, "gpt-4o")).await.expect(200);
    let dearer = Request::streamed_hello(&key, "gpt-4o-mini").config(&to("anthropic", "claude-3-sonnet"));
    assert!(gateway.stream(dearer).await.rest().await.is_done());
    let rows = log_rows(&gateway, 5).await;
    let baselines: Vec<_> = rows.iter().map(|row| &row["baseline_cost"]).collect();
    assert_eq!(json!(baselines), json!([175_000_000, 175_000_000, null, null, 10_500_000]));
    let savings = gateway.admin("GET", "/admin/savings", None).await.expect(200).json();
    assert_eq!(savings["requests"], 5);
    assert_eq!((&savings["cost_usd"], &savings["baseline_usd"]), (&json!("0.0006155"), &json!("0.0007105")));
    assert_eq!((&savings["saved_usd"], &savings["share"]), (&json!("0.000095"), &json!(0.1337)));
    let saved =
        |requests: u64, usd: &str, share: f64| json!({ "requests": requests, "saved_usd": usd, "share": share });
    let expected = json!({
        "cache": saved(0, "0", 0.0),
        "local_models": saved(1, "0.000175", 0.2463),
        "cheaper_routes": saved(1, "0.0001645", 0.2315),
        "dearer_routes": saved(1, "-0.0002445", -0.3441),
    });
    assert_eq!(savings["by_reason"], expected);
    let later = gateway.admin("GET", "/admin/savings?from=2100-01-01T00:00:00Z", None).await.expect(200).json();
    assert_eq!((&later["requests"], &later["share"]), (&json!(0), &Value::Null));
    gateway.admin("GET", "/admin/savings?from=yesterday", None).await.expect(400);
    gateway.admin("POST", "/admin/savings", Some(json!({}))).await.expect(405);
}
