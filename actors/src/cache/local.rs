//! What a process keeps of the cache by itself, and what the cache is configured with.

use std::sync::Arc;

use super::invalidation::Invalidation;
use super::key::CacheKey;
use super::memory::MemoryCache;
use super::semantic::index::Index;
use super::shadow::{Shadow, ShadowRules};
use crate::embed::pool::EmbedSettings;

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
}

/// This process' answers, and the questions that lead to them; clones share them.
#[derive(Clone)]
pub struct LocalCache {
    /// The answers.
    pub memory: Arc<MemoryCache>,
    /// The questions that they can be found by.
    pub index: Arc<Index>,
    /// What was found of the answers.
    pub shadow: Arc<Shadow>,
}

impl LocalCache {
    /// An empty cache.
    ///
    /// # Errors
    /// Where there is no cache of this size.
    pub fn open(rules: &CacheRules) -> Result<Self, String> {
        Ok(Self {
            memory: Arc::new(MemoryCache::new(rules.max_bytes, rules.max_entry_bytes)?),
            index: Arc::new(Index::new(rules.max_questions)),
            shadow: Arc::new(Shadow::new(rules.shadow)),
        })
    }

    /// Forgets answers, the questions that lead to them, and what was found of those of a namespace. Gives how many
    /// answers there were.
    pub fn forget(&self, invalidation: &Invalidation) -> usize {
        self.shadow.reset(invalidation);
        match invalidation {
            Invalidation::All => {
                self.index.clear();
                self.memory.forget(|_, _| true)
            }
            // A question of a namespace goes when its answer is not found any more.
            Invalidation::Namespace(name) => self.memory.forget(|_, entry| entry.namespace == *name),
            Invalidation::Key(hex) => CacheKey::from_hex(hex).map_or(0, |key| {
                self.index.remove(&key);
                usize::from(self.memory.remove(&key))
            }),
        }
    }
}
