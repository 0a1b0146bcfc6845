//! Slices of budgets: how they end, and what becomes of those of a gateway that is gone.

use std::path::Path;
use std::time::Duration;

use gateway_testkit::postgres::TestPostgres;
use serde_json::json;

use crate::fleet::{Fleet, LIMIT, books, gateway_status};
use crate::harness::money::{COST, picos};
use crate::harness::slow_proxy::SlowProxy;
use crate::harness::{Gateway, Setup, eventually, in_time};

/// M-1, J 5: budgets that nobody uses any more have no lease, and the database is not written to for them.
#[tokio::test(flavor = "multi_thread")]
async fn m1_j5_budgets_that_nobody_uses_cost_nothing() {
    let fleet = Fleet::on(true).await;
    let gateway = fleet.start_with(|setup| setup.set("budgets.refresh_ms", 50).set("budgets.lease_ms", 150)).await;
    for _ in 0..40 {
        let key = gateway.new_key(json!({ "budget_limit_usd": 1, "budget_period": "day" })).await;
        assert_eq!(gateway_status(&gateway, &key).await, 200);
    }
    let psql = |sql: &str| tokio::task::block_in_place(|| TestPostgres::shared().psql(&fleet.url, sql));
    let gone = async { while psql("SELECT count(*) FROM budget_leases") != "0" {} };
    in_time("the leases are gone", gone).await;
    let forgotten = async { while gateway.actor("budget_ledger").await["state"]["budgets"] != 0 {} };
    in_time("the budgets are forgotten", forgotten).await;
    let writes = || {
        psql("SELECT pg_stat_force_next_flush()");
        psql(
            "SELECT n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del FROM pg_stat_user_tables \
              WHERE relname = 'budget_leases'",
        )
    };
    // The server's processes tell their figures within a second of the last statement.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = writes();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(writes(), before, "inserts, updates, deletions in forty rounds of housekeeping");
}

/// How a gateway is gone for longer than its lease stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gone {
    CutOff,
    Stopped,
    Killed,
}

/// B1, J 14: what a gateway had leased that is gone counts as spent: the others never exceed the budget, whatever it spends
/// or has spent; when it or its journal comes back, what was spent is known, and all of the rest can be spent.
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn a_gateway_is_gone(how: Gone) {
    let fleet = Fleet::on(true).await;
    let path = |name: &str| fleet.shared.path().join(name);
    let (way, url) = SlowProxy::before(&fleet.url).await;
    let short = |setup: Setup| {
        let setup = setup
            .set("budgets.lease_ms", 600)
            .set("budgets.orphan_lease_ms", 600)
            .set("budgets.lease_idle_ms", 600_000);
        setup.set("budgets.refresh_ms", 100)
    };
    let other = fleet.start_with(|setup| short(setup).set("budgets.lease_idle_ms", 300)).await;
    let key = other.new_key(json!({ "budget_limit_usd": 0.001 })).await;
    let gone = fleet.start_with(|setup| {
        // What it spends stays in its journal until it is looked after.
        let setup = short(setup).set("budgets.flush_ms", 3_000).set("budgets.journal", path("own").display());
        setup.env("DATABASE_URL", &url)
    });
    let gone = gone.await;
    let mut served = 0;
    let spend = async |gateway: &Gateway| {
        let mut count = 0;
        while gateway_status(gateway, &key).await == 200 {
            count += 1;
        }
        count
    };
    in_time("it has a slice", async { while gateway_status(&gone, &key).await != 200 {} }).await;
    served += 1;
    let mut folder = None;
    let gone = match how {
        Gone::CutOff => {
            way.slow_down(Duration::from_secs(3_600));
            served += spend(&gone).await;
            assert!(served > 1, "it goes on with what it has");
            Some(gone)
        }
        Gone::Stopped => {
            gone.signal("STOP").await;
            Some(gone)
        }
        Gone::Killed => {
            folder = Some(gone.kill().await);
            None
        }
    };
    let presumed = async { while picos(&books(&other).await.0["presumed_usd"]) == 0 {} };
    in_time("it is presumed to be gone", presumed).await;
    let mut more = 0;
    eventually("the other has spent what it may", async || {
        more += spend(&other).await;
        let (budget, _) = books(&other).await;
        let known = picos(&budget["spent_usd"]) + picos(&budget["presumed_usd"]);
        assert!(known + picos(&budget["leased_usd"]) <= LIMIT, "{budget}");
        assert_eq!(picos(&budget["remaining_usd"]), LIMIT - known);
        known + 3 * COST > LIMIT
    })
    .await;
    assert!(i128::from(served + more) * COST <= LIMIT, "overspent: {served} and {more}");

    match &gone {
        Some(gone) if how == Gone::Stopped => gone.signal("CONT").await,
        Some(_) => way.slow_down(Duration::ZERO),
        None => move_files(&path("own"), &path("journal")),
    }
    eventually("the books are settled", async || {
        if let Some(gone) = &gone {
            more += spend(gone).await;
        }
        let (budget, rows) = books(&other).await;
        let spent = picos(&budget["spent_usd"]);
        assert!(spent <= LIMIT, "{how:?}: overspent: {budget}");
        rows == served + more && spent == i128::from(rows) * COST && picos(&budget["presumed_usd"]) == 0
    })
    .await;
    let rest = async {
        while i128::from(served + more + 2) * COST < LIMIT {
            more += spend(gone.as_ref().unwrap_or(&other)).await;
            more += spend(&other).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time("the rest is spent", rest).await;
    assert!(i128::from(served + more) * COST <= LIMIT, "{how:?}: overspent: {served} and {more}");
    assert_eq!(fleet.openai.count() as i64, served + more);
    drop(folder);
}

fn move_files(from: &Path, to: &Path) {
    // The lock last: from then on the journal is taken up.
    let mut files: Vec<_> = std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort_by_key(|file| file.extension().is_some_and(|end| end == "lock"));
    for file in files {
        std::fs::rename(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_j14_what_a_gateway_that_is_cut_off_had_leased_counts_as_spent() {
    a_gateway_is_gone(Gone::CutOff).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_j14_what_a_gateway_that_is_stopped_had_leased_counts_as_spent() {
    a_gateway_is_gone(Gone::Stopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_j14_what_a_killed_gateway_had_leased_counts_as_spent_until_its_journal_comes() {
    a_gateway_is_gone(Gone::Killed).await;
}
