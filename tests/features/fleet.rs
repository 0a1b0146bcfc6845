//! Several gateways on one store: they behave as one.

use std::time::Duration;

use futures_util::future::join_all;
use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::money::{COST, bounded, picos};
use crate::harness::slow_proxy::SlowProxy;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup, eventually, in_time, seeds};

/// The budget: it pays for 95 answers.
pub const LIMIT: i128 = 1_000_000_000;

pub struct Fleet {
    pub openai: FakeProvider,
    pub shared: TempDir,
    pub url: String,
    redis: Option<TestRedis>,
}

impl Fleet {
    /// Gateways on one file, or on one database of a real PostgreSQL.
    pub async fn on(postgres: bool) -> Self {
        let openai = FakeProvider::answering(openai::answer("hello")).await;
        let shared = TempDir::new();
        let url = match postgres {
            true => TestPostgres::shared().database(),
            false => format!("sqlite://{}", shared.path().join("gateway.db").display()),
        };
        Self { openai, shared, url, redis: None }
    }

    /// Gateways on one PostgreSQL and one Redis.
    pub async fn with_redis() -> Self {
        Self { redis: Some(TestRedis::start()), ..Self::on(true).await }
    }

    fn redis(&self) -> &TestRedis {
        self.redis.as_ref().unwrap()
    }

    pub async fn start(&self) -> Gateway {
        self.start_with(|setup| setup).await
    }

    pub async fn start_with(&self, more: impl FnOnce(Setup) -> Setup) -> Gateway {
        let path = |name: &str| self.shared.path().join(name).display().to_string();
        let setup = Setup::new().openai(&self.openai).set("server.workers", 1).set("budgets.refresh_ms", 200);
        let setup = setup.set("budgets.lease_idle_ms", 300);
        let setup = setup.set("budgets.journal", path("journal")).set("security.master_key_file", path("master.key"));
        let setup = setup.env("DATABASE_URL", &self.url);
        let setup = match &self.redis {
            Some(redis) => setup.env("REDIS_URL", &redis.url()),
            None => setup,
        };
        more(setup).start().await
    }
}

/// The key's budget, and the rows of the usage log.
pub async fn books(gateway: &Gateway) -> (Value, i64) {
    let budgets = gateway.admin("GET", "/admin/budgets", None).await.expect(200).json();
    let report = gateway.admin("GET", "/admin/usage?group_by=key", None).await.expect(200).json();
    let rows = report["data"][0]["requests"].as_i64().unwrap_or(0);
    (budgets["data"][0].clone(), rows)
}

