//! What is SQLite's alone: a private file, one process after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::usage::usage;
use crate::db::test_dir::TestDir;
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
