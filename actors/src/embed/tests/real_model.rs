//! The pool with the real models. They are fetched once, into `target/`; where nothing is reachable, that is told past the
//! test's captured output, and the tests pass.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gateway_testkit::temp_dir::TestDir;

use crate::embed::fetch::cache_folder::CacheFolder;
use crate::embed::fetch::places::Places;
use crate::embed::fetch::sources;
use crate::embed::model::{MODELS, Model};
use crate::embed::pool::{EmbedPool, EmbedSettings, PoolState};
use crate::embed::refusal::NotEmbedded;
use crate::providers::upstream::ProxyRules;

const PASSWORD: &str = "How do I reset my password?";
const QUESTION: &str = "Quy trình mua sắm tài sản là gì?";

fn places() -> Places {
    let cache = CacheFolder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/models"));
    Places { model_path: None, runtime_path: None, cache, hub: None, proxies: ProxyRules::default(), offline: false }
}

pub(crate) fn settings(model: &'static Model, places: Places) -> EmbedSettings {
    EmbedSettings {
        model,
        places,
        threshold: 0.92,
        english_only: model.english_only.unwrap(),
        workers: 1,
        queue: 64,
        embed_timeout: Duration::from_secs(10),
        at_start: true,
    }
}

fn skipped(why: &str) {
    writeln!(std::io::stderr(), "SKIPPED, not tested: the embedding model is not reachable: {why}").unwrap();
}

/// The places of MiniLM once it is there, or nothing where it cannot be had.
pub(crate) fn minilm() -> Option<Places> {
    let places = places();
    let found = places.obtain(&MODELS[0], false, &|bundle, into| sources::fetch(&places, bundle, into, false));
    found.inspect_err(|why| skipped(why)).ok().map(|_| places)
}

/// Those of multilingual-e5-small, which is looked for in the folder that `GATEWAY_E5_PATH` names.
pub(crate) fn e5_small() -> Option<Places> {
    let Some(folder) = std::env::var_os("GATEWAY_E5_PATH") else {
        skipped("GATEWAY_E5_PATH names no folder with multilingual-e5-small");
        return None;
    };
    Some(Places { model_path: Some(folder.into()), ..minilm()? })
}

