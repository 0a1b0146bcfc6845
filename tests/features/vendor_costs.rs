//! What a vendor charges beyond the bytes of a request: input of its own, media, and options that cost more.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::client::hello;
use crate::harness::money::{log_rows, picos, settled, usage};
use crate::harness::{FakeProvider, Reply, Request, Setup};

/// An answer of Anthropic's with this usage.
fn counted(usage: Value) -> Reply {
    let mut message = anthropic::message(json!([{ "type": "text", "text": "found" }]), "end_turn");
    message["usage"] = usage;
    Reply::json(200, &message)
}

fn with(model: &str, fields: Value) -> Value {
    let mut body = hello(model);
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn search() -> Value {
    json!([{ "type": "web_search_20250305", "name": "web_search" }])
}

/// H-2, B1: the results of a vendor's own search are input that the request does not show: sixty such requests at once
/// stay within the budget, although each costs a thousand times its bytes.
#[tokio::test]
async fn h2_input_that_the_vendor_adds_stays_within_the_budget() {
    let anthropic = FakeProvider::answering(counted(json!({ "input_tokens": 60_000, "output_tokens": 15 }))).await;
    let gateway = Setup::new().anthropic(&anthropic).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 1, "budget_period": "total" })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let body = with("claude-3-sonnet", json!({ "tools": search(), "max_tokens": 15 }));
    let answers = join_all((0..60).map(|_| gateway.ask(Request::chat(key, &body)))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!("budget_exceeded")));
    }
    let each = 60_000 * 3_000_000 + 15 * 15_000_000;
    let spent = each * served as i128;
    assert!(served > 0 && spent <= 1_000_000_000_000, "{served}");
    let figures = settled(&gateway, "key", id, spent).await;
    assert!(picos(&figures["spent_usd"]) <= 1_000_000_000_000);
}

/// H-2: where the operator wants it, such a request is refused before anything is sent, and told why; keys without a
/// budget, and models that cost nothing, are not concerned.
#[tokio::test]
async fn h2_input_that_the_vendor_adds_can_be_refused() {
    let anthropic = FakeProvider::answering(anthropic::answer("found")).await;
    let openai = FakeProvider::answering(openai::answer("found")).await;
    let setup = Setup::new().anthropic(&anthropic).openai(&openai).set("budgets.hidden_input", "refuse");
    let gateway = setup.start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    let part = json!([{ "type": "document", "source": { "type": "url", "url": "https://a.example/b.pdf" } }]);
    for (body, param) in [
        (with("claude-3-sonnet", json!({ "tools": search() })), "tools[0]"),
        (with("claude-3-sonnet", json!({ "mcp_servers": [{ "type": "url" }] })), "mcp_servers"),
        (
            with("claude-3-sonnet", json!({ "messages": [{ "role": "user", "content": part }] })),
            "messages[0].content[0]",
        ),
        (with("gpt-4o-mini", json!({ "web_search_options": { "search_context_size": "high" } })), "web_search_options"),
        (with("gpt-5-search-api", json!({})), "model"),
    ] {
        let error = gateway.ask(Request::chat(&key, &body)).await.expect(400).json()["error"].clone();
        assert_eq!((&error["code"], &error["param"]), (&json!("hidden_input_refused"), &json!(param)), "{error}");
    }
    assert_eq!((anthropic.count(), openai.count()), (0, 0));
    gateway.ask(Request::hello(&key, "claude-3-sonnet")).await.expect(200);
    let free = gateway.new_key(json!({})).await;
    gateway.ask(Request::chat(&free, &with("claude-3-sonnet", json!({ "tools": search() })))).await.expect(200);
}

