//! Fallback: from one target to the next, on whatever the config says, and never in the middle of an answer.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, ollama, openai};
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup};

struct Three {
    openai: FakeProvider,
    anthropic: FakeProvider,
    ollama: FakeProvider,
    gateway: Gateway,
    key: String,
}

/// The three providers of the quick reference's examples, answering.
async fn three() -> Three {
    let openai = FakeProvider::answering(openai::answer("from openai")).await;
    let anthropic = FakeProvider::answering(anthropic::answer("from anthropic")).await;
    let ollama = FakeProvider::answering(ollama::answer("from ollama")).await;
    let setup = Setup::new().openai(&openai).anthropic(&anthropic).ollama(&ollama);
    // So many failures in one test must not open a breaker.
    let setup = ["openai", "anthropic"].into_iter().fold(setup, |setup, name| {
        let setup = setup.set(&format!("providers.{name}.timeouts.first_byte_ms"), 300);
        let setup = setup.set(&format!("providers.{name}.timeouts.total_ms"), 1500);
        setup.set(&format!("providers.{name}.breaker.failure_threshold"), 1000)
    });
    let (gateway, key) = setup.start().await.with_key().await;
    Three { openai, anthropic, ollama, gateway, key }
}

fn chain() -> Value {
    json!({
        "strategy": "fallback",
        "targets": [
            { "provider": "openai", "model": "gpt-4o-mini" },
            { "provider": "anthropic", "model": "claude-3-sonnet" },
            { "provider": "ollama", "model": "llama3:8b" },
        ],
    })
}

/// The quick reference's Example 1, less its cache; retries are made quick.
fn example_1() -> Value {
    let mut config = chain();
    config["targets"][0]["on_errors"] = json!(["timeout", "rate_limit"]);
    config["targets"][1]["on_errors"] = json!(["timeout"]);
    config["targets"][2]["on_errors"] = json!(["*"]);
    config["retry"] = json!({ "attempts": 3, "on_status_codes": [429, 500, 502, 503], "exponential_backoff": true,
        "base_delay_ms": 1 });
    config
}

/// E2: without rules, everything that is no success leads to the next target: statuses, refused connections, silence
/// and cut answers.
#[tokio::test]
async fn e2_any_failure_falls_back_by_default() {
    let t = three().await;
    let failures = [
        ("a server error", openai::error(500)),
        ("a client error", openai::error(400)),
        ("a rate limit", openai::error(429)),
        // On a connection that was used before, it is no failure until a new one ends the same way (J 7).
        ("a hang-up", Reply::hang_up()),
        ("silence", Reply::silence()),
        ("half an answer", Reply::stream("application/json").then("{\"id\":").cut()),
        ("no JSON", Reply::text(200, "text/html", "<html>captive portal</html>")),
    ];
    for (what, reply) in failures {
        t.openai.forget();
        t.openai.once(reply.clone()).once(reply);
        let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&chain())).await;
        assert_eq!(answer.status, 200, "after {what}: {}", answer.text());
        assert_eq!(answer.content(), "from anthropic", "after {what}");
        assert_eq!(answer.header("x-portkey-provider"), Some("anthropic"));
        assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[1]"));
        assert_eq!(answer.json()["metadata"]["provider"], "anthropic");
    }
    assert_eq!(
        t.anthropic.request(1).await.body["model"].as_str().map(|m| m.starts_with("claude-3-sonnet")),
        Some(true)
    );
    assert_eq!(t.ollama.count(), 0);
}

/// A provider to which no connection can be made is left for the next.
#[tokio::test]
async fn a_refused_connection_falls_back() {
    let refusing = FakeProvider::refusing().await;
    let ollama = FakeProvider::answering(ollama::answer("from ollama")).await;
    let (gateway, key) = Setup::new().openai(&refusing).ollama(&ollama).start().await.with_key().await;
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "openai" }, { "provider": "ollama", "model": "llama3:8b" } ] });
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from ollama");
    gateway.wait_for_metric("llm_fallbacks_total", &[("provider", "openai")], 1.0).await;
}

/// Example 1: a rate limit of OpenAI is retried three times, and then reaches Anthropic.
#[tokio::test]
async fn example_1_retries_then_leaves_openai_on_a_rate_limit() {
    let t = three().await;
    t.openai.always(openai::error(429));
    let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&example_1())).await.expect(200);
    assert_eq!(answer.content(), "from anthropic");
    assert_eq!(t.openai.count(), 4, "the first attempt and three retries");
}

