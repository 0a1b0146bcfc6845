//! The way of usage rows while the store is away.

use std::rc::Rc;
use std::time::Duration;

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::temp_dir::TestDir;

use super::*;
use crate::budgets::ledger::Ledger;
use crate::db::{LeaseRequest, UsageGroup};
use crate::metrics::Metrics;
use crate::money::prices::PriceTable;
use crate::scope::ScopeKind;
use crate::usage::charge::Charge;
use crate::usage::outbox::Counts;
use crate::usage::row::UsageRow;
use crate::usage::row::tests::row;

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

fn charged(number: u128, scope: Scope) -> UsageRow {
    let charges = vec![Charge { scope, period: PERIOD.into() }];
    UsageRow { cost: Some(COST), charges, ..row(number) }
}

/// A row that the store refuses: no index holds the budget's name.
fn refused(number: u128) -> UsageRow {
    let name: String = (0..400).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    charged(number, Scope::new(ScopeKind::Key, &*name))
}

impl Troubled {
    async fn start(flush: Duration) -> Self {
        Self::start_in(TestDir::new(), flush).await
    }

    async fn start_in(dir: TestDir, flush: Duration) -> Self {
        let postgres = TestPostgres::start();
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
            lease_idle: long,
            lease: long,
            orphan_lease: long,
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

    fn state(&self, numbers: std::ops::Range<u128>) {
        numbers.for_each(|number| self.ledger.book(Box::new(charged(number, scope()))));
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
    Counts { in_memory, in_journal_only, ..Counts::default() }
}

/// J 6: rows for which memory had no room reach the store when it is back, once and without a restart; readiness tells
/// how many there are.
#[actix_rt::test]
async fn j6_rows_beyond_memory_come_back_from_the_journal() {
    let troubled = Troubled::start(Duration::from_millis(20)).await;
    troubled.state(0..10);
    troubled.wait_for(counts(0, 0)).await;
    for round in 0..2 {
        troubled.postgres.stop();
        let first = 10 + round * 100;
        troubled.state(first..first + 50);
        while !troubled.ledger.store.fails() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        troubled.state(first + 50..first + 100);
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
    troubled.state(0..50);
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

/// J 26: a row that the store refuses holds no other back, stays in the journal, and frees no money.
#[actix_rt::test]
async fn j26_a_refused_row_holds_no_other_back() {
    let troubled = Troubled::start(Duration::from_millis(20)).await;
    troubled.state(0..3);
    troubled.ledger.book(Box::new(refused(3)));
    troubled.state(4..7);
    troubled.wait_for(Counts { refused: 1, ..counts(0, 0) }).await;
    troubled.state(7..10);
    troubled.wait_for(Counts { refused: 1, ..counts(0, 0) }).await;
    assert_eq!(troubled.books().await, (9, 63, 937));
    let troubles = troubled.ledger.troubles().join("; ");
    assert!(troubles.contains("the store refuses 1 rows"), "{troubles}");
    troubled.actor.send(Close).await.unwrap().unwrap();
    assert_eq!(troubled.books().await, (9, 63, 937), "the lease stays");
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 2, "the journal and its lock");
}

/// J 26: a left journal with a row that the store refuses keeps no process from starting, and no other journal waiting.
#[actix_rt::test]
async fn j26_a_refused_row_of_a_left_journal_holds_no_start_back() {
    let dir = TestDir::new();
    for (name, rows) in [("a", [charged(0, scope()), refused(1)]), ("b", [2, 3].map(|n| charged(n, scope())))] {
        let journal = crate::usage::journal::Journal::open(dir.path(), name).unwrap();
        rows.iter().for_each(|row| drop(journal.append(&row.to_line()).unwrap()));
    }
    let troubled = Troubled::start_in(dir, Duration::from_millis(20)).await;
    assert_eq!(troubled.books().await.0, 3);
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 4, "of the first one, and the own");
}

/// B2: the journal and the leases stay where an attempt has still to be booked when the process ends.
#[actix_rt::test]
async fn b2_a_process_that_ends_keeps_the_journal_of_open_attempts() {
    let troubled = Troubled::start(Duration::from_millis(20)).await;
    let open = crate::budgets::ledger::OpenAttempt::new(&troubled.ledger);
    troubled.actor.send(Close).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 2, "the journal and its lock");
    drop(open);
    troubled.actor.send(Close).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(troubled.dir.path()).unwrap().count(), 0);
}

/// J 6: a file that cannot be read holds no other rows back.
#[actix_rt::test]
async fn j6_an_unreadable_file_holds_no_other_rows_back() {
    let troubled = Troubled::start(Duration::from_secs(3_600)).await;
    troubled.state(0..30);
    let hidden = troubled.dir.path().join("hidden");
    std::fs::rename(troubled.dir.path().join("one.0.jsonl"), &hidden).unwrap();
    troubled.ledger.journal().rotate().unwrap();
    troubled.state(30..40);
    assert_eq!(troubled.ledger.waiting(), counts(20, 20));
    assert!(troubled.actor.send(Close).await.unwrap().is_err());
    assert_eq!(troubled.ledger.waiting(), counts(0, 10));
    assert_eq!(troubled.books().await.0, 30);
}
