//! Answers that are given again: only to whom they belong, only the good ones, as they were.

mod fleet;
mod formats;

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::client::{Events, hello};
use crate::harness::{Answer, FakeProvider, Gate, Gateway, Reply, Request, Setup, in_time};

fn simple() -> Value {
    json!({ "cache": { "mode": "simple", "max_age": 3600 } })
}

/// A question that may be answered from the cache.
fn question(key: &str, body: &Value) -> Request {
    Request::chat(key, body).config(&simple())
}

fn status(answer: &Answer) -> &str {
    answer.header("x-portkey-cache-status").unwrap()
}

async fn ask(gateway: &Gateway, key: &str) -> Answer {
    gateway.ask(question(key, &hello("gpt-4o-mini"))).await.expect(200)
}

/// F2, F7: the same question again and again reaches the provider once, costs nothing more, and tells what it saved. It
/// counts against request limits alone.
#[tokio::test]
async fn f2_f7_an_answer_is_given_again() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).set("budgets.flush_ms", 20).start().await;
    let fields = json!({ "rate_limit": 200, "tokens_per_minute": 5000, "budget_limit_usd": 1 });
    let key = gateway.new_key(fields).await;
    let first = ask(&gateway, &key).await;
    assert_eq!((status(&first), first.header("age")), ("MISS", None));
    assert_eq!(first.json()["metadata"]["cache_hit"], false);
    let cost = first.json()["metadata"]["cost_usd"].clone();
    // The same in another spelling.
    let spelt =
        r#"{ "messages": [{"content": "Xin ch\u00e0o!", "role": "user"}], "user": "ann", "model": "gpt-4o-mini" }"#;
    for n in 0..100 {
        let again = gateway.ask(Request::new("POST", "/v1/chat/completions").key(&key).config(&simple()).body(spelt));
        let again = again.await.expect(200);
        assert_eq!(status(&again), "HIT");
        assert_eq!(again.content(), "hello");
        let metadata = &again.json()["metadata"];
        assert_eq!((&metadata["cache_hit"], &metadata["cost_usd"]), (&json!(true), &json!(0)));
        assert_eq!((&metadata["saved_usd"], &metadata["provider"]), (&cost, &json!("openai")));
        assert_eq!(again.header("x-gateway-cost-usd"), Some("0"));
        assert_eq!(again.header("x-portkey-provider"), Some("openai"));
        assert!(again.header("age").is_some());
        let left: u32 = again.header("x-ratelimit-remaining-requests").unwrap().parse().unwrap();
        assert_eq!(left, 198 - n);
        assert_eq!(again.json()["usage"], first.json()["usage"], "what it had used is told");
    }
    assert_eq!(openai.count(), 1);
    gateway.wait_until_idle().await;
    let left: u32 = ask(&gateway, &key).await.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    assert!(left > 4_000, "{left}: hits give their tokens back");

    let booked = async {
        loop {
            let savings = gateway.admin("GET", "/admin/savings", None).await.expect(200).json();
            if savings["by_reason"]["cache"]["requests"] == 101 {
                return savings;
            }
        }
    };
    let savings = in_time("hits are in the usage log", booked).await;
    assert_eq!(savings["by_reason"]["cache"]["saved_usd"], "0.0010605");
    let budgets = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
    assert_eq!(budgets["data"][0]["spent_usd"], "0.0000105", "one answer was paid for");
    gateway.wait_for_metric("cache_requests_total", &[("result", "hit")], 101.0).await;
    gateway.wait_for_metric("cache_entries", &[], 1.0).await;
    gateway.wait_for_metric("gateway_actor_up", &[("actor", "cache")], 1.0).await;
    let owner = gateway.actor("cache").await;
    assert_eq!((&owner["state"]["entries"], &owner["handled"]), (&json!(1), &json!(0)), "no hit asked the actor");
}

