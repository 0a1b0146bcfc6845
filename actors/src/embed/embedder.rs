//! One loaded model. Only this file knows ONNX Runtime and, beside the list of its models, fastembed.

#![expect(clippy::disallowed_types, reason = "the room that runs models")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastembed::{InitOptionsUserDefined, OutputKey, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};

use super::fetch::places::ModelFiles;
use super::model::{Model, TOKENIZER_FILES};
use super::refusal::NotEmbedded;

/// What stands for a piece of text that a model does not know, by the kinds of tokenizers.
const UNKNOWN: [&str; 2] = ["[UNK]", "<unk>"];

/// A model in memory. It uses one thread, the caller's.
pub struct Embedder {
    model: &'static Model,
    inner: TextEmbedding,
}

impl Embedder {
    /// Loads a model: some hundred milliseconds, and some hundred MiB for each one that is loaded.
    ///
    /// # Errors
    /// Where the runtime or the model cannot be loaded; the text says why.
    pub fn load(model: &'static Model, found: &ModelFiles) -> Result<Self, String> {
        without_panic(|| {
            load_runtime(&found.runtime)?;
            let options = InitOptionsUserDefined::new().with_intra_threads(1).with_max_length(model.window);
            let inner = TextEmbedding::try_new_from_user_defined(parts(model, found)?, options)
                .map_err(|error| format!("{}: {error}", model.id))?;
            Ok(Self { model, inner })
        })
        .unwrap_or_else(|| Err(format!("{}: the runtime panicked", model.id)))
    }

    /// The vector of a text, of length 1.
    ///
    /// # Errors
    /// Where the text is not one that the model tells from all others, or the model fails.
    pub fn embed(&mut self, text: &str) -> Result<Vec<f32>, NotEmbedded> {
        let text = format!("{}{text}", self.model.prefix);
        let tokens = self.inner.tokenizer.encode(text.as_str(), true).map_err(|_| NotEmbedded::Failed)?;
        if !tokens.get_overflowing().is_empty() {
            return Err(NotEmbedded::TooLong);
        }
        if tokens.get_tokens().iter().any(|token| UNKNOWN.contains(&token.as_str())) {
            return Err(NotEmbedded::Unreadable);
        }
        let vector = self.inner.embed([text], None).ok().and_then(|mut vectors| vectors.pop());
        vector.filter(|vector| vector.len() == self.model.dimensions).ok_or(NotEmbedded::Failed)
    }
}

/// What a closure gives, or nothing where it panics: in foreign code, which must not take its thread along.
pub fn without_panic<T>(closure: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(closure)).ok()
}

/// Before anything else of the runtime, as that would panic where the library is missing.
fn load_runtime(path: &Path) -> Result<(), String> {
    ort::init_from(path).map(drop).map_err(|error| format!("ONNX Runtime: {}: {error}", path.display()))
}

fn parts(model: &Model, found: &ModelFiles) -> Result<UserDefinedEmbeddingModel, String> {
    let path = |name: &str| found.files.iter().find(|(known, _)| *known == name).map(|(_, path)| path);
    let read = |name: &str| {
        let path = path(name).ok_or_else(|| format!("{}: there is no {name}", model.id))?;
        fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let tokenizer = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: read("config.json")?,
        special_tokens_map_file: read("special_tokens_map.json")?,
        tokenizer_config_file: read("tokenizer_config.json")?,
    };
    let skeleton = model.skeleton.filter(|_| path("model.onnx").is_none());
    let graph = skeleton.map_or_else(|| read("model.onnx"), |graph| Ok(graph.to_vec()))?;
    let mut parts = UserDefinedEmbeddingModel::new(graph, tokenizer);
    // What is neither graph nor tokenizer are weights.
    for (name, _) in found.files.iter().filter(|(name, _)| *name != "model.onnx" && !TOKENIZER_FILES.contains(name)) {
        parts = parts.with_external_initializer((*name).to_owned(), read(name)?);
    }
    parts.output_key = model.output.map(OutputKey::ByName);
    Ok(parts.with_pooling(if model.first_token { Pooling::Cls } else { Pooling::Mean }))
}
