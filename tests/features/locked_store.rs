//! SQLite whose file another process has locked, as a backup does: what does not need the store goes on at once, and
//! nothing is lost (H-5, J 13).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::process::Child;

use crate::harness::bodies::{anthropic, openai};
use crate::harness::money::{bounded, usage};
use crate::harness::{Answer, FakeProvider, Gateway, Request, Setup, eventually, in_time};

/// How long the lock is held under load.
const LOCKED: Duration = Duration::from_secs(20);

/// What counts as at once: far below any wait for the lock, and the machine may be busy.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(2);

/// A process that holds the lock of the gateway's database until it is killed.
async fn lock(gateway: &Gateway) -> Child {
    use tokio::io::AsyncReadExt;
    let script = "import sqlite3,sys,time\ndb=sqlite3.connect(sys.argv[1],isolation_level=None,timeout=30)\n\
                  db.execute('BEGIN EXCLUSIVE')\nprint('held',flush=True)\ntime.sleep(120)";
    let mut holder = tokio::process::Command::new("python3");
    holder.args(["-c", script]).arg(gateway.folder().join("gateway.db"));
    let mut holder = holder.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut word = [0; 4];
    holder.stdout.as_mut().unwrap().read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"held");
    holder
}

async fn at_once(gateway: &Gateway, what: &str, request: Request) -> Answer {
    let begun = Instant::now();
    let answer = gateway.ask(request).await;
    let time = begun.elapsed();
    assert!(time < MAX_RESPONSE_TIME, "{what} took {time:?}");
    answer
}

fn admin(path: &str) -> Request {
    Request::get(path).key(crate::harness::gateway::ADMIN_TOKEN)
}

/// H-5, J 13, E1, G5: under load, for 20 s.
#[tokio::test(flavor = "multi_thread")]
async fn h5_a_locked_file_stops_only_what_needs_it() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let anthropic = FakeProvider::answering(anthropic::error(500, "api_error")).await;
    let gateway = Setup::new().openai(&openai).anthropic(&anthropic).start().await;
    let free = gateway.new_key(json!({})).await;
    let rich = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    let unfunded = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    let mut answered = 1;
    gateway.ask(bounded(&rich)).await.expect(200);
    usage(&gateway, "key", answered).await;

    let mut holder = lock(&gateway).await;
    let (locked, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let load: Vec<_> = [&free, &rich]
        .map(|key| {
            let (address, request, stop) = (gateway.address, bounded(key), stop.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    request.send(address).await.answer().await.expect(200);
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                count
            })
        })
        .into();
    // The breaker opens at its threshold: by the share, as one key alone fails, so after the requests that a share needs.
    for _ in 0..30 {
        at_once(&gateway, "a provider that fails", Request::hello(&free, "claude-sonnet-4-5")).await;
    }
    assert_eq!(anthropic.count(), 20, "the provider is left alone");
    let scrape = gateway.scrape().await;
    assert!((scrape.sum("llm_circuit_breaker_state", &[("provider", "anthropic")]) - 2.0).abs() < 1e-9);
    let models = scrape.sum("gateway_model_circuit_breaker_state", &[("provider", "anthropic")]);
    assert!((models - 2.0).abs() < 1e-9, "{}", scrape.text);
    while locked.elapsed() < LOCKED {
        at_once(&gateway, "liveness", Request::get("/health/live")).await.expect(200);
        at_once(&gateway, "readiness", Request::get("/health/ready")).await.expect(200);
        at_once(&gateway, "the metrics", Request::get("/metrics")).await.expect(200);
        for path in ["/admin/actors", "/admin/virtual-keys", "/admin/budgets", "/admin/audit"] {
            at_once(&gateway, path, admin(path)).await.expect(200);
        }
        let refused = at_once(&gateway, "a budget without a slice", bounded(&unfunded)).await.expect(429);
        assert_eq!(refused.json()["error"]["code"], "budget_unknown");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in load {
        answered += in_time("a client ends", client).await.unwrap();
    }
    holder.kill().await.unwrap();
    eventually("the budget is leased after all", async || gateway.ask(bounded(&unfunded)).await.status == 200).await;
    gateway.wait_for_log("it is over", |line| line["message"] == "the store is available again").await;
    // It was told, and that it is over, and not again and again; a slow disk may be told too.
    for message in ["the store is unavailable", "the store is available again"] {
        let told = gateway.stdout().iter().filter(|line| line.contains(message)).count();
        assert!((1..=3).contains(&told), "{message}: {:?}", gateway.stdout());
    }
    // Each answer is there once; the failures cost nothing.
    usage(&gateway, "key", answered + 1).await;
}

/// H-5, D10: a process that is told to end while the file is locked does so within its drain time, and loses no row.
#[tokio::test(flavor = "multi_thread")]
async fn h5_a_locked_file_does_not_keep_the_process_from_ending() {
    let drain = Duration::from_secs(5);
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = || Setup::new().openai(&openai).set("server.drain_timeout_ms", drain.as_millis());
    let mut gateway = setup().start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 100 })).await;
    gateway.ask(bounded(&key)).await.expect(200);
    usage(&gateway, "key", 1).await;
    let mut holder = lock(&gateway).await;
    for _ in 0..20 {
        gateway.ask(bounded(&key)).await.expect(200);
    }
    let begun = Instant::now();
    gateway.terminate().await;
    assert!(gateway.exit().await.success());
    // The machine may be busy.
    assert!(begun.elapsed() < drain + Duration::from_secs(2), "{:?}", begun.elapsed());
    holder.kill().await.unwrap();
    let gateway = setup().start_in(gateway.into_folder()).await;
    usage(&gateway, "key", 21).await;
}

/// H-5: a file that is locked at the start is waited for, as a server that is away is (G3).
#[tokio::test(flavor = "multi_thread")]
async fn h5_a_file_that_is_locked_at_the_start_is_waited_for() {
    let gateway = Setup::new().start().await;
    let key = gateway.new_key(json!({})).await;
    let mut holder = lock(&gateway).await;
    let folder = gateway.stop().await;
    let gateway = Setup::new().start_waiting_in(folder).await;
    gateway.ask(Request::get("/health/live")).await.expect(200);
    gateway.wait_for_log("it waits", |line| line.to_string().contains("waits for it")).await;
    holder.kill().await.unwrap();
    gateway.wait_for_log("it listens", |line| line["message"] == "listening").await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
}

/// E3: the first thousand requests after the start, all at once, are answered.
#[tokio::test(flavor = "multi_thread")]
async fn e3_the_first_requests_after_the_start_are_all_answered() {
    let gateway = Setup::new().start().await;
    let free = gateway.new_key(json!({})).await;
    let folder = gateway.stop().await;
    let gateway = Setup::new().start_in(folder).await;
    let ask = async |_| gateway.ask(Request::hello(&free, "sim-text")).await.status;
    let statuses = futures_util::future::join_all((0..1_000).map(ask)).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
