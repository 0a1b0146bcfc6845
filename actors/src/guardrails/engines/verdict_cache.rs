//! Verdicts of one engine, kept for a while. Keys are HMACs, so that no text can be guessed from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_guard::judge::llama_guard::Author;
use hmac::{Hmac, KeyInit, Mac};
use quick_cache::unsync::Cache;
use sha2::Sha256;

use super::verdict::Verdict;

/// Verdicts that are kept.
const MAX_ENTRIES: usize = 10_000;

/// The HMAC of a text and its author.
pub type TextKey = [u8; 32];

/// Verdicts by the HMACs of their texts.
pub struct VerdictCache {
    secret: [u8; 32],
    lifetime: Duration,
    entries: Cache<TextKey, (Instant, Arc<Verdict>)>,
}

impl VerdictCache {
    /// An empty cache with a key of its own; a lifetime of zero keeps nothing.
    pub fn new(lifetime: Duration) -> Self {
        Self { secret: rand::random(), lifetime, entries: Cache::new(MAX_ENTRIES) }
    }

    /// The key of a text.
    pub fn key(&self, author: Author, text: &str) -> TextKey {
        // An HMAC takes keys of any length.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return TextKey::default() };
        hmac.update(&[u8::from(author == Author::Assistant)]);
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().into()
    }

    /// The verdict of a text that still holds.
    pub fn get(&self, key: &TextKey, now: Instant) -> Option<Arc<Verdict>> {
        let (until, verdict) = self.entries.get(key)?;
        (now < *until).then(|| verdict.clone())
    }

    /// Keeps a verdict.
    pub fn keep(&mut self, key: TextKey, verdict: Arc<Verdict>, now: Instant) {
        if !self.lifetime.is_zero() {
            self.entries.insert(key, (now + self.lifetime, verdict));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_holds_for_its_time_its_text_and_its_author() {
        let (mut cache, now) = (VerdictCache::new(Duration::from_secs(10)), Instant::now());
        let key = cache.key(Author::User, "text");
        cache.keep(key, Arc::default(), now);
        let at = |cache: &VerdictCache, key: TextKey, seconds| cache.get(&key, now + Duration::from_secs(seconds));
        assert!(at(&cache, key, 9).is_some() && at(&cache, key, 10).is_none());
        assert!(at(&cache, cache.key(Author::Assistant, "text"), 0).is_none());
        assert!(at(&cache, cache.key(Author::User, "text "), 0).is_none());
        assert_ne!(VerdictCache::new(Duration::ZERO).key(Author::User, "text"), key, "each process has its own key");
        let mut off = VerdictCache::new(Duration::ZERO);
        let key = off.key(Author::User, "text");
        off.keep(key, Arc::default(), now);
        assert!(off.get(&key, now).is_none());
    }
}
