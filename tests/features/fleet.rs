//! Several gateways on one store: they behave as one.

use std::time::Duration;

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::money::{COST, bounded, picos};
use crate::harness::postgres::TestPostgres;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Gateway, Setup, in_time};

/// The budget: it pays for 95 answers.
const LIMIT: i128 = 1_000_000_000;

struct Fleet {
    openai: FakeProvider,
    shared: TempDir,
    url: String,
}

impl Fleet {
    /// Gateways on one file, or on one database of a real PostgreSQL.
    async fn on(postgres: bool) -> Self {
        let openai = FakeProvider::answering(openai::answer("hello")).await;
        let shared = TempDir::new();
        let url = match postgres {
            true => TestPostgres::shared().database(),
            false => format!("sqlite://{}", shared.path().join("gateway.db").display()),
        };
        Self { openai, shared, url }
    }

    async fn start(&self) -> Gateway {
        let path = |name: &str| self.shared.path().join(name).display().to_string();
        let setup = Setup::new().openai(&self.openai).set("server.workers", 1).set("budgets.refresh_ms", 200);
        let setup = setup.set("budgets.idle_ms", 300);
        let setup = setup.set("budgets.journal", path("journal")).set("security.master_key_file", path("master.key"));
        setup.env("DATABASE_URL", &self.url).start().await
    }
}

/// The key's budget, and the rows of the usage log.
async fn books(gateway: &Gateway) -> (Value, i64) {
    let budgets = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
    let report = gateway.admin("GET", "/admin/usage?group_by=key", None).await.expect(200).json();
    let rows = report["data"][0]["requests"].as_i64().unwrap_or(0);
    (budgets["data"][0].clone(), rows)
}

/// B1, B2: three processes, more than two hundred requests at once against a nearly spent budget, and one process killed
/// in the middle: nothing is overspent, no reservation stays, no row is lost or doubled, and the rest can be spent.
async fn three_gateways_and_a_kill(postgres: bool, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let fleet = Fleet::on(postgres).await;
    let first = fleet.start().await;
    let key = first.new_key(json!({ "budget_limit_usd": 0.001 })).await;
    let (second, third) = (fleet.start().await, fleet.start().await);
    let addresses = [first.address, second.address, third.address];

    let ask = |at: usize, delay: u64| {
        let (request, address) = (bounded(&key), addresses[at]);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            request.try_status(address).await
        })
    };
    let asked: Vec<_> = (0..210).map(|n| ask(n % 3, random.random_range(0..60))).collect();
    tokio::time::sleep(Duration::from_millis(random.random_range(10..50))).await;
    drop(third.kill().await);
    let answers: Vec<Option<u16>> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    let served = answers.iter().filter(|status| **status == Some(200)).count() as i64;
    assert!(answers.iter().flatten().all(|status| [200, 429].contains(status)), "seed {seed}: {answers:?}");

    // The others take up what the killed one left; then everything is settled.
    let settle = async {
        loop {
            // Counted before the books are read, so that the rows of a journal that is gone are in them.
            let journals = std::fs::read_dir(fleet.shared.path().join("journal")).unwrap().count();
            let (budget, rows) = books(&first).await;
            assert!(picos(&budget["spent_usd"]) + picos(&budget["leased_usd"]) <= LIMIT, "seed {seed}: {budget}");
            let settled = picos(&budget["leased_usd"]) == 0 && picos(&budget["spent_usd"]) == i128::from(rows) * COST;
            if settled && rows >= served && journals == 4 {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let rows = in_time("the books are settled", settle).await;
    assert!(rows <= fleet.openai.count() as i64, "seed {seed}: a row without an answer");

    // Whatever is left can be spent by one of them, once the other's idle slice is back.
    let mut more = 0;
    let spend = async {
        while (rows + more + 2) as i128 * COST < LIMIT {
            match gateway_status(&first, &key).await {
                200 => more += 1,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    in_time("the rest is spent", spend).await;
    while gateway_status(&second, &key).await == 200 {
        more += 1;
    }
    let (one, other) = (first.stop().await, second.stop().await);
    drop((one, other));
    let last = fleet.start().await;
    let (budget, all) = books(&last).await;
    assert_eq!(all, rows + more, "seed {seed}: lost or doubled rows");
    assert_eq!(picos(&budget["spent_usd"]), i128::from(all) * COST);
    assert_eq!(picos(&budget["leased_usd"]), 0, "seed {seed}: a leaked lease");
    assert!(picos(&budget["spent_usd"]) <= LIMIT, "seed {seed}: overspent");
}

/// G10: a key made or revoked on one gateway works, or fails, on the others within five seconds.
#[tokio::test]
async fn g10_a_change_of_a_key_reaches_every_gateway() {
    let fleet = Fleet::on(true).await;
    let (first, second) = (fleet.start().await, fleet.start().await);
    let made = first.make_key(json!({})).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
    let begun = std::time::Instant::now();
    let becomes = async |status: u16| {
        let seen = async {
            while gateway_status(&second, key).await != status {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        in_time("the other gateway knows", seen).await;
    };
    becomes(200).await;
    first.admin("DELETE", &format!("/admin/virtual-keys/{id}"), None).await.expect(200);
    becomes(401).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?} for both", begun.elapsed());
}

async fn gateway_status(gateway: &Gateway, key: &str) -> u16 {
    gateway.ask(bounded(key)).await.status
}

#[tokio::test]
async fn b1_b2_three_gateways_on_sqlite_never_overspend_also_when_one_is_killed() {
    for seed in 0..10 {
        three_gateways_and_a_kill(false, seed).await;
    }
}

#[tokio::test]
async fn b1_b2_three_gateways_on_postgresql_never_overspend_also_when_one_is_killed() {
    for seed in 0..10 {
        three_gateways_and_a_kill(true, seed).await;
    }
}