/// F4: a stream is given again event by event, and as a whole answer; a whole answer is given again as a stream.
#[tokio::test]
async fn f4_streams_and_whole_answers_stand_for_each_other() {
    let openai = FakeProvider::start().await;
    let call = |arguments: &str| {
        openai::delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": arguments } }] }))
    };
    let begin = json!({ "tool_calls": [
        { "index": 0, "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "" } }] });
    let reasoning = openai::delta(json!({ "reasoning_content": "Let me call." }));
    let events =
        [openai::role(), reasoning, openai::delta(begin), call("{\"a\""), call(":1}"), openai::finish("tool_calls")];
    openai.once(Reply::events(events).then(&openai::usage()).then(openai::DONE));
    let (gateway, key) = Gateway::before(&openai).await;
    let mut body = hello("gpt-4o-mini");
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let stream = async |body: &Value| {
        let stream = gateway.stream(question(&key, body)).await;
        let status = stream.header("x-portkey-cache-status").unwrap().to_owned();
        (status, stream.rest().await)
    };
    let (missed, original) = stream(&body).await;
    let (hit, again) = stream(&body).await;
    assert_eq!((missed.as_str(), hit.as_str()), ("MISS", "HIT"));
    let owned = |events: &Events| events.chunks().into_iter().cloned().collect::<Vec<Value>>();
    let (mut told, retold) = (owned(&original), owned(&again));
    let last = told.last_mut().unwrap();
    assert_eq!(last["metadata"]["cache_hit"], false);
    last["metadata"] = retold.last().unwrap()["metadata"].clone();
    assert_eq!(told, retold, "field for field");
    assert_eq!(retold.last().unwrap()["metadata"]["cache_hit"], true);
    body["stream_options"] = json!({ "include_usage": false });
    assert_eq!(owned(&stream(&body).await.1), told[..told.len() - 1], "usage is told to who asks");

    let whole = ask(&gateway, &key).await;
    assert_eq!(status(&whole), "HIT");
    let message = &whole.json()["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"], json!({ "name": "f", "arguments": "{\"a\":1}" }));
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("Let me call."), &json!("")));
    assert_eq!(whole.json()["usage"]["completion_tokens"], 15);
    assert_eq!(openai.count(), 1);

    openai.once(openai::answer("whole"));
    body["messages"][0]["content"] = json!("another question");
    body["stream"] = json!(false);
    body.as_object_mut().unwrap().remove("stream_options");
    assert_eq!(status(&gateway.ask(question(&key, &body)).await.expect(200)), "MISS");
    body["stream"] = json!(true);
    let (hit, streamed) = stream(&body).await;
    assert_eq!((hit.as_str(), streamed.text().as_str(), streamed.is_done()), ("HIT", "whole", true));
}

/// M-9: the answer of another target than the first choice is not kept, whole or streamed: once the first choice is well
/// again, it is asked.
#[tokio::test]
async fn m9_a_fallbacks_answer_is_not_kept() {
    let first = FakeProvider::start().await;
    let second = FakeProvider::start().await;
    let setup = Setup::new().openai(&first).set("providers.groq.base_url", second.origin() + "/v1");
    let setup = setup.env("GROQ_API_KEY", "gsk").set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let mut config = simple();
    config["strategy"] = json!({ "mode": "fallback" });
    config["targets"] = json!([{ "provider": "openai" }, { "provider": "groq", "override_params": { "model": "m" } }]);
    for stream in [false, true] {
        let mut body = hello("gpt-4o-mini");
        body["stream"] = json!(stream);
        let ask = async || {
            let answer = gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(200);
            (answer.header("x-portkey-provider").unwrap().to_owned(), status(&answer).to_owned())
        };
        let reply = |text| if stream { openai::stream(&[text]) } else { openai::answer(text) };
        first.once(openai::error(500));
        second.once(reply("second"));
        let answered = |provider: &str, status: &str| (provider.to_owned(), status.to_owned());
        assert_eq!(ask().await, answered("groq", "BYPASS"));
        first.once(reply("first"));
        assert_eq!(ask().await, answered("openai", "MISS"));
        assert_eq!(ask().await, answered("openai", "HIT"));
        gateway.admin("DELETE", "/admin/cache?all=true", None).await.expect(200);
    }
}

/// F6: errors, cut, shortened and filtered answers are not kept.
#[tokio::test]
async fn f6_only_good_answers_are_kept() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    let ended = |reason: &str| {
        let mut answer = openai::completion("not all of it");
        answer["choices"][0]["finish_reason"] = json!(reason);
        Reply::json(200, &answer)
    };
    let half = Reply::events([openai::role(), openai::text("half")]);
    for (reply, expected) in [
        (openai::error(500), 500),
        (openai::error(400), 400),
        (ended("length"), 200),
        (ended("content_filter"), 200),
        (Reply::text(200, "text/plain", "?"), 502),
    ] {
        openai.once(reply);
        let answer = gateway.ask(question(&key, &hello("gpt-4o-mini"))).await.expect(expected);
        assert_eq!(status(&answer), "MISS");
    }
    let half_and = |end: &str| half.clone().then(end).then(openai::DONE);
    let error = openai::event(&json!({ "error": { "message": "overloaded", "type": "server_error" } }));
    let bad = [openai::finish("length"), openai::finish("content_filter"), error, String::new()];
    for reply in bad.iter().map(|end| half_and(end)).chain([half.clone().cut(), half.clone().reset()]) {
        openai.once(reply);
        let stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&simple())).await;
        assert_eq!(stream.header("x-portkey-cache-status"), Some("MISS"));
        stream.rest().await;
    }
    openai.once(half.stall());
    let mut left = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&simple())).await;
    left.next_text().await;
    drop(left);
    gateway.wait_until_idle().await;
    openai.once(openai::answer("good"));
    assert_eq!(status(&ask(&gateway, &key).await), "MISS");
    assert_eq!(status(&ask(&gateway, &key).await), "HIT");
}