/// Example 1, literally: a 429 of Anthropic does not reach Ollama, as its target names timeouts alone.
#[tokio::test]
async fn example_1_a_429_from_anthropic_does_not_reach_ollama() {
    let t = three().await;
    t.openai.always(openai::error(429));
    t.anthropic.always(anthropic::error(429, "rate_limit_error"));
    let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&example_1())).await.expect(429);
    assert!(answer.json()["error"]["message"].is_string());
    assert_eq!(answer.header("x-portkey-provider"), Some("anthropic"));
    assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("-1"), "its retries are used up");
    assert_eq!(t.ollama.count(), 0);
}

/// Example 1: a timeout of Anthropic does reach Ollama, and a 400 of OpenAI reaches nobody.
#[tokio::test]
async fn example_1_a_timeout_from_anthropic_reaches_ollama() {
    let t = three().await;
    t.openai.always(openai::error(429));
    t.anthropic.always(Reply::silence());
    let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&example_1())).await.expect(200);
    assert_eq!(answer.content(), "from ollama");

    t.openai.always(openai::error(400));
    let before = t.anthropic.count();
    let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&example_1())).await.expect(400);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("the provider says 400"));
    assert_eq!(t.anthropic.count(), before);
}

/// E2: the statuses of `strategy.on_status_codes`, `on_errors` in its forms, and which of them wins.
#[tokio::test]
async fn e2_status_rules() {
    let t = three().await;
    let portkey = |codes: Value| {
        json!({ "strategy": { "mode": "fallback", "on_status_codes": codes },
        "targets": chain()["targets"] })
    };
    let with_errors = |errors: Value| {
        let mut config = portkey(json!([503]));
        config["targets"][0]["on_errors"] = errors;
        config
    };
    for (config, status, falls_back) in [
        (portkey(json!([503])), 503, true),
        (portkey(json!([503])), 500, false),
        (portkey(json!(["503"])), 503, true),
        (portkey(json!([])), 503, false),
        (with_errors(json!(["5xx"])), 500, true),
        (with_errors(json!(["429"])), 503, false),
        (with_errors(json!([429])), 429, true),
        (with_errors(json!(["rate_limit"])), 429, true),
        (with_errors(json!(["timeout"])), 408, true),
        (with_errors(json!(["timeout"])), 500, false),
        (with_errors(json!(["*"])), 422, true),
    ] {
        t.openai.once(openai::error(status));
        let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&config)).await;
        let expected = if falls_back { 200 } else { status };
        assert_eq!(answer.status, expected, "{status} with {config}: {}", answer.text());
    }
}

