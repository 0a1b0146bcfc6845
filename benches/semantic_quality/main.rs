//! How often the semantic cache answers wrongly: precision and recall by threshold, with and without the lexical guard.
//!
//! `cargo bench --bench semantic_quality`. MiniLM is fetched where it is not there (`gateway models pull`); a folder with
//! multilingual-e5-small is named by `GATEWAY_E5_PATH`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod lookup;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gateway_actors::embed::fetch::cache_folder::CacheFolder;
use gateway_actors::embed::fetch::places::Places;
use gateway_actors::embed::model::{MODELS, Model};
use gateway_actors::embed::pool::{EmbedPool, EmbedSettings, PoolState};
use gateway_question_guard::differs;
use gateway_question_guard::pairs::{HALVES, Pair, pairs};

/// The seed's three questions.
const SEED: [&str; 3] =
    ["Quy trình mua sắm tài sản là gì?", "Tôi muốn biết về quy định mua sắm", "Làm sao để mua thiết bị văn phòng?"];

const THRESHOLDS: [f32; 8] = [0.85, 0.88, 0.90, 0.92, 0.94, 0.95, 0.96, 0.98];

#[actix_rt::main]
async fn main() {
    lookup::table();
    let pairs = pairs();
    let begun = Instant::now();
    let told_apart: Vec<bool> = pairs.iter().map(|pair| differs(pair.a, pair.b).is_some()).collect();
    let micros = begun.elapsed().as_micros() as f64 / pairs.len() as f64;
    println!("{} pairs; the guard takes {micros:.0} µs a pair\n", pairs.len());
    for model in MODELS {
        let Some(pool) = ready(model).await else { continue };
        let mut vectors: HashMap<&str, Option<Vec<f32>>> = HashMap::new();
        let texts = pairs.iter().flat_map(|pair| [pair.a, pair.b]).chain(SEED);
        for text in texts {
            if !vectors.contains_key(text) {
                vectors.insert(text, pool.embed(text).await.ok());
            }
        }
        let cosine = |a: &str, b: &str| match (&vectors[a], &vectors[b]) {
            (Some(a), Some(b)) => Some(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()),
            _ => None,
        };
        for half in HALVES {
            for language in ["en", "vi"] {
                table(model, half, language, &pairs, &told_apart, &cosine);
            }
        }
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            let words = differs(SEED[one], SEED[other]).map(|difference| difference.as_str());
            println!(
                "seed's questions {} and {}: cosine {:?}, guard {words:?}",
                one + 1,
                other + 1,
                cosine(SEED[one], SEED[other])
            );
        }
        println!();
    }
}

/// The pool of a model that can be had.
async fn ready(model: &'static Model) -> Option<EmbedPool> {
    let e5 = std::env::var_os("GATEWAY_E5_PATH").map(PathBuf::from);
    let model_path = e5.filter(|_| model.skeleton.is_none());
    let cache = CacheFolder(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/models")));
    let places =
        Places { model_path, runtime_path: None, cache, hub: None, proxies: Default::default(), offline: false };
    let embed_timeout = Duration::from_secs(60);
    let (threshold, english_only) = (model.threshold()?, model.english_only?);
    let settings =
        EmbedSettings { model, places, threshold, english_only, workers: 1, queue: 64, embed_timeout, at_start: true };
    let pool = EmbedPool::new(settings);
    pool.load_at_start();
    loop {
        match pool.state() {
            PoolState::Ready { .. } => return Some(pool),
            PoolState::Missing { why } => {
                println!("{}: not measured: {why}\n", model.id);
                return None;
            }
            PoolState::Idle | PoolState::Loading => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn table(
    model: &Model,
    half: &str,
    language: &str,
    pairs: &[Pair],
    told_apart: &[bool],
    cosine: &dyn Fn(&str, &str) -> Option<f32>,
) {
    let chosen: Vec<(&Pair, bool, Option<f32>)> = pairs
        .iter()
        .zip(told_apart)
        .filter(|(pair, _)| pair.half == half && pair.language == language)
        .map(|(pair, apart)| (pair, *apart, cosine(pair.a, pair.b)))
        .collect();
    if chosen.is_empty() {
        return;
    }
    let looked_up = chosen.iter().filter(|(_, _, cosine)| cosine.is_some()).count();
    println!("{} · {language} · {half}: {looked_up} of {} pairs are looked up", model.id, chosen.len());
    if looked_up == 0 {
        return println!();
    }
    println!("| threshold | paraphrases served | wrong pairs served | with the guard: paraphrases | wrong pairs |");
    println!("|---|---|---|---|---|");
    for threshold in THRESHOLDS {
        let served = |same: bool, guarded: bool| {
            let of = chosen.iter().filter(|(pair, _, _)| pair.same == same);
            let hits = of
                .clone()
                .filter(|(_, apart, cosine)| cosine.is_some_and(|cosine| cosine >= threshold) && !(guarded && *apart));
            let (hits, all) = (hits.count(), of.count());
            format!("{hits} of {all} ({:.1} %)", 100.0 * hits as f64 / all as f64)
        };
        let mark = if model.threshold().is_some_and(|own| (threshold - own).abs() < 0.001) { " (default)" } else { "" };
        println!(
            "| {threshold:.2}{mark} | {} | {} | {} | {} |",
            served(true, false),
            served(false, false),
            served(true, true),
            served(false, true)
        );
    }
    println!();
}