/// F1: an answer belongs to its key, or to its team; to its namespace; and to the place that a condition leads to.
#[tokio::test]
async fn f1_answers_are_not_shared_with_others() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, first) = Gateway::before(&openai).await;
    let second = gateway.new_key(json!({})).await;
    let mut count = 0;
    let mut misses = async |request: Request| {
        count += 1;
        assert_eq!(status(&gateway.ask(request).await.expect(200)), "MISS");
        assert_eq!(openai.count(), count);
    };
    let plain = |key: &str| question(key, &hello("gpt-4o-mini"));
    misses(plain(&first)).await;
    misses(plain(&second)).await;
    let (ann, bob) = (
        gateway.new_key(json!({ "team_id": "blue" })).await,
        gateway.new_key(json!({ "team_id": "blue", "user_id": "bob" })).await,
    );
    misses(plain(&ann)).await;
    assert_eq!(status(&ask(&gateway, &bob).await), "HIT", "a team shares");
    misses(plain(&first).header("x-portkey-cache-namespace", "a")).await;
    misses(plain(&first).header("x-portkey-cache-namespace", "b")).await;
    misses(plain(&first).header("x-portkey-strict-open-ai-compliance", "true")).await;
    let config = json!({ "cache": { "mode": "simple" }, "override_params": { "temperature": 1 } });
    misses(Request::hello(&first, "gpt-4o-mini").config(&config)).await;

    let by_plan = json!({
        "cache": { "mode": "simple" },
        "strategy": { "mode": "conditional", "default": "free", "conditions": [
            { "query": { "metadata.plan": { "$eq": "paid" } }, "then": "paid" }] },
        "targets": [
            { "name": "paid", "provider": "openai", "override_params": { "model": "gpt-4o" } },
            { "name": "free", "provider": "openai", "override_params": { "model": "gpt-4o-mini" } }],
    });
    let of_plan = |plan: &str| {
        let metadata = json!({ "plan": plan }).to_string();
        Request::hello(&first, "gpt-4o-mini").config(&by_plan).header("x-portkey-metadata", &metadata)
    };
    misses(of_plan("paid")).await;
    misses(of_plan("free")).await;
    assert_eq!(status(&gateway.ask(of_plan("paid")).await.expect(200)), "HIT");
    // A key that may not use the model is refused, whatever others have asked.
    let narrow = gateway.new_key(json!({ "team_id": "blue", "allowed_models": ["other"] })).await;
    gateway.ask(plain(&narrow)).await.expect(403);
}

