//! What a process keeps of the cache by itself, and what the cache is configured with.

use std::sync::Arc;

use serde_json::{Value, json};

use super::invalidation::Invalidation;
use super::key::CacheKey;
use super::memory::MemoryCache;
use super::semantic::search::SemanticSearch;
use super::shadow::ShadowRules;
use crate::embed::pool::EmbedSettings;
use crate::metrics::Metrics;
use crate::runtime::mailbox::MailboxSettings;

/// What the cache is configured with.
#[derive(Clone, Debug)]
pub struct CacheRules {
    /// The most bytes of all answers in memory.
    pub max_bytes: u64,
    /// The most bytes of one answer.
    pub max_entry_bytes: usize,
    /// Whether requests for the same answer at once wait for the first of them.
    pub coalesces: bool,
    /// The most questions that can be found by their meaning.
    pub max_questions: usize,
    /// How such answers are checked.
    pub shadow: ShadowRules,
    /// What makes vectors of texts; none where nothing does.
    pub embed: Option<EmbedSettings>,
    /// The mailbox of the actor.
    pub mailbox: MailboxSettings,
}

/// This process' answers, and the questions that lead to them. `CacheActor` owns them; requests share them through clones,
/// so that no message stands between a request and an answer in memory.
#[derive(Clone)]
pub struct LocalCache {
    /// The answers.
    pub memory: Arc<MemoryCache>,
    /// The questions that they can be found by, with what makes vectors of them.
    pub semantic: Option<SemanticSearch>,
}

impl LocalCache {
    /// An empty cache; no model is loaded yet.
    ///
    /// # Errors
    /// Where there is no cache of this size.
    pub fn new(rules: &CacheRules, metrics: &Arc<Metrics>) -> Result<Self, String> {
        let semantic = rules.embed.clone().map(|settings| SemanticSearch::new(settings, rules, metrics.clone()));
        Ok(Self { memory: Arc::new(MemoryCache::new(rules.max_bytes, rules.max_entry_bytes)?), semantic })
    }

    /// Forgets answers, the questions that lead to them, and what was found of those of a namespace. Gives how many
    /// answers there were.
    pub fn forget(&self, invalidation: &Invalidation) -> usize {
        if let Some(semantic) = &self.semantic {
            semantic.forget(invalidation);
        }
        match invalidation {
            Invalidation::All => self.memory.forget(|_, _| true),
            Invalidation::Namespace(name) => self.memory.forget(|_, entry| entry.namespace == *name),
            Invalidation::Key(hex) => CacheKey::from_hex(hex).map_or(0, |key| usize::from(self.memory.remove(&key))),
        }
    }

    /// Forgets the questions whose answers have expired; `now` is in seconds since 1970.
    pub fn expire(&self, now: u64) {
        if let Some(semantic) = &self.semantic {
            semantic.index.expire(now);
        }
    }

    /// How many questions can be found by their meaning.
    pub fn questions(&self) -> usize {
        self.semantic.as_ref().map_or(0, |semantic| semantic.index.len())
    }

    /// What there is, for `GET /admin/actors`.
    pub fn figures(&self) -> Value {
        let (entries, bytes) = self.memory.size();
        json!({ "entries": entries, "bytes": bytes, "questions": self.questions() })
    }
}
