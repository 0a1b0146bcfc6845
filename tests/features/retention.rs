//! How long rows of the usage log are kept (G7).

use gateway_testkit::postgres::TestPostgres;
use serde_json::json;
use tokio::process::Command;

use crate::harness::bodies::openai;
use crate::harness::money::{COST, bounded, picos};
use crate::harness::{FakeProvider, Gateway, Setup, eventually};

/// Makes one row two days old, and 1,024 copies of it.
fn age(days: &str, new_id: &str) -> String {
    let doubled = "INSERT INTO old SELECT * FROM old; ".repeat(10);
    format!(
        "UPDATE llm_usage_log SET timestamp = timestamp - {days} \
             WHERE id IN (SELECT id FROM llm_usage_log ORDER BY id LIMIT 1); \
         CREATE TEMPORARY TABLE old AS SELECT * FROM llm_usage_log ORDER BY timestamp LIMIT 1; {doubled} \
         UPDATE old SET id = {new_id}; INSERT INTO llm_usage_log SELECT * FROM old;"
    )
}

async fn rows(gateway: &Gateway) -> i64 {
    let report = gateway.admin("GET", "/admin/usage?group_by=provider", None).await.expect(200).json();
    report["data"].as_array().unwrap().iter().map(|row| row["requests"].as_i64().unwrap()).sum()
}

async fn until_rows(gateway: &Gateway, wanted: i64) {
    eventually(&format!("there are {wanted} rows"), async || rows(gateway).await == wanted).await;
}

async fn old_rows_go(postgres: bool) {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let url = postgres.then(|| TestPostgres::shared().database());
    let setup = |days: u32| {
        let setup = Setup::new().openai(&openai).set("budgets.usage_retention_days", days);
        match &url {
            Some(url) => setup.env("DATABASE_URL", url),
            None => setup,
        }
    };
    let gateway = setup(0).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 5, "budget_period": "total" })).await;
    for _ in 0..3 {
        gateway.ask(bounded(&key)).await.expect(200);
    }
    until_rows(&gateway, 3).await;
    match &url {
        Some(url) => drop(TestPostgres::shared().psql(url, &age("interval '2 days'", "gen_random_uuid()"))),
        None => {
            let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20).executescript(sys.argv[2])";
            let (file, sql) = (gateway.folder().join("gateway.db"), age("172800000000", "lower(hex(randomblob(16)))"));
            let aged = Command::new("python3").args(["-c", script]).arg(file).arg(sql).status().await.unwrap();
            assert!(aged.success());
        }
    }
    // Nothing goes unless it is asked for, and nothing that is young enough.
    let mut folder = gateway.stop().await;
    for (days, left) in [(0, 1_027), (3, 1_027), (1, 2)] {
        let gateway = setup(days).start_in(folder).await;
        until_rows(&gateway, left).await;
        let budgets = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
        assert_eq!(picos(&budgets["data"][0]["spent_usd"]), 3 * COST, "what is spent stays: {budgets}");
        folder = gateway.stop().await;
    }
    drop(folder);
}

/// G7: rows that were kept long enough are removed, in more than one batch; young ones and what is spent stay.
#[tokio::test]
async fn g7_old_rows_go_on_sqlite() {
    old_rows_go(false).await;
}

#[tokio::test]
async fn g7_old_rows_go_on_postgresql() {
    old_rows_go(true).await;
}
