//! The first start: one command, and the printed line works as pasted.

use tokio::process::Command;

use crate::harness::temp_dir::TempDir;
use crate::harness::{Gateway, Request, Setup, in_time};

/// What stands after this label in the banner.
async fn shown(gateway: &Gateway, label: &str) -> Option<String> {
    let after = |lines: &[String]| {
        let line = lines.iter().find_map(|line| line.trim().strip_prefix(label).map(str::trim))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let polled = async {
        loop {
            if let Some(found) = after(&gateway.stderr()) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), polled).await.ok()
}

/// Without a configured admin token one is made and shown once with a virtual key for the simulator and a `curl` line
/// that works as it is; the next start shows nothing, and the token still works.
#[tokio::test]
async fn the_first_start_shows_what_to_do() {
    let gateway = Setup::new().without("GATEWAY_ADMIN_TOKEN").start().await;
    let token = shown(&gateway, "admin token:").await.expect("an admin token");
    let key = shown(&gateway, "virtual key:").await.expect("a virtual key");
    assert!(key.starts_with("vk-"), "{key}");
    let list = Request::get("/admin/virtual-keys").key(&token);
    gateway.ask(list.clone()).await.expect(200);
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);

    let lines = gateway.stderr();
    let curl = lines.iter().find(|line| line.trim().starts_with("curl ")).expect("a curl line").trim().to_owned();
    let ran = in_time("the curl line", Command::new("sh").args(["-c", &curl]).output()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{curl}: {ran:?}"));
    assert!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");

    assert!(lines.iter().any(|line| line.trim() == format!("export GATEWAY_ADMIN_TOKEN={token}")), "{lines:?}");

    let stdout = gateway.stdout().join("\n");
    assert!(!stdout.contains(&token) && !stdout.contains(&key), "H1: the log does not tell them");

    let folder = gateway.stop().await;
    let again = Setup::new().without("GATEWAY_ADMIN_TOKEN").start_in(folder).await;
    again.ask(list).await.expect(200);
    again.ask(Request::hello(&key, "sim-text")).await.expect(200);
    let stderr = again.stderr().join("\n");
    assert!(!stderr.contains("admin token"), "shown once: {stderr}");
}

/// Only hashes are stored: neither the token nor the key is in any file of the folder.
#[tokio::test]
async fn only_hashes_are_stored() {
    let gateway = Setup::new().without("GATEWAY_ADMIN_TOKEN").start().await;
    let token = shown(&gateway, "admin token:").await.expect("an admin token");
    let key = shown(&gateway, "virtual key:").await.expect("a virtual key");
    let folder = gateway.stop().await;
    for text in [token, key] {
        assert_eq!(crate::canary::files_with(folder.path(), &text), Vec::<String>::new());
    }
}

/// A first start that does not come to listen stores no token that nobody saw: the next one shows one that works.
#[tokio::test]
async fn a_first_start_that_fails_locks_nobody_out() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = || Setup::new().without("GATEWAY_ADMIN_TOKEN");
    let folder = TempDir::new();
    let taken = setup().set("server.listen", other.local_addr().unwrap());
    let failed = in_time("the first start ends", taken.command(folder.path()).output()).await.unwrap();
    assert!(!failed.status.success(), "{failed:?}");
    assert!(!String::from_utf8_lossy(&failed.stderr).contains("admin token:"), "{failed:?}");

    let gateway = setup().start_in(folder).await;
    let token = shown(&gateway, "admin token:").await.expect("an admin token");
    let keys = gateway.ask(Request::get("/admin/virtual-keys").key(&token)).await.expect(200).json();
    assert_eq!(keys["data"].as_array().map(Vec::len), Some(1), "the failed start left no key: {keys}");
}
