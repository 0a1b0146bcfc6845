//! `[cache.semantic]` as the embedding pool takes it.

use std::path::PathBuf;
use std::time::Duration;

use gateway_actors::cache::shadow::ShadowRules;
use gateway_actors::embed::fetch::cache_folder::CacheFolder;
use gateway_actors::embed::fetch::hub::Hub;
use gateway_actors::embed::fetch::places::Places;
use gateway_actors::embed::model::Model;
use gateway_actors::embed::pool::EmbedSettings;

use super::{CacheActorSettings, SemanticSettings};

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
    pub(super) fn threshold_of(&self, model: &Model) -> Option<f32> {
        if self.threshold == 0.0 { model.threshold() } else { Some(self.threshold as f32) }
    }

    /// Whether the model knows English alone, as configured or by itself; none where nobody tells.
    pub(super) fn english_only(&self, model: &Model) -> Option<bool> {
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
    pub(super) fn agreement_of(&self, model: &Model) -> Option<f32> {
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

/// Where the user keeps what can be fetched again; a process without a home keeps it with its other data.
fn users_cache() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.map_or_else(|| PathBuf::from("data/models"), |cache| cache.join("gateway/models"))
}
