//! When the disk is full: what README says of the usage journal then.

use std::path::Path;
use std::time::Instant;

use gateway_testkit::postgres::TestPostgres;
use serde_json::json;
use tokio::task::block_in_place;

use crate::harness::bodies::openai;
use crate::harness::money::{bounded, usage};
use crate::harness::{FakeProvider, Gateway, Setup, eventually, in_time};

/// The lines of all files of the journal; each is a whole row.
fn journal_lines(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder.join("data/journal")).unwrap().map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let text: String = texts.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("half a line: {line}"));
        assert!(row["id"].is_string());
    }
    text.lines().count()
}

/// Requests whose rows differ in length, so that a shorter one finds room where a longer one does not.
async fn ask(gateway: &Gateway, key: &str, count: usize) {
    for n in 0..count {
        let trace = "x".repeat(if n % 2 == 0 { 120 } else { 8 });
        gateway.ask(bounded(key).header("x-request-id", &trace)).await.expect(200);
    }
}

async fn degraded(gateway: &Gateway) -> String {
    gateway.ask(crate::harness::Request::get("/health/ready")).await.expect(200).json()["degraded"].to_string()
}

/// J 11, L-4, G5: a full disk stops no request. What it took of a row costs no other row; the rows that it refuses are in
/// memory alone, which readiness and the log tell, and reach the store when that is there. A kill in between loses these
/// and no others.
#[tokio::test(flavor = "multi_thread")]
async fn j11_a_full_disk_costs_no_row_that_is_written() {
    let postgres = block_in_place(TestPostgres::start);
    let url = block_in_place(|| postgres.database());
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    // A flush begins a new file, which has room again: here it does not come between the requests.
    let setup = || {
        let setup = Setup::new().openai(&openai).env("DATABASE_URL", &url);
        setup.set("budgets.refresh_ms", 200).set("budgets.flush_ms", 4_000)
    };
    let gateway = setup().files_up_to(8).start().await;
    let key = gateway.new_key(json!({})).await;
    block_in_place(|| postgres.stop());
    let begun = Instant::now();
    ask(&gateway, &key, 60).await;
    assert!(degraded(&gateway).await.contains("the disk refuses rows"), "{}", degraded(&gateway).await);
    let complaints = gateway.stdout().iter().filter(|line| line.contains("usage journal: ")).count() as u64;
    assert!((1..=begun.elapsed().as_secs() + 1).contains(&complaints), "{complaints} lines");
    let whole = journal_lines(gateway.folder());
    assert!((5..60).contains(&whole), "{whole}");
    block_in_place(|| postgres.start_again());
    usage(&gateway, "provider", 60).await;
    // The stored rows made room.
    eventually("readiness is clear", async || degraded(&gateway).await == "[]").await;

    block_in_place(|| postgres.stop());
    ask(&gateway, &key, 60).await;
    let folder = gateway.kill().await;
    let whole = journal_lines(folder.path());
    assert!((5..60).contains(&whole), "{whole}");
    block_in_place(|| postgres.start_again());
    let gateway = setup().start_in(folder).await;
    usage(&gateway, "provider", 60 + whole as i64).await;
}

/// J 18: an empty master key file, as a full disk leaves it at the first start, is filled where no credential was sealed;
/// where one was, the start ends and says what to do.
#[tokio::test]
async fn j18_an_empty_master_key_file_is_filled_or_told() {
    let gateway = Setup::new().start().await;
    let folder = gateway.stop().await;
    let file = folder.path().join("data/master.key");
    std::fs::write(&file, "").unwrap();
    let gateway = Setup::new().start_in(folder).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim().len(), 64);
    gateway.new_key(json!({ "provider": "openai", "real_api_key": "sk-of-a-client" })).await;
    let folder = gateway.stop().await;
    std::fs::write(&file, "").unwrap();
    let output = in_time("the start ends", Setup::new().command(folder.path()).output()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("master.key holds no key"), "{told}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    let journal = std::fs::read_dir(folder.path().join("data/journal")).unwrap().count();
    assert_eq!(journal, 0, "J 21: a start that failed leaves nothing in the journal's folder");
}

/// J 21: starts that fail, or are ended while they wait for the store, leave no files behind.
#[tokio::test]
async fn j21_a_start_that_fails_leaves_no_files() {
    let files = |folder: &Path| std::fs::read_dir(folder.join("data/journal")).unwrap().count();
    let folder = crate::harness::temp_dir::TempDir::new();
    for url in ["postgres://127.0.0.1:1/nowhere", "sqlite:///proc/no/such.db"] {
        let setup = Setup::new().env("DATABASE_URL", url).set("store.wait_for_store", false);
        let output = in_time("the start ends", setup.command(folder.path()).output()).await.unwrap();
        assert!(!output.status.success(), "{url}");
        assert_eq!(files(folder.path()), 0, "{url}");
    }
    let mut waiting = Setup::new().env("DATABASE_URL", "postgres://127.0.0.1:1/nowhere").start_waiting().await;
    assert_eq!(files(waiting.folder()), 2);
    waiting.terminate().await;
    assert!(waiting.exit().await.success());
    assert_eq!(files(waiting.folder()), 0);
}
