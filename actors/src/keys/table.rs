//! All virtual keys in memory: what the hot path reads, and the only thing it reads.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::HashMap;
use uuid::Uuid;

use super::virtual_key::{KeyHash, KeyRef, VirtualKey};
use crate::limits::Counters;
use crate::scope::{Scope, ScopeKind};

/// The published table: readers load it without a lock, the key registry swaps it whole.
pub type SharedKeyTable = Arc<ArcSwap<KeyTable>>;

/// Every virtual key, revoked ones included, so that a key it does not hold does not exist (H7).
#[derive(Clone, Default)]
pub struct KeyTable {
    by_hash: HashMap<KeyHash, Arc<VirtualKey>>,
    by_id: HashMap<Uuid, Arc<VirtualKey>>,
}

impl KeyTable {
    /// A table of these keys, each with its counters.
    pub fn new(keys: impl IntoIterator<Item = VirtualKey>) -> Self {
        let mut table = Self::default();
        for key in keys {
            table.put(key);
        }
        table
    }

    /// The key with this text, or with this former one, and the hash to authorize it by. The hash that found the record
    /// is compared again in constant time.
    pub fn find(&self, presented: &str) -> Option<(Arc<VirtualKey>, KeyHash)> {
        let hash = KeyHash::digest(presented);
        Some((self.get(&KeyRef::Hash(hash))?, hash))
    }

    /// The key of this name.
    pub fn get(&self, key: &KeyRef) -> Option<Arc<VirtualKey>> {
        match key {
            KeyRef::Id(id) => self.by_id.get(id).cloned(),
            KeyRef::Hash(hash) => self.by_hash.get(hash).cloned(),
        }
    }

    /// All keys, the oldest first.
    pub fn all(&self) -> Vec<Arc<VirtualKey>> {
        let mut keys: Vec<_> = self.by_id.values().cloned().collect();
        keys.sort_by_key(|key| (key.created_at, key.id));
        keys
    }

    /// A copy of the table in which `key` is new or replaces its former version.
    pub fn with(&self, key: VirtualKey) -> Self {
        self.with_all([key])
    }

    /// A copy of the table in which each of `keys` is new or replaces its former version.
    pub fn with_all(&self, keys: impl IntoIterator<Item = VirtualKey>) -> Self {
        let mut table = self.clone();
        keys.into_iter().for_each(|key| table.put(key));
        table
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A copy of the table without the keys that the condition does not hold for.
    pub fn only(&self, keep: impl Fn(&Uuid) -> bool) -> Self {
        let mut table = self.clone();
        table.by_id.retain(|id, _| keep(id));
        table.by_hash.retain(|_, key| keep(&key.id));
        table
    }

    fn put(&mut self, mut key: VirtualKey) {
        let before = self.by_id.get(&key.id);
        let kept = before.and_then(|before| before.counters.clone());
        // A text that was replaced twice is not the key's any more.
        for hash in before.into_iter().flat_map(|before| before.hashes()) {
            if self.by_hash.get(&hash).is_some_and(|held| held.id == key.id) {
                self.by_hash.remove(&hash);
            }
        }
        let new = || Arc::new(Counters::new(Scope::new(ScopeKind::Key, key.id_text.clone())));
        key.counters = kept.or_else(|| (!key.limits.is_empty()).then(new));
        let key = Arc::new(key);
        for hash in key.hashes() {
            self.by_hash.insert(hash, Arc::clone(&key));
        }
        self.by_id.insert(key.id, key);
    }
}
