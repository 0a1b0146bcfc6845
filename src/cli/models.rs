//! `gateway models`: the embedding models' files, fetched ahead of time and looked at.

use std::time::Instant;

use gateway_actors::embed::embedder::Embedder;
use gateway_actors::embed::fetch::places::ModelFiles;
use gateway_actors::embed::fetch::sources;
use gateway_actors::embed::model::{MODELS, Model};

use crate::config::SemanticSettings;

/// What a check embeds.
const SENTENCE: &str = "What is the capital of France?";

/// Fetches what is not here yet, with progress on the terminal.
///
/// # Errors
/// Where it cannot be had; the text says why.
pub fn pull(settings: &SemanticSettings, model: &Model) -> Result<(), String> {
    let places = settings.places(model);
    let found = places.obtain(model, true, &|bundle, into| sources::fetch(&places, bundle, into, true));
    let found = found.map_err(|why| format!("{}: {why}", model.id))?;
    println!("{}: {}\nONNX Runtime: {}", model.id, found.folder.display(), found.runtime.display());
    Ok(())
}

/// Tells of each measured model, and of the configured one last, whether it is here, where, and what it does with a sentence.
///
/// # Errors
/// Where the configured model is not ready; the text says why.
pub fn check(settings: &SemanticSettings) -> Result<(), String> {
    let configured = Model::find(&settings.model).ok_or_else(|| format!("{}: no such model", settings.model))?;
    let not_ready = |model: &Model, why| format!("{}: not ready: {why}", model.id);
    for model in MODELS.iter().filter(|model| model.id != configured.id) {
        // Nobody asked for it, so that it may well be absent.
        match settings.places(model).here(model) {
            Ok(found) => println!("{}", embed(model, &found).unwrap_or_else(|why| not_ready(model, why))),
            Err(_) => println!("{}: not downloaded", model.id),
        }
    }
    let found = settings.places(configured).here(configured);
    let line = found.and_then(|found| embed(configured, &found)).map_err(|why| not_ready(configured, why))?;
    println!("{line} (configured)");
    Ok(())
}

fn embed(model: &'static Model, found: &ModelFiles) -> Result<String, String> {
    let started = Instant::now();
    let mut embedder = Embedder::load(model, found)?;
    let loaded = started.elapsed();
    // The first one takes longer, as the runtime gets its memory.
    let (mut started, mut vector) = (Instant::now(), embedder.embed(SENTENCE));
    if vector.is_ok() {
        (started, vector) = (Instant::now(), embedder.embed(SENTENCE));
    }
    let embedded = started.elapsed();
    let numbers = vector.map_err(|error| error.to_string())?.len();
    Ok(format!(
        "{}: {}, hash {}, loaded in {:.0} ms, a sentence in {:.1} ms to {numbers} numbers",
        model.id,
        found.folder.display(),
        found.hash,
        loaded.as_secs_f64() * 1e3,
        embedded.as_secs_f64() * 1e3,
    ))
}
