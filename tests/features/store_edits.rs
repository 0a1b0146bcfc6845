//! What operators write into the store by SQL: when it is in force, and what a row does that makes no sense.

use gateway_testkit::postgres::TestPostgres;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::block_in_place;

use crate::harness::bodies::openai;
use crate::harness::money::bounded;
use crate::harness::{FakeProvider, Gateway, Request, Setup, eventually, in_time};

/// A store that operators write into.
struct Written {
    url: Option<String>,
}

impl Written {
    fn on(postgres: bool) -> Self {
        Self { url: postgres.then(|| block_in_place(|| TestPostgres::shared().database())) }
    }

    fn setup(&self, openai: &FakeProvider) -> Setup {
        let setup = Setup::new().openai(openai).set("budgets.refresh_ms", 200);
        match &self.url {
            Some(url) => setup.env("DATABASE_URL", url),
            None => setup,
        }
    }

    async fn sql(&self, gateway: &Gateway, sql: &str) {
        if let Some(url) = &self.url {
            return block_in_place(|| drop(TestPostgres::shared().psql(url, sql)));
        }
        let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20).executescript(sys.argv[2])";
        let file = gateway.folder().join("gateway.db");
        let written = Command::new("python3").args(["-c", script]).arg(file).arg(sql).status().await.unwrap();
        assert!(written.success(), "{sql}");
    }

    /// Lets bad rows in, as those are that were there before the checks.
    async fn drop_checks(&self, gateway: &Gateway) {
        if self.url.is_some() {
            self.sql(gateway, "ALTER TABLE pricing_config DISABLE TRIGGER pricing_config_checked").await;
            self.sql(gateway, "ALTER TABLE virtual_keys DISABLE TRIGGER virtual_keys_checked").await;
        } else {
            self.sql(
                gateway,
                "DROP TRIGGER IF EXISTS pricing_config_check_insert; DROP TRIGGER IF EXISTS virtual_keys_check_update",
            )
            .await;
        }
    }
}

