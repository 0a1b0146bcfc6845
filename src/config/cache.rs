//! `[cache]`: the response cache.

use gateway_actors::cache::local::CacheRules;
use serde::{Deserialize, Serialize};

use super::actors::CacheActorSettings;
use super::check::at_least_one;
use super::semantic::{self, SemanticSettings};

/// `[cache]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Memory limit of the cache in bytes.
    pub max_bytes: u64,
    /// Maximum size of one stored response in bytes. Larger responses are not stored.
    pub max_entry_bytes: usize,
    /// Whether identical concurrent requests wait for the first one.
    pub coalesce: bool,
    /// Semantic cache.
    pub semantic: SemanticSettings,
}

impl Default for CacheSettings {
    fn default() -> Self {
        let semantic = SemanticSettings::default();
        Self { max_bytes: 256 << 20, max_entry_bytes: 1 << 20, coalesce: true, semantic }
    }
}

impl CacheSettings {
    /// What the cache is opened with.
    pub fn rules(&self, actor: CacheActorSettings) -> CacheRules {
        CacheRules {
            max_bytes: self.max_bytes,
            max_entry_bytes: self.max_entry_bytes,
            coalesces: self.coalesce,
            max_questions: self.semantic.max_questions,
            shadow: self.semantic.shadow_rules(),
            embed: self.semantic.embed_settings(actor),
            mailbox: actor.actor().mailbox(),
        }
    }
}

/// A cache must have room.
pub(super) fn check(cache: &CacheSettings, wrong: &mut dyn FnMut(&str, String)) {
    let sizes = [("cache.max_bytes", cache.max_bytes), ("cache.max_entry_bytes", cache.max_entry_bytes as u64)];
    at_least_one(&sizes, wrong);
    semantic::check(&cache.semantic, wrong);
}