/// B15, B4: media are reserved for by their kind, in every spelling, and a video is no cheaper than a picture.
#[tokio::test]
async fn b15_media_of_every_kind_are_reserved_for() {
    let openai = FakeProvider::answering(openai::answer("seen")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    // It pays for 73,000 tokens of input.
    let key = gateway.new_key(json!({ "budget_limit_usd": 0.011 })).await;
    let ask = async |part: &str| {
        let body =
            format!(r#"{{"model":"gpt-4o-mini","max_tokens":10,"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        gateway.ask(Request::new("POST", "/v1/chat/completions").key(&key).body(body)).await.status
    };
    for part in [
        r#"{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}"#,
        r#"{"type":"\u0069mage_url","\u0069mage_url":{"url":"https://a.example/b.png"}}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#,
        r#"{"type":"video_url","video_url":{"url":"https://a.example/b.mp4"}}"#,
        r#"{"type":"file","file":{"file_id":"file-1"}}"#,
        r#"{"type":"something_new","text":"a"}"#,
    ] {
        assert_eq!(ask(part).await, 429, "{part}");
    }
    assert_eq!(openai.count(), 0);
    assert_eq!(ask(r#"{"type":"text","text":"a picture, \"image_url\", in words"}"#).await, 200);
}

/// B19: what makes an answer of Anthropic's dearer is billed by its factor, as told by the answer or else as asked, also
/// where a config asks for it; what has no price is refused by name.
#[tokio::test]
async fn b19_options_that_cost_more_are_billed() {
    let anthropic = FakeProvider::start().await;
    let gateway = Setup::new().anthropic(&anthropic).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1000 })).await;
    let told = |mut options: Value| {
        options["input_tokens"] = json!(1_000_000);
        options["output_tokens"] = json!(100_000);
        counted(options)
    };
    for (asked, options, cost) in [
        (json!({}), json!({}), "7.5"),
        (json!({ "inference_geo": "us" }), json!({ "inference_geo": "us", "speed": "standard" }), "8.25"),
        (json!({ "speed": "fast" }), json!({ "speed": "fast", "inference_geo": "global" }), "15"),
        (json!({ "speed": "fast", "inference_geo": "us" }), json!({}), "16.5"),
        // A workspace's own default.
        (json!({}), json!({ "inference_geo": "us" }), "8.25"),
        (json!({ "speed": "fast" }), json!({ "speed": "standard" }), "7.5"),
    ] {
        anthropic.once(told(options.clone())).once(told(options));
        let answer = gateway.ask(Request::chat(&key, &with("claude-opus-4-8", asked.clone()))).await.expect(200);
        assert_eq!(answer.header("x-gateway-cost-usd"), Some(cost), "{asked}");
        let config = json!({ "provider": "anthropic", "override_params": asked });
        let answer = gateway.ask(Request::hello(&key, "claude-opus-4-8").config(&config)).await.expect(200);
        assert_eq!(answer.header("x-gateway-cost-usd"), Some(cost), "{asked} by the config");
    }
    let sent = anthropic.count();
    for (model, fields, param) in [
        ("claude-opus-4-8", json!({ "inference_geo": "eu" }), "inference_geo"),
        ("claude-haiku-4-5", json!({ "speed": "fast" }), "speed"),
        ("claude-opus-4-8", json!({ "service_tier": "priority" }), "service_tier"),
    ] {
        let error = gateway.ask(Request::chat(&key, &with(model, fields))).await.expect(400).json()["error"].clone();
        assert_eq!((&error["code"], &error["param"]), (&json!("option_not_priced"), &json!(param)), "{error}");
    }
    let config = json!({ "provider": "anthropic", "override_params": { "speed": "ultra" } });
    gateway.ask(Request::hello(&key, "claude-opus-4-8").config(&config)).await.expect(400);
    assert_eq!(anthropic.count(), sent, "what is refused reaches no provider");
}

/// B12: embeddings of which one total is told are billed by it, and not by a count of the gateway's own.
#[tokio::test]
async fn b12_embeddings_with_a_total_alone_are_billed_by_it() {
    let data = json!([{ "object": "embedding", "index": 0, "embedding": [0.5] }]);
    let told = json!({ "object": "list", "data": data, "model": "m", "usage": { "total_tokens": 1234 } });
    let openai = FakeProvider::answering(Reply::json(200, &told)).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let body = json!({ "model": "text-embedding-3-small", "input": "some text" });
    gateway.ask(Request::new("POST", "/v1/embeddings").key(&key).json(&body)).await.expect(200);
    let row = &usage(&gateway, "key", 1).await[0];
    assert_eq!((&row["prompt_tokens"], &row["estimated"]), (&json!(1234), &json!(0)));
}

/// A second account at OpenAI is held to its limit in the same field as the first one, whatever its name; a vendor that
/// knows the older name alone is told it.
#[tokio::test]
async fn the_field_of_the_output_limit_is_the_providers_own() {
    let fake = FakeProvider::answering(openai::answer("hello")).await;
    let provider = |name: &str, more: &str| {
        format!("[providers.{name}]\ndialect = 'openai'\nbase_url = '{}/v1'\n{more}", fake.origin())
    };
    let setup =
        Setup::new().toml(&provider("openai-eu", "")).toml(&provider("older", "output_limit_field = 'max_tokens'"));
    let gateway = setup.start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    for (at, (provider, field)) in [("openai-eu", "max_completion_tokens"), ("older", "max_tokens")].iter().enumerate()
    {
        let price = json!({ "provider": provider, "model": "o3-mini", "input": "1", "output": "4", "source": "test" });
        gateway.admin("PUT", "/admin/pricing", Some(price)).await.expect(200);
        gateway.ask(Request::hello(&key, &format!("{provider}/o3-mini"))).await.expect(200);
        let sent = fake.request(at + 1).await.body;
        let limits = ["max_completion_tokens", "max_tokens"].map(|name| sent[name].is_number());
        assert_eq!(limits, ["max_completion_tokens", "max_tokens"].map(|name| name == *field), "{sent}");
    }
}

/// Fifteen tokens of text with this usage, whole and as a stream.
fn told(usage: &Value) -> (Reply, Reply) {
    let mut whole = openai::completion(&" the".repeat(15));
    whole["usage"] = usage.clone();
    let mut end: Value = serde_json::from_str(openai::usage().trim_start_matches("data: ").trim()).unwrap();
    end["usage"] = usage.clone();
    let mut events = openai::stream_of(&[" the"; 15]);
    events.retain(|event| !event.contains("\"usage\""));
    let done = events.pop().unwrap();
    events.extend([openai::event(&end), done]);
    (Reply::json(200, &whole), Reply::events(events))
}

/// M-5, J 25, B08, B12: figures that cannot be are replaced by the gateway's own, whole and streamed, as are zeros where
/// something was generated; the answer tells what is booked, and a metric why.
#[tokio::test]
async fn m5_j25_figures_that_cannot_be_are_replaced() {
    let openai = FakeProvider::start().await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    let cases = [
        (json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 }), None, None),
        (json!({ "prompt_tokens": 34, "completion_tokens": 0 }), Some(34), None),
        (json!({ "prompt_tokens": 9_223_372_036_854_775_807_u64, "completion_tokens": 15 }), None, Some(15)),
        (json!({ "prompt_tokens": 34, "completion_tokens": u64::MAX }), Some(34), None),
        (json!({ "prompt_tokens": 300_000, "completion_tokens": 15 }), None, Some(15)),
        (json!({ "total_tokens": 49 }), None, None),
        // None of these is a count at all.
        (json!({ "prompt_tokens": -34, "completion_tokens": 15 }), None, None),
        (json!({ "prompt_tokens": "34", "completion_tokens": 15 }), None, None),
        (json!({ "prompt_tokens": 34.5, "completion_tokens": 15 }), None, None),
    ];
    for (at, (usage, prompt, completion)) in cases.into_iter().enumerate() {
        let (whole, stream) = told(&usage);
        openai.once(whole).once(stream);
        let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200);
        assert!(gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await.is_done());
        let rows = log_rows(&gateway, 2 * (at as i64 + 1)).await;
        for row in &rows[2 * at..] {
            let tokens = |name: &str| row[name].as_i64().unwrap();
            let (input, output) = (tokens("prompt_tokens"), tokens("completion_tokens"));
            // Its own counts: of "Xin chào!" and what stands around it, and of fifteen words; 49 less these.
            assert!(prompt.map_or((5..40).contains(&input), |prompt| prompt == input), "{usage}: {row}");
            assert!(
                completion.map_or((15..=16).contains(&output), |completion| completion == output),
                "{usage}: {row}"
            );
            assert_eq!((&row["estimated"], tokens("cost")), (&json!(1), input * 150_000 + output * 600_000), "{usage}");
        }
        let cost = PicoText(rows[2 * at]["cost"].as_i64().unwrap()).to_string();
        assert_eq!(answer.header("x-gateway-cost-usd"), Some(cost.as_str()), "{usage}");
        assert!(answer.text().contains(&format!(r#""cost_usd":{cost}"#)), "{usage}");
    }
    for (reason, count) in [("zero", 4.0), ("implausible", 6.0), ("sum", 2.0)] {
        let labels = [("provider", "openai"), ("reason", reason)];
        gateway.wait_for_metric("llm_usage_rejected_total", &labels, count).await;
    }
}

/// Pico-dollars as a decimal text.
struct PicoText(i64);

impl std::fmt::Display for PicoText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(format!("0.{:012}", self.0).trim_end_matches('0'))
    }
}
