//! Alerts of budgets, posted to the operator's webhook (B8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use gateway_testkit::postgres::TestPostgres;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::money::bounded;
use crate::harness::{FakeProvider, Gateway, Reply, Setup, eventually, in_time};

fn taken() -> Reply {
    Reply::text(204, "text/plain", "")
}

fn failing() -> Reply {
    Reply::text(500, "text/plain", "down")
}

fn setup(openai: &FakeProvider, receiver: &FakeProvider) -> Setup {
    let setup = Setup::new().openai(openai).set("alerts.webhook_url", format!("{}/hook?a=b", receiver.origin()));
    setup.env("GATEWAY_ALERT_WEBHOOK_TOKEN", "token-of-the-webhook")
}

/// Spends a whole budget of $0.0005, and gives the key.
async fn spend(gateway: &Gateway) -> Value {
    let key = gateway.make_key(json!({ "budget_limit_usd": 0.0005, "budget_period": "total" })).await;
    let text = key["virtual_key"].as_str().unwrap();
    while gateway.ask(bounded(text)).await.status == 200 {}
    key
}

async fn webhooks(gateway: &Gateway, result: &str, count: f64) {
    gateway.wait_for_metric("gateway_alert_webhooks_total", &[("result", result)], count).await;
}

/// B8: a receiver that fails twice gets the same event a third time, and then no more.
#[tokio::test]
async fn b8_an_alert_is_posted_until_it_is_taken() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(taken()).await;
    receiver.once(failing()).once(failing());
    let gateway = setup(&openai, &receiver).start().await;
    let key = spend(&gateway).await;
    let last = receiver.request(3).await;
    webhooks(&gateway, "delivered", 1.0).await;
    webhooks(&gateway, "failed", 2.0).await;

    let event = &last.body;
    let expected = json!({ "event": "budget_threshold", "scope": "key", "scope_id": key["id"], "period": "total",
        "percent": 80, "limit_usd": "0.0005" });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&event[field], value, "{field} of {event}");
    }
    let spent: f64 = event["spent_usd"].as_str().unwrap().parse().unwrap();
    assert!((0.0004..=0.0005).contains(&spent), "{event}");
    assert!(chrono::DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap()).is_ok(), "{event}");
    let all = receiver.requests();
    assert_eq!(all.len(), 3);
    for seen in &all {
        assert_eq!((seen.path.as_str(), &seen.body), ("/hook?a=b", event));
        assert_eq!(seen.header("idempotency-key"), event["id"].as_str());
        assert_eq!(seen.header("authorization"), Some("Bearer token-of-the-webhook"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
    let waits: Vec<_> = all.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(waits[0] >= Duration::from_millis(900) && waits[1] >= Duration::from_millis(1_900), "{waits:?}");
}

/// B8: what a killed process had not delivered is delivered by the next one, as the same event.
#[tokio::test]
async fn b8_an_alert_outlives_its_process() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(failing()).await;
    let gateway = setup(&openai, &receiver).start().await;
    spend(&gateway).await;
    webhooks(&gateway, "failed", 1.0).await;
    let folder = gateway.kill().await;
    receiver.always(taken());
    let gateway = setup(&openai, &receiver).start_in(folder).await;
    webhooks(&gateway, "delivered", 1.0).await;
    let ids: BTreeSet<String> = receiver.requests().iter().map(|seen| seen.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

/// B8: a receiver that refuses is not asked again: the log tells what it did not take, once.
#[tokio::test]
async fn b8_an_alert_that_is_refused_is_given_up() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(Reply::text(410, "text/plain", "gone")).await;
    let gateway = setup(&openai, &receiver).start().await;
    let key = spend(&gateway).await;
    webhooks(&gateway, "given_up", 1.0).await;
    let told = gateway.wait_for_log("the alert is given up", |line| line["reason"] == "client_error").await;
    let event: Value = serde_json::from_str(told["event"].as_str().unwrap()).unwrap();
    assert_eq!((&told["level"], &event["scope_id"]), (&json!("error"), &key["id"]));
    assert_eq!(receiver.count(), 1);
    for secret in ["hook?a=b", "token-of-the-webhook"] {
        assert!(!gateway.stdout().concat().contains(secret), "{secret}");
    }
}

/// B8: while the receiver does not answer, rows still reach the store.
#[tokio::test]
async fn b8_a_silent_receiver_holds_nothing_up() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(Reply::silence()).await;
    let gateway = setup(&openai, &receiver).start().await;
    spend(&gateway).await;
    receiver.request(1).await;
    let free = gateway.make_key(json!({})).await;
    gateway.ask(bounded(free["virtual_key"].as_str().unwrap())).await.expect(200);
    eventually("the row is in the store", async || {
        let report = gateway.admin("GET", "/admin/usage?group_by=key", None).await.expect(200).json();
        report["data"].as_array().unwrap().iter().any(|row| row["group"] == free["id"])
    })
    .await;
    assert_eq!(receiver.count(), 1, "and the receiver was still being waited for");
    // The end of the process does not wait for it either.
    gateway.stop().await;
}

/// B8: two gateways under load, a receiver that fails now and then: one event for each scope and period.
#[tokio::test]
async fn b8_two_gateways_under_load_send_one_event_for_each_scope() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let receiver = FakeProvider::answering(taken()).await;
    receiver.once(failing()).once(taken()).once(failing());
    let url = TestPostgres::shared().database();
    let start = || {
        let setup = setup(&openai, &receiver).set("budgets.refresh_ms", 200).set("budgets.lease_idle_ms", 300);
        setup.env("DATABASE_URL", &url).env("GATEWAY_MASTER_KEY", &"07".repeat(32)).start()
    };
    let (one, other) = (start().await, start().await);
    for path in ["/admin/user-budgets/ann", "/admin/team-budgets/blue"] {
        one.admin("PUT", path, Some(json!({ "monthly_limit_usd": 0.001 }))).await.expect(200);
    }
    let key = one.new_key(json!({ "budget_limit_usd": 0.001, "user_id": "ann", "team_id": "blue" })).await;
    eventually("the other gateway knows the key", async || other.ask(bounded(&key)).await.status != 401).await;
    let told = async |gateway: &Gateway| gateway.scrape().await.sum("budget_alerts_total", &[]);
    let crossed = async {
        while told(&one).await + told(&other).await < 3.0 {
            join_all((0..50).map(|n| [&one, &other][n % 2].ask(bounded(&key)))).await;
        }
    };
    in_time("every scope has crossed its threshold", crossed).await;
    let delivered = async |gateway: &Gateway| {
        gateway.scrape().await.sum("gateway_alert_webhooks_total", &[("result", "delivered")])
    };
    eventually("every event is delivered", async || delivered(&one).await + delivered(&other).await >= 3.0).await;
    assert_eq!(told(&one).await + told(&other).await, 3.0);

    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in receiver.requests() {
        let event = seen.body;
        ids.entry(event["scope"].to_string()).or_default().insert(event["id"].to_string());
    }
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    assert_eq!(receiver.count(), 5, "three events, two of them twice");
}
