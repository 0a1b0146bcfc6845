//! Inline configs that were read, by the text of their header: the same one comes with every request of a program.

use std::sync::Arc;

use gateway_actors::keys::virtual_key::KeyHash;
use gateway_actors::routing::Plan;
use quick_cache::sync::Cache;

/// Configs that are kept. What one takes is bounded by the size of the header and of its regular expressions.
const MAX_CONFIGS: usize = 32;

/// Headers shorter than this, without regular expressions, are read about as fast as they are looked up.
const WORTH_KEEPING: usize = 512;

/// A config that was read and found allowed.
#[derive(Clone, Debug)]
pub struct ReadConfig {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What was odd in it.
    pub warnings: Arc<[String]>,
}

/// The configs that were used last.
#[derive(Debug)]
pub struct ConfigCache(Cache<KeyHash, ReadConfig>);

impl Default for ConfigCache {
    fn default() -> Self {
        Self(Cache::new(MAX_CONFIGS))
    }
}

impl ConfigCache {
    /// The config that a header's text stands for: kept, or read now.
    ///
    /// # Errors
    /// Those of `read`; they are not kept.
    pub fn get<E>(&self, header: &str, read: impl FnOnce() -> Result<ReadConfig, E>) -> Result<ReadConfig, E> {
        let is_cheap = header.starts_with('{') && !header.contains(['$', '\\']);
        if header.len() < WORTH_KEEPING && is_cheap {
            return read();
        }
        let hash = KeyHash::digest(header);
        if let Some(kept) = self.0.get(&hash) {
            return Ok(kept);
        }
        let config = read()?;
        self.0.insert(hash, config.clone());
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// M-7: what is costly is read once, and no number of different configs is kept.
    #[test]
    fn m7_a_costly_config_is_read_once() {
        let cache = ConfigCache::default();
        let reads = Cell::new(0);
        let read = || {
            reads.set(reads.get() + 1);
            Ok::<_, ()>(ReadConfig { plan: Arc::default(), warnings: Arc::new([]) })
        };
        let costly = format!("{{\"a\":\"{}\"}}", "x".repeat(600));
        cache.get(&costly, read).unwrap();
        cache.get(&costly, read).unwrap();
        assert_eq!(reads.get(), 1);
        cache.get("{}", read).unwrap();
        cache.get("{}", read).unwrap();
        assert_eq!(reads.get(), 3, "a short one is not worth a place");
        assert_eq!(cache.get(&format!("{costly} "), || Err("wrong")).unwrap_err(), "wrong");
        for n in 0..10 * MAX_CONFIGS {
            cache.get(&format!("{costly}{n}"), read).unwrap();
        }
        assert!(cache.0.len() <= MAX_CONFIGS);
    }
}
