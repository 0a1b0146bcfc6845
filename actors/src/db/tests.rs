use std::fs;
use std::os::unix::fs::PermissionsExt;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::test_dir::TestDir;
use super::*;

fn row(id: &str) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        virtual_key: format!("hash of {id}"),
        hint: "vk-abc…wxyz".to_owned(),
        name: "Production Key".to_owned(),
        provider: Some("openai".to_owned()),
        real_api_key: Some(vec![1, 0, 255]),
        rate_limit: Some(i64::from(u32::MAX)),
        budget_limit_usd: Some(i64::MAX),
        budget_period: "month".to_owned(),
        user_id: None,
        team_id: Some("team".to_owned()),
        allowed_models: Some("[\"gpt-*\"]".to_owned()),
        allowed_providers: None,
        config: None,
        expires_at: Some(1),
        is_active: true,
        created_at: 2,
        updated_at: 3,
    }
}

#[actix_rt::test]
async fn keys_and_settings_survive_a_restart_unchanged() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).unwrap();
    store.insert_key(&row("a")).await.unwrap();
    store.set_setting("admin", "1").await.unwrap();
    store.set_setting("admin", "2").await.unwrap();
    drop(store);

    let store = Store::open(&dir.url()).unwrap();
    assert_eq!(store.list_keys().await.unwrap(), [row("a")]);
    assert_eq!(store.setting("admin").await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.setting("other").await.unwrap(), None);
}

/// G10: an edit writes its own columns only, so it cannot bring back what another edit took away.
#[actix_rt::test]
async fn g10_an_edit_leaves_the_other_columns_alone() {
    let dir = TestDir::new();
    let (one, other) = (Store::open(&dir.url()).unwrap(), Store::open(&dir.url()).unwrap());
    one.insert_key(&row("a")).await.unwrap();
    one.insert_key(&row("b")).await.unwrap();

    let revoke = KeyRowChange { is_active: Some(false), updated_at: 4, ..KeyRowChange::default() };
    one.update_key("a", revoke).await.unwrap();
    let rename = KeyRowChange {
        name: Some("new".to_owned()),
        real_api_key: Some(None),
        updated_at: 5,
        ..KeyRowChange::default()
    };
    let renamed = other.update_key("a", rename.clone()).await.unwrap();
    let expected = KeyRow { name: "new".to_owned(), real_api_key: None, is_active: false, updated_at: 5, ..row("a") };
    assert_eq!(renamed, Some(expected.clone()));
    assert_eq!(one.list_keys().await.unwrap(), [expected, row("b")]);
    assert_eq!(one.update_key("c", rename).await.unwrap(), None);
}

#[actix_rt::test]
async fn a_second_key_with_the_same_hash_is_refused() {
    let dir = TestDir::new();
    let store = Store::open(&dir.url()).unwrap();
    store.insert_key(&row("a")).await.unwrap();
    let twin = KeyRow { id: "b".to_owned(), ..row("a") };
    let error = store.insert_key(&twin).await.unwrap_err();
    assert!(error.to_string().contains("UNIQUE constraint failed: virtual_keys.virtual_key"), "{error}");
}

#[test]
fn the_file_is_private_and_its_folder_is_made() {
    let dir = TestDir::new();
    let path = dir.path().join("deep/gateway.db");
    let store = Store::open(&format!("sqlite://{}", path.display())).unwrap();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    drop(store);
}

#[test]
fn processes_that_start_at_once_migrate_once() {
    let dir = TestDir::new();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open(&dir.url()).map(drop))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for result in results {
        result.unwrap();
    }
}

/// The index that the documentation tells operators to make can be made as printed.
#[test]
fn the_documented_index_can_be_created() {
    let dir = TestDir::new();
    drop(Store::open(&dir.url()).unwrap());
    let path = dir.path().join("gateway.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute("CREATE INDEX idx_virtual_keys_active ON virtual_keys(virtual_key) WHERE is_active = true;")
        .unwrap();
}

#[test]
fn other_addresses_are_refused_with_the_form_to_write() {
    for url in ["postgres://localhost/db", "sqlite://", "gateway.db", "sqlite://a.db?mode=rwc"] {
        let error = Store::open(url).map(drop).unwrap_err().to_string();
        assert!(error.contains("sqlite://data/gateway.db"), "{url}: {error}");
    }
}