/// Targets may be nested, and the header tells which leaf answered.
#[tokio::test]
async fn nested_targets_tell_their_path() {
    let t = three().await;
    t.openai.always(openai::error(500));
    t.anthropic.always(anthropic::error(529, "overloaded_error"));
    let config = json!({ "strategy": { "mode": "fallback" }, "targets": [
        { "provider": "openai" },
        { "strategy": { "mode": "fallback" }, "targets": [
            { "provider": "anthropic", "override_params": { "model": "claude-3-sonnet" } },
            { "provider": "ollama", "override_params": { "model": "llama3:8b", "temperature": 0.5 } },
        ] },
    ] });
    let answer = t.gateway.ask(Request::hello(&t.key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from ollama");
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[1].targets[1]"));
    assert_eq!(t.ollama.request(1).await.body["options"]["temperature"], 0.5);
}

/// D1: a stream that fails before its first content is served by the next target, as one clean stream.
#[tokio::test]
async fn d1_a_stream_falls_back_before_its_first_content() {
    let t = three().await;
    t.anthropic.always(anthropic::stream(&["from ", "anthropic"]));
    let failures = [
        ("a status", openai::error(503)),
        ("a hang-up", Reply::hang_up()),
        ("an error as the first event", Reply::events(["data: {\"error\":{\"message\":\"no\",\"type\":\"t\"}}\n\n"])),
        ("a role, then the end", Reply::events([openai::role()])),
        ("a role, then a cut", Reply::events([openai::role()]).cut()),
        ("a role, then silence", Reply::events([openai::role()]).stall()),
        ("silence", Reply::silence()),
    ];
    for (what, reply) in failures {
        t.openai.forget();
        t.openai.once(reply.clone()).once(reply);
        let stream = t.gateway.stream(Request::streamed_hello(&t.key, "gpt-4o-mini").config(&chain())).await;
        assert_eq!(stream.status, 200, "after {what}");
        let events = stream.rest().await;
        assert_eq!(events.text(), "from anthropic", "after {what}");
        assert_eq!(events.errors(), Vec::<&Value>::new(), "after {what}");
        assert!(events.is_done(), "after {what}: {events:?}");
        let roles = events.chunks().iter().filter(|c| c["choices"][0]["delta"]["role"].is_string()).count();
        assert_eq!(roles, 1, "after {what}, only one answer is begun: {events:?}");
    }
}

/// D1 and D2: a stream that breaks after its first content ends with exactly one error event, is never continued by
/// another target, and counts as an error.
#[tokio::test]
async fn d1_d2_a_stream_that_breaks_later_ends_with_one_error() {
    let t = three().await;
    let begun = || Reply::events([openai::role(), openai::text("half an ")]);
    let in_band = "data: {\"error\":{\"message\":\"the provider gave up\",\"type\":\"server_error\"}}\n\n";
    let failures = [
        ("an error event", begun().then(in_band)),
        ("the end of the body", begun()),
        ("a cut connection", begun().cut()),
        ("nonsense", begun().then("data: {nonsense\n\n")),
    ];
    for (n, (what, reply)) in failures.into_iter().enumerate() {
        t.openai.once(reply);
        let trace = format!("d2-{n}");
        let request = Request::streamed_hello(&t.key, "gpt-4o-mini").config(&chain());
        let events = t.gateway.stream(request.header("x-portkey-trace-id", &trace)).await.rest().await;
        assert_eq!(events.text(), "half an ", "after {what}");
        let errors = events.errors();
        assert_eq!(errors.len(), 1, "after {what}: {events:?}");
        assert!(errors[0]["message"].as_str().is_some_and(|text| !text.is_empty()), "after {what}: {events:?}");
        assert!(errors[0]["type"].is_string(), "after {what}");
        let line = t.gateway.request_log(&trace).await;
        assert_eq!(line["level"], "error", "after {what}: {line}");
        assert!(line["error"].is_string(), "after {what}: {line}");
    }
    assert_eq!(t.anthropic.count(), 0, "no second answer was asked for");
    let errors = [("provider", "openai"), ("model", "gpt-4o-mini"), ("status", "error")];
    t.gateway.wait_for_metric("llm_requests_total", &errors, 4.0).await;
    let window = &t.gateway.actor("provider:openai").await["state"]["window"];
    assert_eq!(window["failures"], 4, "the breaker counts them: {window}");
}

/// The client sees nothing of a target that has not begun, however long it takes.
#[tokio::test]
async fn the_head_of_a_stream_waits_for_its_first_content() {
    let t = three().await;
    let gate = Gate::new();
    let reply = Reply::events([openai::role()]).wait(&gate).then(&openai::text("now")).then(&openai::finish("stop"));
    t.openai.once(reply.then(openai::DONE));
    let pending = Request::streamed_hello(&t.key, "gpt-4o-mini").config(&chain()).send(t.gateway.address).await;
    t.openai.request(1).await;
    gate.open();
    let stream = pending.stream().await;
    assert_eq!(stream.header("x-portkey-provider"), Some("openai"));
    assert_eq!(stream.rest().await.text(), "now");
}

/// E2: a provider without a credential is as if it were not in the list: no retry, no rule, the next target at once.
#[tokio::test]
async fn e2_a_provider_without_a_credential_is_passed_over_at_once() {
    let ollama = FakeProvider::answering(ollama::answer("from ollama")).await;
    let (gateway, key) = Setup::new().ollama(&ollama).start().await.with_key().await;
    let config = json!({ "strategy": "fallback", "targets": [
        { "provider": "anthropic", "model": "claude-3-sonnet", "on_errors": ["timeout"],
            "retry": { "attempts": 2, "exponential_backoff": false, "base_delay_ms": 2000 } },
        { "provider": "ollama", "model": "llama3:8b" } ] });
    let begun = std::time::Instant::now();
    let answer = gateway.ask(Request::hello(&key, "gpt-4o-mini").config(&config)).await.expect(200);
    assert_eq!(answer.content(), "from ollama");
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "after {:?}", begun.elapsed());
    assert!(!gateway.scrape().await.has("llm_retries_total", &[("provider", "anthropic")]), "nothing was retried");
}
