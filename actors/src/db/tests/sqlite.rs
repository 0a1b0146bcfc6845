//! What is SQLite's alone: a private file, one process after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::db::Store;
use crate::db::test_dir::TestDir;

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
