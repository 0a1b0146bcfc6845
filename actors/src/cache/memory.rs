//! The answers of this process, bounded by bytes: what is asked for again stays, the rest makes room (F5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use super::entry::CacheEntry;
use super::key::CacheKey;

/// What an entry is expected to take, for the size of the table.
const USUAL_BYTES: u64 = 4 * 1024;

/// What an entry takes beside itself.
const OVERHEAD: u64 = 128;

#[derive(Clone)]
struct ByBytes;

impl Weighter<CacheKey, Arc<CacheEntry>> for ByBytes {
    fn weight(&self, _: &CacheKey, entry: &Arc<CacheEntry>) -> u64 {
        entry.bytes() as u64 + OVERHEAD
    }
}

/// Counts the answers that made room for others.
#[derive(Clone, Debug, Default)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<CacheKey, Arc<CacheEntry>> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut Self::RequestState, _: CacheKey, _: Arc<CacheEntry>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The answers by their keys.
pub struct MemoryCache {
    cache: Cache<CacheKey, Arc<CacheEntry>, ByBytes, DefaultHashBuilder, Evictions>,
    max_entry_bytes: usize,
    evictions: Evictions,
}

impl MemoryCache {
    /// A shelf of so many bytes in all, and in one entry.
    ///
    /// # Errors
    /// Where the sizes make no sense.
    pub fn new(max_bytes: u64, max_entry_bytes: usize) -> Result<Self, String> {
        let entries = usize::try_from(max_bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(64, 10_000_000);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(max_bytes)
            .build()
            .map_err(|error| error.to_string())?;
        let evictions = Evictions::default();
        let cache = Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), evictions.clone());
        Ok(Self { cache, max_entry_bytes, evictions })
    }

    /// The answer of this key, if it may still be used; `now` is in seconds since 1970.
    pub fn get(&self, key: &CacheKey, now: u64) -> Option<Arc<CacheEntry>> {
        let entry = self.cache.get(key)?;
        if entry.expires_at <= now {
            self.cache.remove(key);
            return None;
        }
        Some(entry)
    }

    /// Keeps an answer; false where it is too large to be kept.
    pub fn put(&self, key: CacheKey, entry: Arc<CacheEntry>) -> bool {
        if entry.bytes() > self.max_entry_bytes {
            return false;
        }
        self.cache.insert(key, entry);
        true
    }

    /// Forgets an answer, and tells whether it was there.
    pub fn remove(&self, key: &CacheKey) -> bool {
        self.cache.remove(key).is_some()
    }

    /// Forgets what the condition holds for, and tells how many that were.
    pub fn forget(&self, condition: impl Fn(&CacheKey, &CacheEntry) -> bool) -> usize {
        let before = self.cache.len();
        self.cache.retain(|key, entry| !condition(key, entry));
        before.saturating_sub(self.cache.len())
    }

    /// How many answers there are, and their bytes.
    pub fn size(&self) -> (usize, u64) {
        (self.cache.len(), self.cache.weight())
    }

    /// How many answers made room for others.
    pub fn evicted(&self) -> u64 {
        self.evictions.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gateway_wire::json_object::JsonObject;
    use serde_json::json;

    use super::*;
    use crate::cache::entry::CachedBody;
    use crate::cache::key::{Surroundings, cache_key};

    fn key(n: usize) -> CacheKey {
        let body = JsonObject::parse(Bytes::from(json!({ "n": n }).to_string())).unwrap();
        let around = Surroundings { tenant: "t", namespace: "", endpoint: "/", plan: "" };
        cache_key(around, &body).unwrap()
    }

    fn entry(bytes: usize, namespace: &str) -> Arc<CacheEntry> {
        Arc::new(CacheEntry {
            tenant: "t".to_owned(),
            namespace: namespace.to_owned(),
            provider: "openai".to_owned(),
            model: "m".to_owned(),
            cost: None,
            stored_at: 100,
            expires_at: 200,
            body: CachedBody::Whole("x".repeat(bytes)),
        })
    }

    /// F5: whatever comes, the bytes are bounded, and what is too large is not kept at all.
    #[test]
    fn f5_the_bytes_are_bounded() {
        let memory = MemoryCache::new(1 << 20, 100_000).unwrap();
        for n in 0..2_000 {
            assert!(memory.put(key(n), entry(10_000, "")));
            assert!(memory.size().1 <= 1 << 20, "{:?}", memory.size());
        }
        assert!(memory.size().0 > 50, "{:?}", memory.size());
        assert_eq!(memory.evicted() + memory.size().0 as u64, 2_000);
        assert!(!memory.put(key(0), entry(100_001, "")));
    }

    /// F5: as many different small answers as may come: their number is bounded by their bytes, and the newest is there.
    #[test]
    fn f5_the_number_is_bounded() {
        let (memory, few) = (MemoryCache::new(1 << 20, 100_000).unwrap(), (1 << 20) / (entry(1, "").bytes() + 128));
        for n in 0..50_000 {
            let key = key(0).with(&n.to_string());
            assert!(memory.put(key, entry(1, "")) && memory.get(&key, 150).is_some());
            assert!(memory.size().0 <= few && memory.size().1 <= 1 << 20, "{:?}", memory.size());
        }
        assert!(memory.size().0 > few * 9 / 10, "{:?} of {few}", memory.size());
        assert_eq!(memory.evicted() + memory.size().0 as u64, 50_000);
    }

    #[test]
    fn an_answer_is_used_until_it_expires_or_is_forgotten() {
        let memory = MemoryCache::new(1 << 20, 100_000).unwrap();
        memory.put(key(1), entry(1, "a"));
        memory.put(key(2), entry(1, "b"));
        assert!(memory.get(&key(1), 199).is_some());
        assert!(memory.get(&key(1), 200).is_none());
        assert_eq!(memory.size().0, 1);
        assert_eq!(memory.forget(|_, entry| entry.namespace == "b"), 1);
        assert!(memory.get(&key(2), 150).is_none());
    }
}
