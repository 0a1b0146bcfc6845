//! What is SQLite's alone: a private file, one process after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use gateway_testkit::temp_dir::TestDir;
use tokio::time::timeout;

use super::usage::usage;
use crate::db::backend::conn::Backend;
use crate::db::{Store, UsageGroup};

#[actix_rt::test]
async fn the_file_is_private_and_its_folder_is_made() {
    let dir = TestDir::new();
    let path = dir.path().join("deep/gateway.db");
    let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    drop(store);
}

/// The index that the documentation tells operators to make can be made as printed.
#[actix_rt::test]
async fn the_documented_index_can_be_created() {
    let dir = TestDir::new();
    drop(Store::open(&dir.url()).await.unwrap());
    let path = dir.path().join("gateway.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute("CREATE INDEX idx_virtual_keys_active ON virtual_keys(virtual_key) WHERE is_active = true;")
        .unwrap();
}

#[actix_rt::test]
async fn other_addresses_are_refused_with_the_form_to_write() {
    for url in ["mysql://localhost/db", "sqlite://", "gateway.db", "sqlite://a.db?mode=rwc"] {
        let error = Store::open(url).await.map(drop).unwrap_err().to_string();
        assert!(error.contains("sqlite://data/gateway.db") && error.contains("postgres://"), "{url}: {error}");
    }
}

/// G2: a report does not make another process, which opens the database and closes it again, believe that it was the last
/// one to use it: that would take the log of what is not in the main file away.
#[actix_rt::test]
async fn g2_another_process_leaves_an_open_database_alone() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    store.record_usage(&[&usage("one", 1, &[])]).await.unwrap();
    store.usage_report(UsageGroup::Day, 0, i64::MAX / 2).await.unwrap();
    let path = dir.path().join("gateway.db");
    let read = "import sqlite3,sys\ndb=sqlite3.connect(sys.argv[1])\n\
                print(db.execute('SELECT count(*) FROM llm_usage_log').fetchone())\ndb.close()";
    let other = std::process::Command::new("python3").args(["-c", read]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&other.stdout), "(1,)\n", "{}", String::from_utf8_lossy(&other.stderr));
    assert!(fs::exists(path.with_extension("db-wal")).unwrap(), "the log is gone");
    store.record_usage(&[&usage("one", 1, &[])]).await.unwrap();
    assert_eq!(store.usage_report(UsageGroup::Day, 0, i64::MAX / 2).await.unwrap()[0].requests, 2);
}

/// A second connection, as another process has one, that holds the writers' lock.
fn lock(dir: &TestDir) -> SqliteConnection {
    let mut other = SqliteConnection::establish(dir.path().join("gateway.db").to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN EXCLUSIVE").unwrap();
    other
}

async fn rows(store: &Store) -> i64 {
    store.usage_report(UsageGroup::Day, 0, i64::MAX / 2).await.unwrap().iter().map(|sum| sum.requests).sum()
}

/// H-5, J 13: whoever waits for a lock of another process keeps no thread busy, and a write that was waited for is there
/// once.
#[actix_rt::test]
async fn h5_a_locked_file_blocks_no_thread_and_loses_no_row() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let mut other = lock(&dir);
    let row = usage("one", 1, &[]);
    let rows_to_write = [&row];
    let mut written = Box::pin(store.record_usage(&rows_to_write));
    // Were the statement on this thread, nothing would be polled before the lock's wait is over.
    let begun = Instant::now();
    assert!(timeout(Duration::from_millis(50), &mut written).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    other.batch_execute("COMMIT").unwrap();
    written.await.unwrap();
    assert_eq!(rows(&store).await, 1);
    store.record_usage(&[&row]).await.unwrap();
    assert_eq!(rows(&store).await, 1, "a row counts once, however often it is written");
}

/// H-5: a lock that lasts ends in a failure that surely did nothing, and the store goes on after it.
#[actix_rt::test]
async fn h5_a_lock_that_lasts_is_an_outage_with_a_sure_end() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let mut other = lock(&dir);
    let row = usage("one", 1, &[]);
    let error = store.record_usage(&[&row]).await.unwrap_err();
    assert!(error.is_away() && error.did_nothing(), "{error}");
    assert_eq!(rows(&store).await, 0, "reading needs no lock");
    // Nor does it wait behind a write that does, or end the outage.
    let waiting = [&row];
    let mut waits = Box::pin(store.record_usage(&waiting));
    assert!(timeout(Duration::from_millis(20), &mut waits).await.is_err());
    let begun = Instant::now();
    store.list_audit(crate::db::At(i64::MAX), 10).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(store.health.fails());
    drop(waits);
    other.batch_execute("COMMIT").unwrap();
    // It is noticed that the lock is gone, though nobody writes.
    let noticed = async {
        while store.health.fails() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), noticed).await.unwrap();
    store.record_usage(&[&row]).await.unwrap();
    assert_eq!(rows(&store).await, 1);
}

