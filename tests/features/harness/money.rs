//! What requests cost in front of the fake OpenAI.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Request, hello};
use super::{Gateway, in_time};

/// What one answer of the fake provider costs, in pico-dollars.
pub const COST: i128 = 10_500_000;

/// A question whose answer has at most the tokens that the fake provider counts.
pub fn bounded(key: &str) -> Request {
    let mut body = hello("gpt-4o-mini");
    body["max_tokens"] = json!(15);
    Request::chat(key, &body)
}

/// A decimal text of dollars in pico-dollars.
pub fn picos(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (dollars, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{dollars}{rest:0<12}").parse().unwrap()
}

/// The shown figures of one scope, once there are any.
async fn budget(gateway: &Gateway, scope: &str, id: &str) -> Option<Value> {
    let all = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
    all["data"].as_array().unwrap().iter().find(|of| of["scope"] == scope && of["id"] == id).cloned()
}

/// Waits until everything that was settled is in the store, and gives the figures.
pub async fn settled(gateway: &Gateway, scope: &str, id: &str, spent: i128) -> Value {
    let wait = async {
        loop {
            if let Some(of) = budget(gateway, scope, id).await
                && picos(&of["spent_usd"]) == spent
                && picos(&of["reserved_usd"]) == 0
            {
                return of;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the budget is settled", wait).await
}

/// Waits for a report of so many requests in all; the store may be away at first.
pub async fn usage(gateway: &Gateway, group: &str, requests: i64) -> Vec<Value> {
    let wait = async {
        loop {
            let path = format!("/admin/usage?group_by={group}");
            let report = gateway.admin("GET", &path, None).await;
            let rows = if report.status == 503 {
                Vec::new()
            } else {
                report.expect(200).json()["data"].as_array().unwrap().clone()
            };
            if rows.iter().map(|row| row["requests"].as_i64().unwrap()).sum::<i64>() == requests {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the usage log has all rows", wait).await
}

/// What the usage log has in the database of this gateway, in the order of the attempts.
pub async fn log_rows(gateway: &Gateway, count: i64) -> Vec<Value> {
    usage(gateway, "provider", count).await;
    sql(gateway.folder(), "SELECT * FROM llm_usage_log ORDER BY timestamp, attempt").await
}

/// Runs a statement in the database of a gateway's folder, and gives its rows.
pub async fn sql(folder: &Path, statement: &str) -> Vec<Value> {
    let script = "import sqlite3,sys,json\ndb=sqlite3.connect(sys.argv[1],isolation_level=None)\n\
                  db.row_factory=sqlite3.Row\nprint(json.dumps([dict(row) for row in db.execute(sys.argv[2])]))";
    let mut run = tokio::process::Command::new("python3");
    let run = run.args(["-c", script]).arg(folder.join("gateway.db")).arg(statement).output().await.unwrap();
    serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)))
}