async fn degraded(gateway: &Gateway) -> Vec<String> {
    let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
    ready["degraded"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

async fn until_degraded(gateway: &Gateway, count: usize) -> Vec<String> {
    in_time(&format!("{count} things are degraded"), async {
        loop {
            let degraded = degraded(gateway).await;
            if degraded.len() == count {
                return degraded;
            }
        }
    })
    .await
}

/// H-3: bad rows stop neither a start nor an edit nor what is done now and then; they allow nothing, and are named.
async fn bad_rows_stop_nothing(postgres: bool) {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let store = Written::on(postgres);
    let gateway = store.setup(&openai).start().await;
    let good = gateway.new_key(json!({ "budget_limit_usd": 5 })).await;
    let bad = gateway.make_key(json!({})).await;
    store.drop_checks(&gateway).await;
    let (id, text) = (bad["id"].as_str().unwrap(), bad["virtual_key"].as_str().unwrap());
    store.sql(&gateway, &format!("UPDATE virtual_keys SET allowed_models = 'gpt-4*' WHERE id = '{id}'")).await;
    let price = "INSERT INTO pricing_config (provider, model, input, output, service_tier) VALUES";
    store.sql(&gateway, &format!("{price} ('openai', 'gpt-4o', 1000, 1000, 'standard')")).await;
    let check = async |gateway: &Gateway| {
        let named = until_degraded(gateway, 2).await;
        assert!(named[0].contains("pricing_config openai/gpt-4o") && named[0].contains("service_tier"), "{named:?}");
        assert!(named[1].contains(id) && named[1].contains("allowed_models"), "{named:?}");
        let listed = gateway.admin("GET", "/admin/bad-rows", None).await.expect(200).json();
        assert_eq!(
            listed["data"][1],
            json!({ "table": "virtual_keys", "id": id,
            "problem": "column allowed_models cannot be read", "consequence": "the key does not work" })
        );
        gateway.wait_for_metric("gateway_bad_rows", &[("table", "virtual_keys")], 1.0).await;
        gateway.wait_for_metric("gateway_bad_rows", &[("table", "user_budgets")], 0.0).await;
        gateway.ask(Request::hello(text, "gpt-4o-mini")).await.expect(401);
        gateway.ask(bounded(&good)).await.expect(200);
        let unpriced = gateway.ask(Request::hello(&good, "gpt-4o")).await.expect(400).json();
        assert!(unpriced["error"]["message"].as_str().unwrap().contains("price"), "{unpriced}");
        gateway.admin("PUT", "/admin/user-budgets/ann", Some(json!({ "monthly_limit_usd": 7 }))).await.expect(200);
        let price = json!({ "provider": "openai", "model": "new", "input": "1", "output": "1", "source": "test" });
        gateway.admin("PUT", "/admin/pricing", Some(price)).await.expect(200);
    };
    check(&gateway).await;
    let told = |gateway: &Gateway| gateway.stdout().iter().filter(|line| line.contains("bad row")).count();
    // The log is written behind.
    eventually("each is told", async || told(&gateway) >= 2).await;
    assert_eq!(told(&gateway), 2, "each is told once");
    let folder = gateway.stop().await;
    let gateway = store.setup(&openai).start_in(folder).await;
    check(&gateway).await;
    eventually("each is told again", async || told(&gateway) >= 2).await;
    assert_eq!(told(&gateway), 2);

    store.sql(&gateway, &format!("UPDATE virtual_keys SET allowed_models = NULL WHERE id = '{id}'")).await;
    store.sql(&gateway, "DELETE FROM pricing_config WHERE service_tier = 'standard'").await;
    assert_eq!(until_degraded(&gateway, 0).await, [""; 0]);
    gateway.ask(Request::hello(text, "gpt-4o-mini")).await.expect(200);
    gateway.ask(Request::hello(&good, "gpt-4o")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn h_3_bad_rows_stop_nothing_on_sqlite() {
    bad_rows_stop_nothing(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_3_bad_rows_stop_nothing_on_postgresql() {
    bad_rows_stop_nothing(true).await;
}

/// H-4, G10: keys that an incident's script revokes in one long transaction, and a price that it changes, are seen once it
/// commits, though later changes were seen before.
#[tokio::test(flavor = "multi_thread")]
async fn h_4_a_long_transaction_is_in_force_once_it_commits() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let store = Written::on(true);
    let gateway = store.setup(&openai).start().await;
    let made = gateway.make_key(json!({})).await;
    let (id, revoked) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
    let (client, connection) =
        tokio_postgres::connect(store.url.as_ref().unwrap(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN").await.unwrap();
    let incident = format!(
        "UPDATE virtual_keys SET is_active = false WHERE id = '{id}'; \
         UPDATE pricing_config SET input = 99 WHERE model = 'gpt-4o-mini'"
    );
    client.batch_execute(&incident).await.unwrap();
    for _ in 0..3 {
        // Each is seen only after a look at what changed.
        let other = gateway.make_key(json!({})).await;
        let sql = format!("UPDATE virtual_keys SET is_active = false WHERE id = '{}'", other["id"].as_str().unwrap());
        store.sql(&gateway, &sql).await;
        until_status(&gateway, other["virtual_key"].as_str().unwrap(), 401).await;
    }
    gateway.ask(Request::hello(revoked, "gpt-4o-mini")).await.expect(200);
    client.batch_execute("COMMIT").await.unwrap();
    until_status(&gateway, revoked, 401).await;
    in_time("the price is in force", async { while price(&gateway).await != "99" {} }).await;
}

async fn price(gateway: &Gateway) -> Value {
    let prices =
        gateway.admin("GET", "/admin/pricing?provider=openai&model=gpt-4o-mini", None).await.expect(200).json();
    prices["data"][0]["input"].clone()
}

async fn until_status(gateway: &Gateway, key: &str, status: u16) {
    in_time(&format!("the key is answered {status}"), async {
        while gateway.ask(Request::hello(key, "gpt-4o-mini")).await.status != status {}
    })
    .await;
}

/// A05, J 26: no admin route takes a control character, or more than fits, in an id or a name; and a value that the store
/// refuses is no outage of it.
async fn texts_are_checked_at_every_door(postgres: bool) {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let store = Written::on(postgres);
    let gateway = store.setup(&openai).start().await;
    let long = "a".repeat(201);
    let price = |field: &str, text: &str| {
        let mut price = json!({ "provider": "openai", "model": "m", "input": "1", "output": "1", "source": "test" });
        price[field] = json!(text);
        price
    };
    for (escaped, plain) in [("a%00b", "a\0b"), ("a%0Ab", "a\nb"), ("a%7F", "a\u{7f}"), (long.as_str(), long.as_str())]
    {
        for (route, body) in [("budgets", json!({ "monthly_limit_usd": 1 })), ("limits", json!({ "max_parallel": 1 }))]
        {
            for (who, field) in [("user", "user_id"), ("team", "team_id")] {
                let path = format!("/admin/{who}-{route}/{escaped}");
                let refused = gateway.admin("PUT", &path, Some(body.clone())).await.expect(400).json();
                assert_eq!(refused["error"]["param"], field, "{refused}");
            }
        }
        for field in ["provider", "model"] {
            gateway.admin("PUT", "/admin/pricing", Some(price(field, plain))).await.expect(400);
        }
        for field in ["name", "user_id", "team_id"] {
            let mut key = json!({ "name": "x" });
            key[field] = json!(plain);
            gateway.admin("POST", "/admin/virtual-keys", Some(key)).await.expect(400);
        }
    }
    gateway.admin("PUT", "/admin/pricing", Some(price("source", "a\0b"))).await.expect(400);
    gateway.admin("DELETE", "/admin/cache?namespace=a%00b", None).await.expect(400);
    let unknown = gateway.admin("PUT", "/admin/pricing", Some(price("provider", "opnai"))).await.expect(400).json();
    assert_eq!(unknown["error"]["param"], "provider", "F09: a price that could never apply");
    assert_eq!(degraded(&gateway).await, [""; 0]);
    gateway
        .admin("PUT", "/admin/user-budgets/%E1%BA%A1nh", Some(json!({ "monthly_limit_usd": 1e-5 })))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_texts_are_checked_at_every_door_on_sqlite() {
    texts_are_checked_at_every_door(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_texts_are_checked_at_every_door_on_postgresql() {
    texts_are_checked_at_every_door(true).await;
}