/// F1: another tenant, provider, model, system prompt, tool, temperature, seed, response format, endpoint or namespace is
/// another question; the same again is the same.
#[tokio::test]
async fn f1_each_difference_makes_another_question() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let ollama = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).ollama(&ollama).start().await.with_key().await;
    let tool = |name: &str| json!([{ "type": "function", "function": { "name": name, "parameters": {} } }]);
    let body = json!({ "model": "gpt-4o-mini", "input": "for embeddings", "tools": tool("f"), "temperature": 0.5,
        "seed": 7, "response_format": { "type": "text" }, "messages": [
            { "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hello!" }] });
    let name = async |request: Request| {
        let answer = gateway.ask(request.config(&simple())).await;
        let name = answer.header("x-gateway-cache-key").unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
        (status(&answer).to_owned(), name)
    };
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        *body.pointer_mut(field).unwrap() = value;
        Request::chat(&key, &body)
    };
    let same = || Request::chat(&key, &body);
    let stranger = gateway.new_key(json!({})).await;
    let mut names = HashSet::new();
    for (what, request) in [
        ("nothing", same()),
        ("tenant", Request::chat(&stranger, &body)),
        ("provider", same().header("x-portkey-provider", "ollama")),
        ("model", with("/model", json!("gpt-4o"))),
        ("system", with("/messages/0/content", json!("Be long."))),
        ("tools", with("/tools", tool("g"))),
        ("temperature", with("/temperature", json!(0.6))),
        ("seed", with("/seed", json!(8))),
        ("response_format", with("/response_format/type", json!("json_object"))),
        ("endpoint", Request::new("POST", "/v1/embeddings").key(&key).json(&body)),
        ("namespace", same().header("x-portkey-cache-namespace", "other")),
    ] {
        let (status, name) = name(request).await;
        assert_eq!(status, "MISS", "{what}");
        assert!(names.insert(name), "{what}");
    }
    assert_eq!((openai.count(), ollama.count()), (10, 1));
    let (status, name) = name(same()).await;
    assert!(status == "HIT" && names.contains(&name));
}

