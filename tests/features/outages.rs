//! When a store is away: what README's table of that name says, proven with whole gateways on a real server that is
//! stopped, hangs, or is slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, block_in_place};

use crate::harness::bodies::openai;
use crate::harness::money::{COST, bounded};
use crate::harness::slow_proxy::SlowProxy;
use crate::harness::temp_dir::TempDir;
use crate::harness::{Answer, FakeProvider, Gateway, Request, Setup, eventually, in_time};

/// The budget of a key that is poor, in pico-dollars: it pays for 95 answers.
const LIMIT: i128 = 1_000_000_000;

/// How a store is away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Killed,
    Hung,
    Slow,
}

/// A PostgreSQL that can be troubled, and a database on it; together with a Redis where both are to be away.
struct Troubled {
    server: TestPostgres,
    redis: Option<TestRedis>,
    proxy: SlowProxy,
    /// The address that the gateway is given.
    url: String,
    /// The straight one.
    direct: String,
}

impl Troubled {
    async fn start() -> Self {
        let server = block_in_place(TestPostgres::start);
        let direct = block_in_place(|| server.database());
        let (proxy, url) = SlowProxy::before(&direct).await;
        Self { server, redis: None, proxy, url, direct }
    }

    async fn both() -> Self {
        Self { redis: Some(block_in_place(TestRedis::start)), ..Self::start().await }
    }

    fn begin(&self, trouble: Trouble) {
        block_in_place(|| match (trouble, &self.redis) {
            (Trouble::Killed, Some(redis)) => redis.stop(),
            (Trouble::Hung, Some(redis)) => redis.freeze(),
            _ => {}
        });
        block_in_place(|| match trouble {
            Trouble::Killed => self.server.stop(),
            Trouble::Hung => self.server.freeze(),
            Trouble::Slow => self.proxy.slow_down(Duration::from_millis(100)),
        });
    }

    fn end(&self, trouble: Trouble) {
        block_in_place(|| match (trouble, &self.redis) {
            (Trouble::Killed, Some(redis)) => redis.start_again(),
            (Trouble::Hung, Some(redis)) => redis.thaw(),
            _ => {}
        });
        block_in_place(|| match trouble {
            Trouble::Killed => self.server.start_again(),
            Trouble::Hung => self.server.thaw(),
            Trouble::Slow => self.proxy.slow_down(Duration::ZERO),
        });
    }

    fn psql(&self, sql: &str) -> String {
        block_in_place(|| self.server.psql(&self.direct, sql))
    }

    fn number(&self, sql: &str) -> i64 {
        self.psql(sql).parse().unwrap()
    }

    async fn wait_for_number(&self, what: &str, sql: &str, number: i64) {
        eventually(&format!("{what}: {number}, not {}", self.number(sql)), async || self.number(sql) == number).await;
    }

    fn setup(&self) -> Setup {
        let setup = Setup::new().env("DATABASE_URL", &self.url);
        match &self.redis {
            Some(redis) => setup.env("REDIS_URL", &redis.url()),
            None => setup,
        }
    }
}

fn logged(gateway: &Gateway, text: &str) -> usize {
    gateway.stdout().iter().filter(|line| line.contains(text)).count()
}

fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "store_unavailable", "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// G3, G5: without its database the gateway listens, is alive and not ready, lets nobody in, and starts by itself as
/// soon as the database is there.
async fn starts_as_soon_as_it_can(postgres: Troubled, trouble: Trouble) {
    postgres.begin(trouble);
    let gateway = postgres.setup().start_waiting().await;
    gateway.ask(Request::get("/health/live")).await.expect(200);
    gateway.ask(Request::get("/health")).await.expect(200);
    let ready = gateway.ask(Request::get("/health/ready")).await.expect(503).json();
    assert_eq!(ready, json!({ "status": "starting", "waiting_for": ["store"] }));
    is_unavailable(&gateway.ask(Request::hello("vk-somebody", "sim-text")).await);
    is_unavailable(&gateway.ask(Request::get("/v1/models")).await);
    is_unavailable(&gateway.admin("GET", "/admin/virtual-keys", None).await);
    if trouble != Trouble::Slow {
        gateway.wait_for_log("it waits", |line| line.to_string().contains("waits for it")).await;
        postgres.end(trouble);
    }
    gateway.wait_for_log("it listens", |line| line["message"] == "listening").await;
    let key = gateway.new_key(json!({})).await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    gateway.ask(Request::get("/health/ready")).await.expect(200);
    assert_eq!(logged(&gateway, "waits for it"), usize::from(trouble != Trouble::Slow), "{:?}", gateway.stdout());
    assert!(!gateway.stdout().join("").contains("canary"), "H1");
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_g5_postgresql_that_is_away_at_the_start_is_waited_for() {
    starts_as_soon_as_it_can(Troubled::start().await, Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_g5_postgresql_that_hangs_at_the_start_is_waited_for() {
    starts_as_soon_as_it_can(Troubled::start().await, Trouble::Hung).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_g5_postgresql_that_is_slow_at_the_start_is_waited_for() {
    starts_as_soon_as_it_can(Troubled::start().await, Trouble::Slow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_g5_both_stores_that_are_away_at_the_start_are_waited_for() {
    starts_as_soon_as_it_can(Troubled::both().await, Trouble::Killed).await;
}

/// SIGTERM ends a gateway that waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_waits_ends_when_it_is_told() {
    let postgres = Troubled::start().await;
    postgres.begin(Trouble::Killed);
    let mut gateway = postgres.setup().start_waiting().await;
    gateway.terminate().await;
    assert_eq!(gateway.exit().await.code(), Some(0));
}

/// Ends by itself, not with 0, and soon; gives what it told.
async fn ends_at_once(setup: Setup, folder: &TempDir) -> String {
    let begun = Instant::now();
    let output = in_time("the start ends", setup.command(folder.path()).output()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{output:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {told}", begun.elapsed());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("canary") && !told.contains("canary"), "H1: {output:?}");
    told
}

/// G3: a mistake is no outage: the start ends at once and tells it. Nor is an outage one that the operator does not want
/// to wait for.
#[tokio::test(flavor = "multi_thread")]
async fn g3_a_mistake_ends_the_start_at_once() {
    let postgres = Troubled::start().await;
    postgres.psql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    let setup = |url: &str| Setup::new().env("DATABASE_URL", url);
    for (from, to, reason) in [
        ("gateway:", "locked:", "password authentication failed"),
        ("gateway:", "nobody:", "does not exist"),
        ("/test0", "/other", "database \"other\" does not exist"),
        ("127.0.0.1:", "127.0.0.1:x", "port"),
    ] {
        let url = postgres.direct.replace(from, to);
        assert_ne!(url, postgres.direct);
        let told = ends_at_once(setup(&url), &TempDir::new()).await;
        assert!(told.contains(reason), "{to}: {told}");
    }

    postgres.psql("CREATE SCHEMA taken; CREATE TABLE virtual_keys (id int)");
    let told = ends_at_once(postgres.setup(), &TempDir::new()).await;
    assert!(told.contains("schema"), "{told}");
    postgres.psql("DROP TABLE virtual_keys");

    let master = |byte: &str| postgres.setup().env("GATEWAY_MASTER_KEY", &byte.repeat(32));
    let gateway = master("07").start().await;
    gateway.new_key(json!({ "provider": "openai", "real_api_key": "sk-canary" })).await;
    let folder = gateway.stop().await;
    let told = ends_at_once(master("08"), &folder).await;
    assert!(told.contains("virtual key"), "{told}");

    postgres.begin(Trouble::Killed);
    let told = ends_at_once(master("07").set("store.wait_for_store", false), &folder).await;
    assert!(told.contains("PostgreSQL is unavailable"), "{told}");
}

/// One request and what became of it.
struct Observed {
    status: u16,
    code: Value,
    time: Duration,
}

/// Clients that ask again and again until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Observed>>>,
}

impl Load {
    fn begin(address: SocketAddr, key: &str, clients: usize) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = || {
            let (stop, asked, request) = (stop.clone(), asked.clone(), bounded(key));
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let answer = request.send(address).await.answer().await;
                    let time = begun.elapsed();
                    if answer.status == 429 {
                        assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.text());
                        assert_eq!(answer.header("x-should-retry"), Some("true"), "{}", answer.text());
                    }
                    seen.push(Observed { status: answer.status, code: answer.json()["error"]["code"].clone(), time });
                    asked.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                seen
            })
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self { stop, asked, clients }
    }

    /// Stops the clients once they have asked so often.
    async fn end_after(self, requests: usize) -> Vec<Observed> {
        eventually("enough requests are answered", async || self.asked.load(Ordering::Relaxed) >= requests).await;
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for client in self.clients {
            seen.extend(client.await.unwrap());
        }
        seen
    }
}

fn served(seen: &[Observed]) -> i64 {
    seen.iter().filter(|seen| seen.status == 200).count() as i64
}

fn all_are(seen: &[Observed], what: &str, wanted: impl Fn(&Observed) -> bool) {
    if let Some(other) = seen.iter().find(|seen| !wanted(seen)) {
        panic!("{what}: {} {} after {:?}", other.status, other.code, other.time);
    }
}

/// Nobody waits for the server's own time limits.
fn none_waited(what: &str, seen: &[Observed]) {
    all_are(seen, what, |seen| seen.time < Duration::from_secs(2));
}

/// Nearly nobody waits longer than a silent store is given; the machine may be busy.
fn hardly_any_waited(what: &str, seen: &[Observed]) {
    none_waited(what, seen);
    let long = seen.iter().filter(|seen| seen.time > Duration::from_millis(250)).count();
    assert!(long * 10 <= seen.len(), "{what}: {long} of {}", seen.len());
}

/// Waits until the readiness names a store, or does not any more; it is 200 all the time.
async fn degraded(gateway: &Gateway, name: &str, degraded: bool) {
    eventually("the readiness changes", async || {
        gateway.ask(Request::get("/health/live")).await.expect(200);
        let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
        ready["degraded"].to_string().contains(name) == degraded
    })
    .await;
}

/// What a key has in the usage log: rows, and different ones.
fn rows(of: &str) -> String {
    format!("SELECT count(*) FROM llm_usage_log WHERE virtual_key_id = '{of}'")
}

/// G1, G2, G5: the store goes away under load and comes back.
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn under_load(postgres: Troubled, trouble: Trouble) {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = postgres.setup().openai(&openai).set("budgets.refresh_ms", 300);
    let gateway = setup.start().await;
    let make = async |fields: Value| {
        let made = gateway.make_key(fields).await;
        (made["id"].as_str().unwrap().to_owned(), made["virtual_key"].as_str().unwrap().to_owned())
    };
    let (free_id, free) = make(json!({ "max_parallel": 1_000, "tokens_per_minute": 100_000_000 })).await;
    let (rich_id, rich) = make(json!({ "budget_limit_usd": 100 })).await;
    let (poor_id, poor) = make(json!({ "budget_limit_usd": 0.001 })).await;
    let (revoked_id, revoked) = make(json!({})).await;
    gateway.admin("DELETE", &format!("/admin/virtual-keys/{revoked_id}"), None).await.expect(200);
    for key in [&free, &rich, &poor] {
        gateway.ask(bounded(key)).await.expect(200);
    }
    postgres.wait_for_number("the first rows", "SELECT count(*) FROM llm_usage_log", 3).await;

    postgres.begin(trouble);
    let load = |key: &str, clients| Load::begin(gateway.address, key, clients);
    let (of_free, of_rich, of_poor) = (load(&free, 4), load(&rich, 4), load(&poor, 2));
    if trouble != Trouble::Slow {
        degraded(&gateway, "store:", true).await;
        degraded(&gateway, "redis:", postgres.redis.is_some()).await;
    }
    let path = format!("/admin/virtual-keys/{free_id}");
    let begun = Instant::now();
    let edit = gateway.admin("PATCH", &path, Some(json!({ "name": "renamed", "rate_limit": 1_000_000 }))).await;
    let most = if trouble == Trouble::Killed { 2 } else { 7 };
    assert!(begun.elapsed() < Duration::from_secs(most), "{:?}", begun.elapsed());
    match trouble {
        Trouble::Slow => drop(edit.expect(200)),
        _ => assert!(edit.status == 503 && edit.header("retry-after").is_some(), "{}", edit.text()),
    }
    if trouble == Trouble::Killed {
        is_unavailable(&gateway.admin("PUT", "/admin/user-budgets/ann", Some(json!({ "monthly_limit_usd": 1 }))).await);
    }
    for _ in 0..100 {
        let begun = Instant::now();
        gateway.ask(bounded("vk-unknown")).await.expect(401);
        gateway.ask(bounded(&revoked)).await.expect(401);
        gateway.ask(Request::get("/health/live")).await.expect(200);
        gateway.ask(Request::get("/health/ready")).await.expect(200);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    let (of_free, of_rich) = (of_free.end_after(100).await, of_rich.end_after(100).await);
    let of_poor = of_poor.end_after(20).await;
    postgres.end(trouble);

    for (what, seen) in [("no budget", &of_free), ("enough leased", &of_rich)] {
        all_are(seen, what, |seen| seen.status == 200);
        hardly_any_waited(what, seen);
    }
    let unknown = |seen: &Observed| seen.status == 429 && seen.code == "budget_unknown";
    all_are(&of_poor, "little leased", |seen| seen.status == 200 || unknown(seen));
    if trouble == Trouble::Slow {
        none_waited("little leased", &of_poor);
    } else {
        assert!(of_poor.iter().any(unknown), "more was served than was leased");
        hardly_any_waited("little leased", &of_poor);
    }

    // Everything comes into the log, once; the rest of the budget can be spent to its end, and no further.
    degraded(&gateway, "store:", false).await;
    degraded(&gateway, "redis:", false).await;
    let mut poor_served = served(&of_poor) + 1;
    let spend = async {
        while i128::from(poor_served + 2) * COST < LIMIT {
            match gateway.ask(bounded(&poor)).await.status {
                200 => poor_served += 1,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    in_time("the rest is spent", spend).await;
    while gateway.ask(bounded(&poor)).await.status == 200 {
        poor_served += 1;
    }
    assert!(i128::from(poor_served) * COST <= LIMIT, "{poor_served}: overspent");
    postgres.wait_for_number("rows of the key without a budget", &rows(&free_id), served(&of_free) + 1).await;
    postgres.wait_for_number("rows of the rich key", &rows(&rich_id), served(&of_rich) + 1).await;
    postgres.wait_for_number("rows of the poor key", &rows(&poor_id), poor_served).await;
    assert_eq!(openai.count() as i64, served(&of_free) + served(&of_rich) + poor_served + 2);

    // The edit was made, or was not; a key that was revoked stays so.
    let stored = format!("SELECT name, rate_limit FROM virtual_keys WHERE id = '{free_id}'");
    let whole = async {
        loop {
            let stored = postgres.psql(&stored);
            let shown = gateway.admin("GET", &path, None).await.expect(200).json();
            match stored.as_str() {
                "renamed|1000000" if shown["name"] == "renamed" => return true,
                "a test's key|" if shown["name"] == "a test's key" => return false,
                half => assert!(half == "renamed|1000000" || half == "a test's key|", "{half}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let edited = in_time("gateway and store agree", whole).await;
    if trouble != Trouble::Hung {
        assert_eq!(edited, trouble == Trouble::Slow);
    }
    gateway.ask(bounded(&revoked)).await.expect(401);
    gateway.admin("PATCH", &path, Some(json!({ "name": "again" }))).await.expect(200);
    for told in ["the store is unavailable", "the store is available again"] {
        assert!(logged(&gateway, told) <= 3 || trouble == Trouble::Slow, "{:#?}", gateway.stdout());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g5_postgresql_is_killed_under_load() {
    under_load(Troubled::start().await, Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g5_postgresql_hangs_under_load() {
    under_load(Troubled::start().await, Trouble::Hung).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g5_postgresql_is_slow_under_load() {
    under_load(Troubled::start().await, Trouble::Slow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g5_both_stores_are_killed_under_load() {
    under_load(Troubled::both().await, Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g5_both_stores_hang_under_load() {
    under_load(Troubled::both().await, Trouble::Hung).await;
}

/// G1, G5: without Redis, budgets are leased and settled, and keys are changed, as ever.
#[tokio::test(flavor = "multi_thread")]
async fn g1_g5_money_and_edits_need_no_redis() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let stores = Troubled::both().await;
    let redis = stores.redis.as_ref().unwrap();
    let gateway = stores.setup().openai(&openai).start().await;
    for (begin, end) in [
        (TestRedis::stop as fn(&TestRedis), TestRedis::start_again as fn(&TestRedis)),
        (TestRedis::freeze, TestRedis::thaw),
    ] {
        block_in_place(|| begin(redis));
        let begun = Instant::now();
        let made = gateway.make_key(json!({ "budget_limit_usd": 0.001, "max_parallel": 10 })).await;
        let (id, key) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
        for _ in 0..10 {
            gateway.ask(bounded(key)).await.expect(200);
            gateway.ask(Request::get("/health/live")).await.expect(200);
        }
        let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
        assert!(ready["degraded"].to_string().contains("redis"), "{ready}");
        let path = format!("/admin/virtual-keys/{id}");
        gateway.admin("PATCH", &path, Some(json!({ "name": "renamed" }))).await.expect(200);
        gateway.admin("DELETE", &path, None).await.expect(200);
        gateway.ask(bounded(key)).await.expect(401);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        stores.wait_for_number("the rows", &rows(id), 10).await;
        block_in_place(|| end(redis));
        degraded(&gateway, "redis:", false).await;
    }
}

/// H7: ten thousand unknown keys cost the database nothing.
#[tokio::test(flavor = "multi_thread")]
async fn h7_unknown_keys_cause_no_query() {
    let postgres = Troubled::start().await;
    let gateway = postgres.setup().start().await;
    let transactions = || {
        let sql = "SELECT pg_stat_clear_snapshot(); SELECT xact_commit FROM pg_stat_database \
                   WHERE datname = current_database()";
        postgres.psql(sql).trim().parse::<i64>().unwrap()
    };
    // The gateway's own looks at the store, two seconds apart, tell the statistics what came before them.
    let next = async |before: i64| {
        eventually("the statistics move on", async || transactions() > before + 5).await;
        transactions()
    };
    let before = next(transactions()).await;
    let begun = Instant::now();
    let clients = (0..20).map(|client| {
        let address = gateway.address;
        tokio::spawn(async move {
            for n in 0..500 {
                assert_eq!(bounded(&format!("vk-unknown-{client}-{n}")).try_status(address).await, Some(401));
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let after = next(transactions()).await;
    // Those of the gateway itself and of this test: ten a second where it is slow, not ten thousand.
    let most = 100 + 20 * begun.elapsed().as_secs() as i64;
    assert!(after - before <= most, "{} transactions", after - before);
}

/// G2: full load, reports and changes of keys together use at most five connections to PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn g2_five_connections_carry_full_load() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let postgres = Troubled::start().await;
    // What is to be seen is how many connections there are, not how long a busy machine takes.
    let setup = postgres.setup().openai(&openai).set("server.workers", 4).set("store.query_timeout_ms", 5_000);
    let gateway = setup.start().await;
    let limit = Some(json!({ "monthly_limit_usd": 7 }));
    let mut loads = Vec::new();
    for n in 0..10 {
        let key = gateway.new_key(json!({ "budget_limit_usd": 1, "user_id": n.to_string() })).await;
        loads.push(Load::begin(gateway.address, &key, 10));
    }
    let mut most = 0;
    for _ in 0..20 {
        let report = async || drop(gateway.admin("GET", "/admin/usage?group_by=key", None).await.expect(200));
        let edit = async || drop(gateway.admin("PUT", "/admin/team-budgets/blue", limit.clone()).await.expect(200));
        let held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                    backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let mut count = async || most = most.max(postgres.number(held));
        tokio::join!(report(), report(), report(), edit(), edit(), count());
    }
    for load in loads {
        all_are(&load.end_after(100).await, "full load", |seen| seen.status == 200);
    }
    assert!((2..=5).contains(&most), "{most} connections");
}
