//! What one request asks of the cache: the rule of its config, under its own headers.

use std::time::Duration;

use crate::routing::{CacheMode, CacheRule};

/// How long an answer may be used where only a header asks for a cache.
const DEFAULT_AGE: Duration = Duration::from_secs(604_800);

/// What a request's headers say of the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheHeaders {
    /// `x-portkey-cache`: a cache though the config asks for none, or another mode than it asks for.
    pub mode: Option<CacheMode>,
    /// `x-portkey-cache-ttl`, in seconds.
    pub ttl: Option<Duration>,
    /// `x-portkey-cache-namespace`.
    pub namespace: Option<String>,
    /// `x-portkey-cache-force-refresh: true`, or `cache-control: no-cache`.
    pub refresh: bool,
    /// `cache-control: no-store`, or `x-portkey-debug: false`.
    pub off: bool,
    /// `cache-control: max-age=…`: no older answer will do.
    pub freshness: Option<Duration>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct CachePolicy {
    /// How long the answer may be used.
    pub ttl: Duration,
    /// No older answer will do.
    pub freshness: Option<Duration>,
    /// Answers are shared within a namespace alone.
    pub namespace: String,
    /// Whether a stored answer will do.
    pub reads: bool,
    /// Whether the answer may be stored.
    pub writes: bool,
    /// Whether a stored answer is to be replaced.
    pub refresh: bool,
    /// Whether an answer to another question of the same meaning will do.
    pub by_meaning: bool,
    /// How similar that must be; the embedding model's own threshold where absent.
    pub threshold: Option<f32>,
}

impl CachePolicy {
    /// What became of it where no answer was there.
    pub fn missed(&self) -> CacheStatus {
        match (self.refresh, self.by_meaning) {
            (true, _) => CacheStatus::Refresh,
            (false, true) => CacheStatus::SemanticMiss,
            (false, false) => CacheStatus::Miss,
        }
    }
}

/// What a request with this rule and these headers asks for; none where it wants no cache.
pub fn cache_policy(rule: Option<&CacheRule>, headers: &CacheHeaders) -> Option<CachePolicy> {
    let mode = headers.mode.or(rule.map(|rule| rule.mode)).filter(|_| !headers.off)?;
    let (reads, writes) = rule.map_or((true, true), |rule| (rule.read, rule.write));
    let namespace = headers.namespace.clone().or_else(|| rule.and_then(|rule| rule.namespace.clone()));
    Some(CachePolicy {
        ttl: headers.ttl.or(rule.map(|rule| rule.max_age)).unwrap_or(DEFAULT_AGE),
        freshness: headers.freshness,
        namespace: namespace.unwrap_or_default(),
        reads: reads && !headers.refresh,
        writes,
        refresh: headers.refresh,
        by_meaning: mode == CacheMode::Semantic,
        threshold: rule.and_then(|rule| rule.threshold).map(|threshold| threshold as f32),
    })
}

/// What became of a request's wish, as `x-portkey-cache-status` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    /// No cache was wanted.
    #[default]
    Disabled,
    /// The answer was there.
    Hit,
    /// The answer to another question of the same meaning was there.
    SemanticHit,
    /// It was not.
    Miss,
    /// Neither it nor that of another question of the same meaning was there.
    SemanticMiss,
    /// It was to be replaced.
    Refresh,
    /// It was not stored: it is too large, or not the first choice's.
    Bypass,
}

impl CacheStatus {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Hit => "HIT",
            Self::SemanticHit => "SEMANTIC HIT",
            Self::Miss => "MISS",
            Self::SemanticMiss => "SEMANTIC MISS",
            Self::Refresh => "REFRESH",
            Self::Bypass => "BYPASS",
        }
    }

    /// The metric's label.
    pub fn metric_label(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Hit => "hit",
            Self::SemanticHit => "semantic_hit",
            Self::Miss => "miss",
            Self::SemanticMiss => "semantic_miss",
            Self::Refresh => "refresh",
            Self::Bypass => "bypass",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// The metrics know the statuses by their labels alone: the hit rate is made of the right ones.
    #[test]
    fn the_hit_rate_is_that_of_hits_and_misses_of_both_caches() {
        use CacheStatus::{Bypass, Disabled, Hit, Miss, Refresh, SemanticHit, SemanticMiss};
        let metrics = Metrics::new().unwrap();
        for status in [Hit, SemanticHit, SemanticHit, Miss, SemanticMiss, Disabled, Refresh, Bypass] {
            metrics.cache_request(status.metric_label());
        }
        metrics.show_cache((0, 0), 0, 0);
        assert!(metrics.text().unwrap().contains("\ncache_hit_rate 0.6\n"));
    }
}