/// H-5: a transaction whose caller gives up, at whatever step, is whole or not there, and the next ones are not lost in it.
#[actix_rt::test]
async fn h5_a_transaction_that_is_given_up_takes_nothing_with_it() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let mut kept = 0;
    for step in 0..60_u64 {
        let many: Vec<_> = (0..40).map(|_| usage("one", 1, &[])).collect();
        let many: Vec<_> = many.iter().collect();
        // Each pass lets the transaction come one step farther before it is dropped.
        let mut given_up = Box::pin(store.record_usage(&many));
        for _ in 0..step {
            let polled = timeout(Duration::from_millis(1), &mut given_up).await;
            if polled.is_ok() {
                break;
            }
        }
        drop(given_up);
        store.record_usage(&[&usage("one", 1, &[])]).await.unwrap();
        let found = rows(&store).await;
        assert!([1, 41].contains(&(found - kept)), "{} rows were added", found - kept);
        kept = found;
    }
    drop(store);
    assert_eq!(rows(&Store::open(&dir.url()).await.unwrap()).await, kept);
}

/// J 23: a file that is deleted or replaced under the process takes nothing more, and says so; the same file put back does.
#[actix_rt::test]
async fn j_23_a_replaced_file_is_noticed() {
    let dir = TestDir::new();
    let health = std::sync::Arc::new(crate::db::health::StoreHealth::new(std::time::Instant::now()));
    let store = Store::open(&dir.url()).await.unwrap().noting(health.clone());
    store.record_usage(&[&usage("one", 1, &[])]).await.unwrap();
    let (path, away) = (dir.path().join("gateway.db"), dir.path().join("away.db"));
    fs::rename(&path, &away).unwrap();
    for is_replaced in [false, true] {
        if is_replaced {
            fs::write(&path, "").unwrap();
        }
        let error = store.record_usage(&[&usage("one", 1, &[])]).await.unwrap_err();
        assert!(error.to_string().contains("deleted or replaced"), "{error}");
        assert!(store.usage_report(UsageGroup::Day, 0, i64::MAX / 2).await.is_err());
        assert!(store.changes_since(None).await.is_err() && health.fails());
        assert_eq!(fs::exists(&path).unwrap(), is_replaced, "no empty file is made");
    }
    fs::rename(&away, &path).unwrap();
    store.record_usage(&[&usage("one", 1, &[])]).await.unwrap();
    assert!(!health.fails());
    assert_eq!(store.usage_report(UsageGroup::Day, 0, i64::MAX / 2).await.unwrap()[0].requests, 2);
}

/// The connections of a store that is a file.
fn connections(store: &Store) -> &crate::db::backend::sqlite::Sqlite {
    match &store.backend {
        Backend::Sqlite(sqlite) => sqlite,
        Backend::Postgres(_) => panic!("no file"),
    }
}

/// Lets every question about limits of users and teams fail, and no edit of them.
pub(crate) async fn break_reads_of_limits(store: &Store) {
    let mut held = connections(store).reader.hold().await.unwrap();
    let hide = diesel::sql_query("CREATE TEMP TABLE scope_limits (other)");
    let hidden = diesel_async::RunQueryDsl::execute(hide, &mut *held.connection).await;
    held.judge(Ok(hidden), Duration::ZERO).unwrap();
}

/// J 13: a file that takes no write is not taken for one that does because a lock can be had: a full disk is told by a
/// write alone.
#[actix_rt::test]
async fn j_13_a_file_that_takes_no_write_stays_an_outage() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let writer = &connections(&store).writer;
    assert!(writer.takes_writes().await && writer.takes_writes().await);
    let mut other = SqliteConnection::establish(dir.path().join("gateway.db").to_str().unwrap()).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON settings BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END";
    other.batch_execute(full).unwrap();
    assert!(!writer.takes_writes().await);
    store.set_setting("a", "1").await.unwrap_err();
    assert!(store.health.fails());
    other.batch_execute("DROP TRIGGER full").unwrap();
    assert!(writer.takes_writes().await);
}

/// B1: a start waits for another process that migrates, also where that takes longer than a statement waits.
#[actix_rt::test]
async fn a_start_waits_for_another_process_that_migrates() {
    let dir = TestDir::new();
    let mut other = SqliteConnection::establish(dir.path().join("gateway.db").to_str().unwrap()).unwrap();
    other.batch_execute("PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE").unwrap();
    let migrates = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        other.batch_execute("COMMIT").unwrap();
    });
    Store::open(&dir.url()).await.map(drop).unwrap();
    migrates.join().unwrap();
}
