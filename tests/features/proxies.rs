//! K22: the way out of a company's network.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::connect_proxy::{ConnectProxy, Manner};
use crate::harness::money::bounded;
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup};

/// `user:canary` as a proxy wants to see it.
const BASIC: &str = "Basic dXNlcjpjYW5hcnk=";

/// The gateway before a provider that is reached by way of a proxy of its own.
async fn by_way_of(proxy: &ConnectProxy, user: &str, openai: &FakeProvider) -> (Gateway, String) {
    let setup = Setup::new().openai(openai).set("providers.openai.proxy", format!("http://{user}{}", proxy.place()));
    setup.set("server.workers", 1).set("providers.openai.timeouts.connect_ms", 1_000).start().await.with_key().await
}

/// K22, N01: a provider's own proxy leads to it, with its credential, which nobody is shown.
#[tokio::test]
async fn k22_a_provider_is_reached_by_its_own_proxy() {
    let openai = FakeProvider::answering(openai::answer("there")).await;
    let proxy = ConnectProxy::start(Manner::WantsAuthorization(BASIC.to_owned())).await;
    let (gateway, key) = by_way_of(&proxy, "user:canary@", &openai).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(Request::hello(&key, "gpt-4o-mini")).await.expect(200).content(), "there");
    }
    let place = openai.origin().split_off("http://".len());
    assert_eq!(proxy.asked(), [place], "one connection serves all requests");
    let told = gateway.wait_for_log("which proxy is used", |line| line["proxy"].is_string()).await;
    assert_eq!((&told["providers"], &told["proxy"]), (&json!("openai"), &json!(format!("http://{}", proxy.place()))));
    let config = gateway.admin("GET", "/admin/config", None).await.expect(200).text();
    for text in [config, gateway.stdout().concat(), gateway.stderr().concat()] {
        assert!(!text.contains("canary"), "{text}");
    }
}

/// N01: the variables that every program heeds are heeded here, as is what they except.
#[tokio::test]
async fn n01_the_environments_proxies_are_heeded() {
    let openai = FakeProvider::answering(openai::answer("there")).await;
    let proxy = ConnectProxy::start(Manner::Leads).await;
    let behind = |setup: Setup, name: &str, host: &str| {
        let origin = openai.origin().replace("127.0.0.1", host);
        setup.toml(&format!("[providers.{name}]\ndialect = 'openai'\nbase_url = '{origin}/v1'"))
    };
    // A name that no resolver is asked for.
    let near = "x".repeat(64) + ".near.test";
    let setup = behind(behind(Setup::new(), "far", "far.test"), "near", &near).env("HTTP_PROXY", &proxy.place());
    let (gateway, key) = setup.env("no_proxy", ".near.test,near.test").start().await.with_key().await;
    assert_eq!(gateway.ask(Request::hello(&key, "far/m")).await.expect(200).content(), "there");
    assert!(proxy.asked()[0].starts_with("far.test:"), "{:?}", proxy.asked());
    let answer = gateway.ask(Request::hello(&key, "near/m")).await.expect(503).json();
    assert_eq!(answer["error"]["code"], "provider_unreachable", "there is no such name: {answer}");
    assert_eq!(proxy.asked().len(), 1);
}

/// K22: what a proxy says, and that it says nothing, is told by name to client, log and metric.
#[tokio::test]
async fn k22_a_proxy_that_does_not_lead_there_is_told_by_name() {
    let openai = FakeProvider::answering(openai::answer("there")).await;
    for (manner, code, status) in [
        (Manner::Answers(403), "proxy_refused", 503),
        (Manner::Answers(502), "proxy_refused", 503),
        (Manner::WantsAuthorization(BASIC.to_owned()), "proxy_auth", 503),
        (Manner::Hangs, "proxy_unreachable", 503),
    ] {
        let proxy = ConnectProxy::start(manner).await;
        let (gateway, key) = by_way_of(&proxy, "user:wrong@", &openai).await;
        let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "k22");
        let answer = gateway.ask(request).await.expect(status).json();
        assert_eq!(answer["error"]["code"], code, "{answer}");
        let line = gateway.request_log("k22").await;
        assert_eq!((&line["error"], &line["cause"]), (&json!(code), &json!(code)));
        gateway.wait_for_metric("llm_upstream_attempts_total", &[("outcome", code)], 1.0).await;
        assert_eq!(gateway.actor("provider:openai").await["state"]["last_failure"], code);
    }
    assert_eq!(openai.count(), 0);
}

/// K22: a way that is cut in the middle is a cut answer, and a client that leaves is noticed through the proxy (D6).
#[tokio::test]
async fn k22_what_happens_on_the_way_through_a_proxy_is_seen() {
    let openai = FakeProvider::answering(Reply::events([openai::role(), openai::text("one ")]).stall()).await;
    let proxy = ConnectProxy::start(Manner::Cuts).await;
    let (gateway, key) = by_way_of(&proxy, "", &openai).await;
    let events = gateway.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await.rest().await;
    assert_eq!(events.errors().len(), 1, "{events:?}");

    let proxy = ConnectProxy::start(Manner::Leads).await;
    let (gateway, key) = by_way_of(&proxy, "", &openai).await;
    crate::cancel::a_left_stream_is_cancelled("through a proxy", &gateway, &key, &openai).await;
}

/// K22: alerts are posted by the same way.
#[tokio::test]
async fn k22_the_webhook_is_reached_through_the_proxy() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(Reply::text(204, "text/plain", "")).await;
    let proxy = ConnectProxy::start(Manner::Leads).await;
    let hook = receiver.origin().replace("127.0.0.1", "hook.test");
    let setup = Setup::new().openai(&openai).set("alerts.webhook_url", format!("{hook}/hook?a=b"));
    let gateway = setup.env("http_proxy", &proxy.place()).env("NO_PROXY", "127.0.0.1").start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 0.0005, "budget_period": "total" })).await;
    while gateway.ask(bounded(&key)).await.status == 200 {}
    assert_eq!(receiver.request(1).await.path, "/hook?a=b");
    assert!(proxy.asked()[0].starts_with("hook.test:"), "{:?}", proxy.asked());
}
