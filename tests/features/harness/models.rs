//! The embedding model's files, which are fetched once for all tests.

use std::io::Write;
use std::process::Output;
use std::time::Duration;

use tokio::process::Command;

use super::gateway::Setup;
use super::temp_dir::TempDir;

/// Where the files are kept, for the unit tests too.
pub const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/models");

/// Runs a command of the gateway, which may fetch: that takes longer than what the harness else waits for.
pub async fn run(command: &mut Command) -> (Option<i32>, String) {
    let ended = tokio::time::timeout(Duration::from_secs(600), command.output()).await;
    let Output { status, stdout, stderr } = ended.expect("the command ends").expect("the program runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// A configuration with the model at hand. Where no package index is reachable there is none, which is told.
pub async fn with_model(setup: Setup) -> Option<Setup> {
    let setup = setup.set("cache.semantic.cache_path", FETCHED);
    let folder = TempDir::new();
    // What pip needs is up to the machine, and the gateway passes on what it may have of it.
    let surroundings = std::env::vars().filter(|(name, _)| !name.starts_with("GATEWAY_") && name != "DATABASE_URL");
    let mut pull = setup.command(folder.path());
    let (code, text) = run(pull.envs(surroundings).args(["models", "pull"])).await;
    if code == Some(0) {
        return Some(setup);
    }
    skipped(text.lines().next_back().unwrap_or_default());
    None
}

/// Tells that a test is passed over: past the captured output, which nobody sees of a test that passes.
pub fn skipped(why: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED, not tested: the embedding model is not reachable: {why}").unwrap();
}
