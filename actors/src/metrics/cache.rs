//! What was found in the cache, and how often that was right.

use std::time::Duration;

use prometheus::{Error, Gauge, Histogram, IntCounterVec, IntGauge};

use super::Metrics;
use super::families::Families;

const EMBEDDING_SECONDS: [f64; 9] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0];

/// What was found in the cache, and how often that was right.
pub(super) struct CacheMetrics {
    pub(super) cache_requests: IntCounterVec,
    pub(super) cache_hit_rate: Gauge,
    pub(super) semantic_skipped: IntCounterVec,
    pub(super) guard_rejected: IntCounterVec,
    pub(super) embedding: Histogram,
    pub(super) embed_queue: IntGauge,
    pub(super) feedback: IntCounterVec,
    pub(super) shadow: IntCounterVec,
    pub(super) precision: Gauge,
    pub(super) precision_lower_bound: Gauge,
    pub(super) questions: IntGauge,
    pub(super) cache_entries: IntGauge,
    pub(super) cache_bytes: IntGauge,
    pub(super) cache_evictions: IntGauge,
}

impl CacheMetrics {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            cache_requests: families.counters(
                "cache_requests_total",
                "Requests with the cache enabled, by result",
                &["result"],
            )?,
            cache_hit_rate: families
                .part("cache_hit_rate", "Share of the cache lookups of this process that were hits")?,
            semantic_skipped: families.counters(
                "semantic_cache_skipped_total",
                "Semantic cache lookups that were skipped, by reason",
                &["reason"],
            )?,
            guard_rejected: families.counters(
                "semantic_cache_guard_rejections_total",
                "Similar questions that the lexical guard rejected, by reason",
                &["reason"],
            )?,
            embedding: families.times(
                "semantic_cache_embedding_seconds",
                "Time to embed a text, including the wait for a thread",
                &EMBEDDING_SECONDS,
            )?,
            embed_queue: families.sampled("semantic_cache_embed_queue", "Texts that wait for an embedding thread")?,
            feedback: families.counters(
                "semantic_cache_feedback_total",
                "Feedback on cached responses, by verdict",
                &["verdict"],
            )?,
            shadow: families.counters(
                "semantic_cache_shadow_total",
                "Shadow checks of semantic cache hits, by verdict",
                &["verdict"],
            )?,
            precision: families.part(
                "semantic_cache_precision",
                "Share of recent shadow checks in which cached and fresh response agreed; NaN before the first",
            )?,
            precision_lower_bound: families.part(
                "semantic_cache_precision_lower_bound",
                "Lower bound of semantic_cache_precision at 95 % confidence; NaN before the first check",
            )?,
            questions: families.sampled("semantic_cache_questions", "Questions in the semantic cache")?,
            cache_entries: families.sampled("cache_entries", "Responses in the cache of this process")?,
            cache_bytes: families.sampled("cache_bytes", "Bytes of the cache of this process")?,
            cache_evictions: families.sampled("cache_evictions", "Responses that left the cache of this process")?,
        })
    }
}

impl Metrics {
    /// Counts what became of a request that wanted the cache.
    pub fn cache_request(&self, result: &str) {
        self.cache.cache_requests.with_label_values(&[result]).inc();
    }

    /// Counts a question that was not looked up by its meaning.
    pub fn semantic_skipped(&self, reason: &str) {
        self.cache.semantic_skipped.with_label_values(&[reason]).inc();
    }

    /// Counts a similar question that was told apart.
    pub fn guard_rejected(&self, reason: &str) {
        self.cache.guard_rejected.with_label_values(&[reason]).inc();
    }

    /// Counts a verdict on an answer from the cache: `right` or `wrong`.
    pub fn feedback(&self, verdict: &str) {
        self.cache.feedback.with_label_values(&[verdict]).inc();
    }

    /// Counts a text that was embedded.
    pub fn embedded(&self, time: Duration) {
        self.cache.embedding.observe(time.as_secs_f64());
    }

    /// Shows how many texts wait to be embedded.
    pub fn show_embed_queue(&self, waiting: usize) {
        self.cache.embed_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts an answer of the semantic cache that was compared with a fresh one.
    pub fn shadow(&self, verdict: &str) {
        self.cache.shadow.with_label_values(&[verdict]).inc();
    }

    /// Shows how often the semantic cache was right, and how often at least; none where nothing was checked yet.
    pub fn show_precision(&self, estimate: Option<f64>, lower_bound: Option<f64>) {
        self.cache.precision.set(estimate.unwrap_or(f64::NAN));
        self.cache.precision_lower_bound.set(lower_bound.unwrap_or(f64::NAN));
    }

    /// Shows the size of the cache, and the part of its look-ups that were hits.
    pub fn show_cache(&self, (entries, bytes): (usize, u64), evicted: u64, questions: usize) {
        let count = |result: &str| self.cache.cache_requests.with_label_values(&[result]).get() as f64;
        let hits = count("hit") + count("semantic_hit");
        let misses = count("miss") + count("semantic_miss");
        self.cache.cache_hit_rate.set(if hits + misses > 0.0 { hits / (hits + misses) } else { 0.0 });
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.cache.cache_entries.set(whole(entries as u64));
        self.cache.cache_bytes.set(whole(bytes));
        self.cache.cache_evictions.set(whole(evicted));
        self.cache.questions.set(whole(questions as u64));
    }
}
