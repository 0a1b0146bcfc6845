//! Storms in which requests end in every way at once, with budgets: the books say what the provider really served.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use gateway_testkit::postgres::TestPostgres;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::fleet::{Fleet, LIMIT};
use crate::harness::bodies::openai;
use crate::harness::money::{COST, picos, sql};
use crate::harness::{Gateway, Reply, Request, TEST_TIMEOUT, seeds};

/// Requests of one storm.
const REQUESTS: usize = 160;

/// The gateway that is killed.
const KILLED: usize = 2;

/// What the provider does with a request, by the first word of its question.
const ENDINGS: [&str; 8] = ["whole", "stream", "refuse", "fail", "silent", "stall", "cut", "half"];

fn reply(body: &Value) -> Reply {
    let question = body["messages"][0]["content"].as_str().unwrap_or_default();
    let half = || Reply::events([openai::role(), openai::text("half "), openai::text("an answer")]);
    match question.split(' ').next().unwrap_or_default() {
        "stream" => openai::stream(&["so ", "it ", "is"]),
        "refuse" => openai::error(400),
        "fail" => openai::error(500),
        "silent" => Reply::silence(),
        "stall" => half().stall(),
        "cut" => half().cut(),
        "half" => Reply::stream("application/json").then("{").stall(),
        _ => openai::answer("hello"),
    }
}

/// One request of a storm and what its client saw.
struct StormRequest {
    ending: &'static str,
    gateway: usize,
    /// The status of the whole answer; none where the client left, or the gateway was gone.
    status: Option<u16>,
    left: bool,
}

/// A row of the usage log.
struct Row {
    status: String,
    cost: i128,
}

/// The rows of each request, by its number.
async fn rows(fleet: &Fleet) -> HashMap<usize, Vec<Row>> {
    let all: Vec<Value> = match fleet.url.starts_with("sqlite:") {
        true => sql(fleet.shared.path(), "SELECT trace_id, status, coalesce(cost, 0) AS cost FROM llm_usage_log").await,
        false => {
            let query = "SELECT coalesce(json_agg(rows), '[]') FROM (SELECT trace_id, status, \
                         (coalesce(cost, 0) * 1000000000000)::bigint AS cost FROM llm_usage_log) AS rows";
            serde_json::from_str(&block_in_place(|| TestPostgres::shared().psql(&fleet.url, query))).unwrap()
        }
    };
    let mut rows: HashMap<usize, Vec<Row>> = HashMap::new();
    for row in all {
        let number = row["trace_id"].as_str().unwrap().strip_prefix("storm-").unwrap().parse().unwrap();
        let (status, cost) = (row["status"].as_str().unwrap().to_owned(), row["cost"].as_i64().unwrap().into());
        rows.entry(number).or_default().push(Row { status, cost });
    }
    rows
}

/// How often the provider saw each request.
fn seen(fleet: &Fleet) -> HashMap<usize, usize> {
    let mut seen = HashMap::new();
    for request in fleet.openai.requests() {
        let question = request.body["messages"][0]["content"].as_str().unwrap().to_owned();
        *seen.entry(question.split(' ').nth(1).unwrap().parse().unwrap()).or_insert(0) += 1;
    }
    seen
}

async fn ask(
    number: usize,
    ending: &'static str,
    key: &str,
    at: (usize, &Gateway),
    random: (u64, Option<u64>),
) -> StormRequest {
    let ((gateway, Gateway { address, .. }), (delay, leaves)) = (at, random);
    let mut body = json!({ "model": "gpt-4o-mini", "max_tokens": 15,
                           "messages": [{ "role": "user", "content": format!("{ending} {number}") }] });
    if !["whole", "half"].contains(&ending) && (ending != "silent" || number.is_multiple_of(2)) {
        body["stream"] = json!(true);
    }
    let request = Request::chat(key, &body).header("x-portkey-trace-id", &format!("storm-{number}"));
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let patience = leaves.map_or(Duration::from_secs(60), Duration::from_millis);
    let answer = tokio::time::timeout(patience, request.try_status(*address)).await;
    StormRequest { ending, gateway, status: answer.as_ref().ok().copied().flatten(), left: answer.is_err() }
}

/// The figures of the three budgets, once nothing is under way and nothing is leased.
async fn settled(gateway: &Gateway) -> Vec<i128> {
    let budgets = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
    let budgets = budgets["data"].as_array().unwrap().clone();
    for of in &budgets {
        let sum: i128 = ["spent_usd", "leased_usd", "presumed_usd"].iter().map(|name| picos(&of[*name])).sum();
        assert!(sum <= LIMIT, "{of}");
    }
    let idle = |of: &&Value| ["leased_usd", "presumed_usd", "reserved_usd"].iter().all(|name| picos(&of[*name]) == 0);
    budgets.iter().filter(idle).map(|of| picos(&of["spent_usd"])).collect()
}

/// What a request must have in the usage log, by what its client saw of a gateway that lives.
fn check(number: usize, asked: &StormRequest, rows: &[Row], seen: usize) -> Result<(), String> {
    let told = || {
        let rows: Vec<_> = rows.iter().map(|row| format!("{} {}", row.status, row.cost)).collect();
        format!("{number} {}: status {:?}, left {}, seen {seen}: {rows:?}", asked.ending, asked.status, asked.left)
    };
    let one = |status: &str| rows.len() == 1 && rows[0].status == status;
    let is_right = match (asked.ending, asked.status, asked.left) {
        ("whole" | "stream", Some(200), _) => one("success") && rows[0].cost == COST,
        (_, Some(429), _) => rows.is_empty() && seen == 0,
        ("refuse" | "fail", ..) => rows.iter().all(|row| row.cost == 0 || asked.left),
        // What is being counted is lost with a gateway that is killed.
        ("stall" | "cut", Some(200), _) if asked.gateway != KILLED => one("error") && rows[0].cost > 0,
        // A client that left, a gateway that was killed, a provider that never answered.
        _ => rows.len() <= 1,
    };
    // A client may leave when its request is on its way to the provider, which then need not have read it.
    let is_known = rows.len() <= seen || asked.left;
    if is_right && is_known { Ok(()) } else { Err(told()) }
}

