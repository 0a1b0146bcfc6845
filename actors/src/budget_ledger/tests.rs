//! The way of usage rows while the store is away.

use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::budget::accounts::Charge;
use crate::budget::scope::ScopeKind;
use crate::db::test_dir::TestDir;
use crate::db::{LeaseRequest, UsageGroup};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::outbox::Counts;
use crate::prices::PriceTable;
use crate::test_postgres::TestPostgres;
use crate::usage_row::UsageRow;
use crate::usage_row::tests::row;

const PERIOD: &str = "2026-11";

/// What a row costs.
const COST: i64 = 7;

/// A ledger whose memory has room for twenty rows, and a server that it can lose.
struct Troubled {
    postgres: TestPostgres,
    url: String,
    dir: TestDir,
    ledger: SharedLedger,
    actor: Addr<BudgetLedger>,
}

fn scope() -> Scope {
    Scope::new(ScopeKind::Key, "a")
}

impl Troubled {
    async fn start(flush: Duration) -> Self {
        let (postgres, dir) = (TestPostgres::start(), TestDir::new());
        let url = postgres.database();
        let metrics = Arc::new(Metrics::new().unwrap());
        let prices = PriceTable::new(Vec::new());
        let ledger = Ledger::open(dir.path(), "one".to_owned(), chrono_tz::Tz::UTC, prices, metrics).unwrap();
        ledger.keep_at_most(20);
        let ledger = Arc::new(ledger);
        let long = Duration::from_secs(3_600);
        let settings = LedgerSettings {
            journal: dir.path().to_owned(),
            flush,
            refresh: long,
            idle: long,
            lease: long,
            abandon: long,
            alert_percent: Vec::new(),
            keep_usage: None,
            webhook: None,
        };
        let store = Rc::new(Store::open(&url).await.unwrap().noting(ledger.store.clone()));
        let limit = PicoUsd::from_picos(1_000);
        let stands = long;
        let scope = scope();
        let request =
            LeaseRequest { scope: &scope, period: PERIOD, replica: "one", want: limit, at_least: limit, limit, stands };
        assert_eq!(store.lease(request).await.unwrap().added, limit);
        let stats = ActorStats::new("budget_ledger", "here", 10);
        let started = BudgetLedger::start_here(ledger.clone(), store, settings, Announcer { link: None }, stats);
        let actor = started.await.unwrap();
        Self { postgres, url, dir, ledger, actor }
    }

    fn book(&self, numbers: std::ops::Range<u128>) {
        for number in numbers {
            let charges = vec![Charge { scope: scope(), period: PERIOD.into() }];
            self.ledger.book(Box::new(UsageRow { cost: Some(COST), charges, ..row(number) }));
        }
    }

    async fn wait_for(&self, counts: Counts) {
        let wait = async {
            while self.ledger.waiting() != counts {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{:?} instead of {counts:?}", self.ledger.waiting());
    }

    /// Rows of the usage log, and what is spent and leased.
    async fn books(&self) -> (i64, i128, i128) {
        let store = Store::open(&self.url).await.unwrap();
        let report = store.usage_report(UsageGroup::Key, 0, i64::MAX / 2).await.unwrap();
        let rows = report.first().map_or(0, |sum| sum.requests);
        let figures = store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
        (rows, figures[0].spent.picos(), figures[0].leased.picos())
    }
}

fn counts(in_memory: usize, in_journal_only: u64) -> Counts {
    Counts { in_memory, in_journal_only, lost: 0 }
}

/// J 6: rows for which memory had no room reach the store when it is back, once and without a restart; readiness tells
/// how many there are.
#[actix_rt::test]
async fn j6_rows_beyond_memory_come_back_from_the_journal() {
    let troubled = Troubled::start(Duration::from_millis(20)).await;
    troubled.book(0..10);
    troubled.wait_for(counts(0, 0)).await;
    for round in 0..2 {
        troubled.postgres.stop();
        let first = 10 + round * 100;
        troubled.book(first..first + 50);
        while !troubled.ledger.store.fails() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        troubled.book(first + 50..first + 100);
        assert_eq!(troubled.ledger.waiting(), counts(20, 80));
        let troubles = troubled.ledger.troubles().join("; ");
        assert!(
            troubles.contains("store: 100 usage rows wait") && troubles.contains("80 rows are in the journal alone"),
            "{troubles}"
        );
        troubled.postgres.start_again();
        troubled.wait_for(counts(0, 0)).await;
        assert!(troubled.ledger.troubles().is_empty());
        let rows = 110 + 100 * round as i64;
        assert_eq!(troubled.books().await, (rows, i128::from(rows * COST), (1_000 - i128::from(rows * COST)).max(0)));
    }
    troubled.actor.send(Close).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 0, "the journal is gone");
}

/// L-4: what rows cost that are not in the store stays leased when the process ends.
#[actix_rt::test]
async fn l4_a_process_that_ends_frees_no_money_of_rows_that_are_in_its_journal() {
    let troubled = Troubled::start(Duration::from_secs(3_600)).await;
    troubled.book(0..50);
    assert_eq!(troubled.ledger.waiting(), counts(20, 30));
    troubled.postgres.stop();
    assert!(troubled.actor.send(Close).await.unwrap().is_err());
    troubled.postgres.start_again();
    assert_eq!(troubled.books().await, (0, 0, 1_000));
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 2, "the journal and its lock");
    // The server is tried again after a pause.
    let closed = async { while troubled.actor.send(Close).await.unwrap().is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), closed).await.unwrap();
    assert_eq!(troubled.books().await, (50, 350, 0));
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 0);
}