/// The pool once its model is ready or missing.
pub(crate) async fn settled(settings: EmbedSettings) -> EmbedPool {
    let (pool, started) = (EmbedPool::new(settings), Instant::now());
    pool.load_at_start();
    while pool.state() == PoolState::Loading {
        assert!(started.elapsed() < Duration::from_secs(120), "the model is not loaded in time");
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
    pool
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

#[actix_rt::test]
async fn minilm_tells_paraphrases() {
    let Some(places) = minilm() else { return };
    let pool = settled(settings(&MODELS[0], places)).await;
    assert!(matches!(pool.state(), PoolState::Ready { model_hash } if model_hash.len() == 64), "{:?}", pool.state());
    let one = pool.embed(PASSWORD).await.unwrap();
    let (same, like) = (pool.embed(PASSWORD).await.unwrap(), pool.embed("How can I reset my password?").await.unwrap());
    let other = pool.embed("What is the capital of France?").await.unwrap();
    assert_eq!(one.len(), 384);
    assert!((cosine(&one, &one) - 1.0).abs() < 1e-5 && (cosine(&one, &same) - 1.0).abs() < 1e-5);
    assert!(cosine(&one, &like) > 0.8, "{}", cosine(&one, &like));
    assert!(cosine(&one, &other) < 0.3, "{}", cosine(&one, &other));
    let report = pool.report();
    assert_eq!((report.handled, report.failed, report.mailbox_depth), (4, 0, 0));
    assert_eq!(report.state["pool"]["model_state"], "ready");
    pool.close().await;
    assert_eq!(pool.embed(PASSWORD).await, Err(NotEmbedded::NotReady));
}

/// What the model cannot tell from other texts has no vector.
#[actix_rt::test]
async fn minilm_refuses_what_it_cannot_tell() {
    let Some(places) = minilm() else { return };
    let pool = settled(settings(&MODELS[0], places)).await;
    for (text, refusal) in [
        (QUESTION, NotEmbedded::OtherLanguage),
        ("What is the meaning of \u{1f980}?", NotEmbedded::Unreadable),
        (" ", NotEmbedded::Unreadable),
        (&"What is this? ".repeat(70), NotEmbedded::TooLong),
        (&"What is this? ".repeat(7_000), NotEmbedded::TooLong),
    ] {
        assert_eq!(pool.embed(text).await, Err(refusal), "{text:.20}");
    }
    // 63 × 4 tokens, and the two that stand round each text.
    assert!(pool.embed(&"What is this? ".repeat(63)).await.is_ok());
    pool.close().await;
}

/// A full queue and a slow answer are told at once; no caller waits for them.
#[actix_rt::test]
async fn nobody_waits_for_the_pool() {
    let Some(places) = minilm() else { return };
    let pool = settled(EmbedSettings { queue: 1, ..settings(&MODELS[0], places.clone()) }).await;
    // None of them leaves the queue before all were asked, as this thread is the one that moves them.
    let answers = join_all((0..20).map(|_| pool.embed(PASSWORD))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(NotEmbedded::Busy)).count(), 19);
    pool.close().await;
    let pool = settled(EmbedSettings { embed_timeout: Duration::ZERO, ..settings(&MODELS[0], places) }).await;
    assert_eq!(pool.embed(PASSWORD).await, Err(NotEmbedded::Slow));
    pool.close().await;
}

/// Without a library nothing panics; the pool tells why, and does not try again at once.
#[actix_rt::test]
async fn a_missing_model_is_told() {
    let folder = TestDir::new();
    let (library, model) = (folder.path().join("libonnxruntime.so"), folder.path().join("model.onnx"));
    for path in [&library, &model] {
        std::fs::write(path, "no library").unwrap();
    }
    for name in crate::embed::model::TOKENIZER_FILES {
        std::fs::write(folder.path().join(name), "{}").unwrap();
    }
    let broken = Places { model_path: Some(folder.path().into()), runtime_path: Some(library), ..places() };
    let absent = Places { runtime_path: Some(folder.path().join("absent.so")), ..broken.clone() };
    // A library that another test has loaded stays loaded; then the model is what is broken.
    for (places, parts) in
        [(broken, &["ONNX Runtime: ", "all-MiniLM-L6-v2: "][..]), (absent, &["cache.semantic.runtime_path: "])]
    {
        let pool = settled(settings(&MODELS[0], places)).await;
        let PoolState::Missing { why } = pool.state() else { panic!("{:?}", pool.state()) };
        assert!(parts.iter().any(|part| why.starts_with(part)), "{why}");
        assert_eq!(pool.embed(PASSWORD).await, Err(NotEmbedded::NotReady));
        assert_eq!(pool.state(), PoolState::Missing { why });
    }
}

/// Nothing is looked for, let alone fetched, before a text comes.
#[actix_rt::test]
async fn nothing_is_loaded_before_it_is_needed() {
    let places = Places { runtime_path: Some(PathBuf::from("/absent.so")), ..places() };
    let pool = EmbedPool::new(EmbedSettings { at_start: false, ..settings(&MODELS[0], places) });
    pool.load_at_start();
    assert_eq!(pool.embed(QUESTION).await, Err(NotEmbedded::OtherLanguage));
    assert_eq!(pool.state(), PoolState::Idle);
    assert_eq!(pool.embed(PASSWORD).await, Err(NotEmbedded::NotReady));
    assert_ne!(pool.state(), PoolState::Idle);
}

/// The multilingual model orders the questions of the semantic cache's example rightly.
#[actix_rt::test]
async fn e5_tells_vietnamese_paraphrases() {
    let Some(places) = e5_small() else { return };
    let model = Model::find("multilingual-e5-small").unwrap();
    let pool = settled(settings(model, places)).await;
    let [one, like, other] = [QUESTION, "Tôi muốn biết về quy định mua sắm", "Thủ tục xin nghỉ phép năm như thế nào?"];
    let (one, like, other) = (pool.embed(one).await.unwrap(), pool.embed(like).await.unwrap(), pool.embed(other).await);
    assert!((0.90..0.95).contains(&cosine(&one, &like)), "{}", cosine(&one, &like));
    assert!(cosine(&one, &other.unwrap()) < 0.88);
    pool.close().await;
}