/// A request's headers say whether an answer may be old, is to be replaced, or is not to be kept.
#[tokio::test]
async fn headers_rule_the_cache() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let asked = async |headers: &[(&str, &str)]| {
        let request = question(&key, &hello("gpt-4o-mini"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        status(&gateway.ask(request).await.expect(200)).to_owned()
    };
    assert_eq!(asked(&[("cache-control", "no-store")]).await, "DISABLED");
    assert_eq!(asked(&[("x-portkey-debug", "false")]).await, "DISABLED");
    assert_eq!(asked(&[("x-portkey-cache-force-refresh", "true")]).await, "REFRESH");
    assert_eq!(asked(&[]).await, "HIT");
    assert_eq!(asked(&[("cache-control", "no-cache")]).await, "REFRESH");
    assert_eq!(asked(&[("cache-control", "max-age=3600")]).await, "HIT");
    let stale = async { while asked(&[("cache-control", "max-age=0")]).await != "MISS" {} };
    in_time("an answer of a second ago is too old", stale).await;
    let count = openai.count();

    let bare = |headers: &[(&str, &str)]| {
        let request = Request::hello(&key, "gpt-4o-mini");
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    assert_eq!(status(&gateway.ask(bare(&[])).await.expect(200)), "DISABLED");
    let short = [("x-portkey-cache", "simple"), ("x-portkey-cache-ttl", "1"), ("x-portkey-cache-namespace", "short")];
    assert_eq!(status(&gateway.ask(bare(&short)).await.expect(200)), "MISS");
    let expired = async {
        loop {
            match status(&gateway.ask(bare(&short)).await.expect(200)) {
                "MISS" => return,
                other => assert_eq!(other, "HIT"),
            }
        }
    };
    in_time("it expires", expired).await;
    assert_eq!(openai.count(), count + 3);
    gateway.ask(bare(&[("x-portkey-cache", "fuzzy")])).await.expect(400);
}

/// F1: a header that a target forwards is part of the question.
#[tokio::test]
async fn f1_forwarded_headers_count() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let config = json!({ "provider": "openai", "forward_headers": ["X-Context"], "cache": { "mode": "simple" } });
    let asked = async |context: &str| {
        let request = Request::hello(&key, "gpt-4o-mini").config(&config).header("x-context", context);
        status(&gateway.ask(request.header("x-other", context)).await.expect(200)).to_owned()
    };
    assert_eq!([asked("a").await, asked("b").await, asked("a").await], ["MISS", "MISS", "HIT"]);
}

/// E8: who waits for another's answer waits no longer than its own deadline allows.
#[tokio::test]
async fn e8_a_deadline_holds_while_another_is_waited_for() {
    let openai = FakeProvider::answering(Reply::silence()).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let first = question(&key, &hello("gpt-4o-mini")).send(gateway.address).await;
    openai.request(1).await;
    let begun = std::time::Instant::now();
    let hurried = question(&key, &hello("gpt-4o-mini")).header("x-portkey-request-timeout", "300");
    gateway.ask(hurried).await.expect(408);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(first);
}

/// Equal questions at once ask the provider once, whole and streamed; where that fails, each asks for itself.
#[tokio::test]
async fn equal_questions_at_once_are_asked_once() {
    let openai = FakeProvider::start().await;
    let setup = Setup::new().openai(&openai).set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let gate = Gate::new();
    openai.always(openai::answer("hello").after(&gate));
    let asked = join_all((0..20).map(|_| gateway.ask(question(&key, &hello("gpt-4o-mini")))));
    let opened = async {
        openai.request(1).await;
        gateway.wait_for_metric("llm_requests_in_flight", &[], 20.0).await;
        gate.open_for_good();
    };
    let (answers, ()) = tokio::join!(asked, opened);
    let hits = answers.iter().filter(|answer| status(answer) == "HIT").count();
    assert_eq!((hits, openai.count()), (19, 1));

    let broken = Gate::new();
    openai.always(openai::error(500).after(&broken));
    let other = |n: usize| {
        let mut body = hello("gpt-4o-mini");
        body["seed"] = json!(7);
        body["stream"] = json!(n.is_multiple_of(2));
        question(&key, &body)
    };
    let asked = join_all((0..10).map(|n| gateway.ask(other(n))));
    let opened = async {
        openai.request(2).await;
        gateway.wait_for_metric("llm_requests_in_flight", &[], 10.0).await;
        broken.open_for_good();
    };
    let (answers, ()) = tokio::join!(asked, opened);
    assert!(answers.iter().all(|answer| answer.status == 500));
    assert_eq!(openai.count(), 11, "one after the other would take too long");
}

/// F5: an answer that is too large is not kept, and said so.
#[tokio::test]
async fn f5_what_is_too_large_is_not_kept() {
    let openai = FakeProvider::answering(openai::answer(&"long ".repeat(1000))).await;
    let (gateway, key) = Setup::new().openai(&openai).set("cache.max_entry_bytes", 4000).start().await.with_key().await;
    for _ in 0..2 {
        assert_eq!(status(&ask(&gateway, &key).await), "BYPASS");
    }
    let stream = Reply::events(openai::stream_of(&["long "; 50]));
    openai.always(stream);
    for _ in 0..2 {
        let stream = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini").config(&simple())).await;
        assert_eq!(stream.header("x-portkey-cache-status"), Some("MISS"));
        assert!(stream.rest().await.is_done());
    }
    assert_eq!(openai.count(), 4);
}

/// Embeddings are given again too.
#[tokio::test]
async fn embeddings_are_given_again() {
    let gateway = Setup::new().start().await;
    let key = gateway.new_key(json!({})).await;
    let ask = async |input: &str| {
        let body = json!({ "model": "sim-embedding", "input": input });
        let request = Request::new("POST", "/v1/embeddings").key(&key).json(&body).config(&simple());
        let answer = gateway.ask(request).await.expect(200);
        (status(&answer).to_owned(), answer.json()["data"].clone())
    };
    let (missed, first) = ask("one").await;
    let (hit, again) = ask("one").await;
    assert_eq!((missed.as_str(), hit.as_str()), ("MISS", "HIT"));
    assert_eq!(first, again);
    assert_eq!(ask("two").await.0, "MISS");
}