/// B1, B2: three processes, more than two hundred requests at once against a nearly spent budget, and one process killed
/// in the middle: nothing is overspent, no reservation stays, no row is lost or doubled, and the rest can be spent.
async fn three_gateways_and_a_kill(servers: bool, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let fleet = if servers { Fleet::with_redis().await } else { Fleet::on(false).await };
    let first = fleet.start().await;
    // The limits are wide: they are there to be kept at the same time.
    let key = first.new_key(json!({ "budget_limit_usd": 0.001, "rate_limit": 100_000, "max_parallel": 1000 })).await;
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

/// Makes a key on one gateway, revokes it there, and gives how long the other needed to learn of the revocation.
async fn revocation(fleet: &Fleet) -> Duration {
    let (first, second) = (fleet.start().await, fleet.start().await);
    let made = first.make_key(json!({})).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
    let becomes = async |status: u16| {
        eventually("the other gateway knows", async || gateway_status(&second, key).await == status).await;
    };
    becomes(200).await;
    first.admin("DELETE", &format!("/admin/virtual-keys/{id}"), None).await.expect(200);
    let begun = std::time::Instant::now();
    becomes(401).await;
    begun.elapsed()
}

/// G10: a key revoked on one gateway fails on the others within five seconds, without Redis.
#[tokio::test]
async fn g10_a_revocation_reaches_every_gateway() {
    let took = revocation(&Fleet::on(true).await).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// G10: a key that an operator revokes with SQL is refused within five seconds.
#[tokio::test]
async fn g10_a_revocation_by_hand_reaches_every_gateway() {
    let fleet = Fleet::on(true).await;
    let gateway = fleet.start().await;
    let made = gateway.make_key(json!({})).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["virtual_key"].as_str().unwrap());
    assert_eq!(gateway_status(&gateway, key).await, 200);
    let sql = format!("UPDATE virtual_keys SET is_active = false WHERE id = '{id}'");
    TestPostgres::shared().psql(&fleet.url, &sql);
    let begun = std::time::Instant::now();
    in_time("the key is refused", async { while gateway_status(&gateway, key).await != 401 {} }).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// G10: and within one second with Redis; so do limits of users, budgets and prices.
#[tokio::test]
async fn g10_with_redis_a_change_reaches_every_gateway_within_a_second() {
    let fleet = Fleet::with_redis().await;
    let took = revocation(&fleet).await;
    assert!(took < Duration::from_secs(1), "{took:?}");

    // Without Redis these would be looked at once a minute here.
    let rare = |setup: Setup| setup.set("budgets.refresh_ms", 60_000);
    let (first, second) = (fleet.start_with(rare).await, fleet.start_with(rare).await);
    let key = first.new_key(json!({ "user_id": "ann" })).await;
    in_time("the key is known", async { while gateway_status(&second, &key).await != 200 {} }).await;
    let begun = std::time::Instant::now();
    let limit = json!({ "monthly_limit_usd": 0 });
    first.admin("PUT", "/admin/user-budgets/ann", Some(limit)).await.expect(200);
    in_time("the budget is known", async { while gateway_status(&second, &key).await != 429 {} }).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// H5: a key that is reissued on one gateway works by its new text on the others too, and stops working there by its
/// former one when the grace period is over.
#[tokio::test]
async fn h5_a_reissued_key_reaches_every_gateway() {
    let fleet = Fleet::on(true).await;
    let (first, second) = (fleet.start().await, fleet.start().await);
    let made = first.make_key(json!({})).await;
    let reissue = async |grace: u32| {
        let path = format!("/admin/virtual-keys/{}/reissue", made["id"].as_str().unwrap());
        let answer = first.admin("POST", &path, Some(json!({ "grace_seconds": grace }))).await.expect(200);
        answer.json()["virtual_key"].as_str().unwrap().to_owned()
    };
    let becomes = async |key: &str, status: u16| {
        eventually("the other gateway knows", async || gateway_status(&second, key).await == status).await;
    };
    let former = made["virtual_key"].as_str().unwrap();
    let new = reissue(3_600).await;
    becomes(&new, 200).await;
    for gateway in [&first, &second] {
        assert_eq!((gateway_status(gateway, former).await, gateway_status(gateway, &new).await), (200, 200));
    }
    let newest = reissue(1).await;
    becomes(&newest, 200).await;
    becomes(&new, 401).await;
    for gateway in [&first, &second] {
        let refused = gateway.ask(bounded(&new)).await.expect(401).json();
        assert_eq!(refused["error"]["code"], "expired_api_key");
        assert_eq!((gateway_status(gateway, former).await, gateway_status(gateway, &newest).await), (401, 200));
    }
}

pub async fn gateway_status(gateway: &Gateway, key: &str) -> u16 {
    gateway.ask(bounded(key)).await.status
}

#[tokio::test]
async fn b1_b2_three_gateways_on_sqlite_never_overspend_also_when_one_is_killed() {
    for seed in seeds(10, 100) {
        three_gateways_and_a_kill(false, seed).await;
    }
}

#[tokio::test]
async fn b1_b2_three_gateways_on_postgresql_and_redis_never_overspend_also_when_one_is_killed() {
    for seed in seeds(10, 100) {
        three_gateways_and_a_kill(true, seed).await;
    }
}

/// E6, E7: with Redis a limit of requests holds for three gateways together, whatever is asked of which; all of it can be
/// used, and what is refused says when to come back.
#[tokio::test]
async fn e6_e7_a_limit_of_requests_holds_for_the_fleet() {
    let fleet = Fleet::with_redis().await;
    let gateways = [fleet.start().await, fleet.start().await, fleet.start().await];
    let key = gateways[0].new_key(json!({ "rate_limit": 60 })).await;
    known(&gateways, &key).await;
    let mut served = 3;
    let count = async |asked: usize| {
        let answers = all_at_once(&gateways, &key, asked).await;
        assert!(answers.iter().all(|status| [Some(200), Some(429)].contains(status)), "{answers:?}");
        answers.iter().filter(|status| **status == Some(200)).count()
    };
    served += count(210).await;
    assert!(served <= 60, "{served} were served");
    // What one gateway was granted and did not use, another can use a little later.
    let all = async {
        while served < 60 {
            served += count(3).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    in_time("the whole limit is used", all).await;
    for gateway in &gateways {
        let refused = gateway.ask(bounded(&key)).await.expect(429);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((30..=63).contains(&wait), "{wait}");
        assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("60"));
    }
    assert_eq!((served, fleet.openai.count()), (60, 60), "as many reached the provider as were served");
}

/// E6, E7: so do limits of tokens, which are settled by what was used, and of requests at once.
#[tokio::test]
async fn e6_e7_limits_of_tokens_and_of_requests_at_once_hold_for_the_fleet() {
    let fleet = Fleet::with_redis().await;
    let gateways = [fleet.start().await, fleet.start().await, fleet.start().await];
    // Each takes some forty, and uses 25.
    let key = gateways[0].new_key(json!({ "tokens_per_minute": 1000 })).await;
    known(&gateways, &key).await;
    let answers = all_at_once(&gateways, &key, 150).await;
    let served = answers.iter().filter(|status| **status == Some(200)).count() + 3;
    assert!(served * 25 <= 1000, "{served} were served");
    let all = async {
        // Two more might not fit by their estimate.
        let mut served = served;
        while served * 25 < 950 {
            for gateway in &gateways {
                served += usize::from(gateway_status(gateway, &key).await == 200);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    in_time("what was not used comes back", all).await;

    let key = gateways[0].new_key(json!({ "max_parallel": 5 })).await;
    known(&gateways, &key).await;
    let gate = Gate::new();
    let half = Reply::events([openai::role(), openai::text("half ")]).wait(&gate);
    fleet.openai.always(half.then(&openai::finish("stop")).then(openai::DONE));
    let stream = async |n: usize| {
        let request = Request::streamed_hello(&key, "gpt-4o-mini");
        gateways[n % 3].stream(request).await
    };
    let begun = join_all((0..30).map(stream)).await;
    let under_way: Vec<_> = begun.into_iter().filter(|stream| stream.status == 200).collect();
    assert!((1..=5).contains(&under_way.len()), "{} under way", under_way.len());
    gate.open_for_good();
    drop(under_way);
    fleet.openai.always(openai::answer("hello"));
    for gateway in &gateways {
        let free = async { while gateway_status(gateway, &key).await != 200 {} };
        in_time("a place is free again", free).await;
    }
}

/// G1: Redis killed, hung and emptied under load: no request fails, none waits for long, and limits are kept by each
/// gateway meanwhile; live and ready stay as they are, and Redis is used again by itself.
#[tokio::test]
async fn g1_redis_is_killed_hung_and_emptied_under_load() {
    let fleet = Fleet::with_redis().await;
    let gateway = fleet.start().await;
    let key = gateway.new_key(json!({ "rate_limit": 100_000, "max_parallel": 100 })).await;
    let ready = async || gateway.ask(Request::get("/health/ready")).await.expect(200).json()["degraded"].to_string();
    let is_known = async |away: bool| {
        let known = async { while ready().await.contains("redis") != away {} };
        in_time("readiness tells whether Redis is there", known).await;
    };
    let load = async |requests: usize| {
        let timed = async || {
            let begun = std::time::Instant::now();
            gateway.ask(bounded(&key)).await.expect(200);
            begun.elapsed()
        };
        let mut slowest = Duration::ZERO;
        for _ in 0..requests / 10 {
            let times = join_all((0..10).map(|_| timed())).await;
            slowest = slowest.max(times.into_iter().max().unwrap());
        }
        slowest
    };
    load(50).await;
    is_known(false).await;
    for (break_it, mend_it) in [
        (TestRedis::stop as fn(&TestRedis), TestRedis::start_again as fn(&TestRedis)),
        (TestRedis::freeze, TestRedis::thaw),
    ] {
        break_it(fleet.redis());
        load(200).await;
        is_known(true).await;
        let slowest = load(200).await;
        assert!(slowest < Duration::from_millis(150), "{slowest:?} while Redis is known to be away");
        gateway.ask(Request::get("/health/live")).await.expect(200);
        mend_it(fleet.redis());
        is_known(false).await;
        load(50).await;
    }
    fleet.redis().flush();
    load(200).await;
    is_known(false).await;

    // Each gateway keeps the limit by itself, or refuses where it is told to.
    let low = gateway.new_key(json!({ "rate_limit": 3 })).await;
    let strict = fleet.start_with(|setup| setup.set("limits.refuse_without_redis", true)).await;
    fleet.redis().stop();
    is_known(true).await;
    for status in [200, 200, 200, 429] {
        assert_eq!(gateway_status(&gateway, &low).await, status);
    }
    let unknown = async {
        loop {
            let answer = strict.ask(bounded(&low)).await;
            if answer.status == 429
                && answer.json()["error"]["message"].as_str().unwrap().contains("temporarily unavailable")
            {
                return;
            }
        }
    };
    in_time("who must not count alone refuses", unknown).await;
    gateway.ask(Request::get("/health/live")).await.expect(200);
}

/// A gateway starts without its Redis, and uses it when it comes.
#[tokio::test]
async fn g1_redis_may_come_later() {
    let fleet = Fleet::with_redis().await;
    fleet.redis().stop();
    let gateway = fleet.start().await;
    let key = gateway.new_key(json!({ "rate_limit": 2 })).await;
    for status in [200, 200, 429] {
        assert_eq!(gateway_status(&gateway, &key).await, status);
    }
    fleet.redis().start_again();
    let used = async { while gateway_status(&gateway, &key).await != 200 {} };
    in_time("the limit is Redis' again", used).await;
}

/// Asks all gateways at once.
async fn all_at_once(gateways: &[Gateway], key: &str, count: usize) -> Vec<Option<u16>> {
    join_all((0..count).map(async |n| bounded(key).try_status(gateways[n % gateways.len()].address).await)).await
}

/// E6, E7: a slow Redis changes nothing in what is allowed: a place is held by one request, wherever the next is asked.
#[tokio::test]
async fn e6_e7_a_slow_redis_lets_nobody_through() {
    let fleet = Fleet::with_redis().await;
    let (slow, by_slow_way) = SlowProxy::before(&fleet.redis().url()).await;
    let near = fleet.start().await;
    let far = fleet.start_with(|setup| setup.env("REDIS_URL", &by_slow_way)).await;
    let key = near.new_key(json!({ "max_parallel": 1 })).await;
    in_time("the key is known", async { while gateway_status(&far, &key).await != 200 {} }).await;
    slow.slow_down(Duration::from_millis(40));
    let gate = Gate::new();
    let half = Reply::events([openai::role(), openai::text("half ")]).wait(&gate);
    fleet.openai.always(half.then(&openai::finish("stop")).then(openai::DONE));
    let held = async {
        loop {
            let stream = near.stream(Request::streamed_hello(&key, "gpt-4o-mini")).await;
            if stream.status == 200 {
                return stream;
            }
        }
    };
    let held = in_time("the place is given up by the other", held).await;
    for _ in 0..5 {
        assert_eq!(gateway_status(&far, &key).await, 429);
    }
    gate.open_for_good();
    drop(held);
    fleet.openai.always(openai::answer("hello"));
    in_time("the place is free", async { while gateway_status(&far, &key).await != 200 {} }).await;
}

/// E6: one after the other, through all gateways, a client never has more than one request under way, and none is refused.
#[tokio::test]
async fn e6_a_place_moves_from_gateway_to_gateway() {
    let fleet = Fleet::with_redis().await;
    let gateways = [fleet.start().await, fleet.start().await, fleet.start().await];
    let key = gateways[0].new_key(json!({ "max_parallel": 1 })).await;
    for gateway in &gateways {
        in_time("the key is known", async { while gateway_status(gateway, &key).await == 401 {} }).await;
    }
    for gateway in gateways.iter().cycle().take(9) {
        assert_eq!(gateway_status(gateway, &key).await, 200);
    }
}

/// G10: a key that an operator deletes by SQL is gone, and a row that makes no sense stops its own key alone.
#[tokio::test]
async fn g10_rows_that_are_deleted_or_spoilt_by_hand() {
    let fleet = Fleet::on(true).await;
    let gateway = fleet.start().await;
    let make = async || {
        let made = gateway.make_key(json!({})).await;
        (made["id"].as_str().unwrap().to_owned(), made["virtual_key"].as_str().unwrap().to_owned())
    };
    let (deleted, spoilt, revoked, kept) = (make().await, make().await, make().await, make().await);
    let sql = |sql: String| TestPostgres::shared().psql(&fleet.url, &sql);
    sql(format!("DELETE FROM virtual_keys WHERE id = '{}'", deleted.0));
    sql("ALTER TABLE virtual_keys DISABLE TRIGGER virtual_keys_checked".to_owned());
    sql(format!("UPDATE virtual_keys SET allowed_models = 'gpt-4*' WHERE id = '{}'", spoilt.0));
    sql(format!("UPDATE virtual_keys SET is_active = false WHERE id = '{}'", revoked.0));
    for (_, key) in [&deleted, &spoilt, &revoked] {
        in_time("the key does not work", async { while gateway_status(&gateway, key).await != 401 {} }).await;
    }
    assert_eq!(gateway_status(&gateway, &kept.1).await, 200);
    sql(format!("UPDATE virtual_keys SET allowed_models = NULL WHERE id = '{}'", spoilt.0));
    in_time("it works again", async { while gateway_status(&gateway, &spoilt.1).await != 200 {} }).await;
}

/// Waits until each gateway serves a key that was made a moment ago.
async fn known(gateways: &[Gateway], key: &str) {
    for gateway in gateways {
        in_time("the key is known", async { while gateway_status(gateway, key).await != 200 {} }).await;
    }
}