/// B1, B2, B7, C5, D7: whole answers, streams, refusals, failures, silence, stalls, cuts and clients that leave at any moment,
/// at three gateways of which one is killed in the middle: each answer that came whole is in the usage log once, at its
/// price; nothing else is that the provider did not see; budgets are spent by exactly the rows, and never exceeded; no
/// reservation, lease, slot or attempt is left.
async fn storm(postgres: bool, seed: u64) -> Sights {
    let mut random = StdRng::seed_from_u64(seed);
    let fleet = Fleet::on(postgres).await;
    fleet.openai.by_body(reply);
    let start = || {
        fleet.start_with(|setup| {
            let timeout =
                |setup: crate::harness::Setup, name| setup.set(&format!("providers.openai.timeouts.{name}"), 400);
            let setup = timeout(timeout(setup, "first_byte_ms"), "idle_ms");
            // The limit of a whole answer that is never begun.
            let setup = setup.set("providers.openai.timeouts.total_ms", 2000);
            setup.set("providers.openai.breaker.failure_threshold", 0)
        })
    };
    let mut gateways = vec![start().await];
    let limits = json!({ "monthly_limit_usd": 0.001 });
    gateways[0].admin("PUT", "/admin/user-budgets/ann", Some(limits.clone())).await.expect(200);
    gateways[0].admin("PUT", "/admin/team-budgets/red", Some(limits)).await.expect(200);
    let key = gateways[0].new_key(json!({ "budget_limit_usd": 0.001, "user_id": "ann", "team_id": "red" })).await;
    gateways.extend([start().await, start().await]);

    let mut asks = Vec::new();
    for number in 0..REQUESTS {
        let ending = ENDINGS[random.random_range(0..if number.is_multiple_of(2) { 2 } else { ENDINGS.len() })];
        let leaves = (random.random_range(0..4) == 0).then(|| random.random_range(0..250));
        let (delay, at) = (random.random_range(0..600), number % 3);
        asks.push(ask(number, ending, &key, (at, &gateways[at]), (delay, leaves)));
    }
    let kill_after = Duration::from_millis(random.random_range(50..700));
    let pid = gateways[KILLED].pid();
    let kill = async {
        tokio::time::sleep(kill_after).await;
        let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    };
    let (asked, ()) = tokio::join!(join_all(asks), kill);
    drop(gateways.pop().unwrap().kill().await);

    for gateway in &gateways {
        gateway.wait_until_idle().await;
        gateway.wait_for_metric("llm_provider_in_flight", &[("provider", "openai")], 0.0).await;
    }
    let mut trouble = String::new();
    let books = async {
        loop {
            let (spent, rows, seen) = (settled(&gateways[0]).await, rows(&fleet).await, seen(&fleet));
            let cost: i128 = rows.values().flatten().map(|row| row.cost).sum();
            let wrong = asked.iter().enumerate().filter_map(|(number, asked)| {
                let of = rows.get(&number).map_or(&[][..], Vec::as_slice);
                check(number, asked, of, seen.get(&number).copied().unwrap_or(0)).err()
            });
            let wrong: Vec<String> = wrong.collect();
            if spent == [cost; 3] && wrong.is_empty() {
                return;
            }
            trouble = format!("spent {spent:?}, rows cost {cost}, wrong: {wrong:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let right = tokio::time::timeout(TEST_TIMEOUT, books).await;
    assert!(right.is_ok(), "seed {seed}: {trouble}");
    for gateway in &gateways {
        let state = &gateway.actor("budget_ledger").await["state"];
        for name in ["open_attempts", "open_reservations", "rows_waiting", "rows_in_journal_only", "rows_lost"] {
            assert_eq!(state[name], 0, "seed {seed}: {name}: {state}");
        }
    }
    for gateway in gateways {
        drop(gateway.stop().await);
    }
    assert_eq!(
        std::fs::read_dir(fleet.shared.path().join("journal")).unwrap().count(),
        0,
        "seed {seed}: a journal is left"
    );
    Sights {
        served: asked.iter().any(|asked| asked.status == Some(200) && asked.ending == "whole"),
        left: asked.iter().any(|asked| asked.left),
        killed: asked.iter().any(|asked| asked.gateway == KILLED && asked.status.is_none()),
    }
}

/// What a storm has seen: on a slow machine, one alone may lack some of it.
#[derive(Default)]
struct Sights {
    served: bool,
    left: bool,
    killed: bool,
}

async fn storms(postgres: bool) {
    let mut all = Sights::default();
    for seed in seeds(3, 30) {
        let Sights { served, left, killed } = storm(postgres, seed).await;
        all = Sights { served: all.served | served, left: all.left | left, killed: all.killed | killed };
    }
    assert!(all.served && all.left && all.killed, "no storm");
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_b2_d7_all_endings_at_once_on_sqlite() {
    storms(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_b2_d7_all_endings_at_once_on_postgresql() {
    storms(true).await;
}
