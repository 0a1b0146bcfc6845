//! What Prometheus sees. Label values come from bounded sets only (G8).

pub mod panics;
mod token_count;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use foldhash::HashMap;
use prometheus::{
    Counter, CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, Opts, Registry, TextEncoder,
};

pub use token_count::TokenCount;

/// Models of providers with a label of their own, of about forty series each; all further ones share `other`.
const MAX_MODELS: usize = 100;

/// The label of models that are not known to be real.
const OTHER: &str = "other";

const SECONDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];
const EMBEDDING_SECONDS: [f64; 9] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0];
const MICROSECONDS: [f64; 12] = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 10e3, 50e3, 200e3];

/// Every metric of the process; cheap to share, written from all threads.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    first_token: HistogramVec,
    cost: CounterVec,
    tokens: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    fallbacks: IntCounterVec,
    refused: IntCounterVec,
    stalled_clients: IntCounter,
    price_lookups: IntCounterVec,
    usage_rejected: IntCounterVec,
    budget_alerts: IntCounterVec,
    cache_requests: IntCounterVec,
    cache_hit_rate: Gauge,
    semantic_skipped: IntCounterVec,
    guard_rejected: IntCounterVec,
    embedding: Histogram,
    embed_queue: IntGauge,
    feedback: IntCounterVec,
    shadow: IntCounterVec,
    precision: Gauge,
    precision_lower_bound: Gauge,
    questions: IntGauge,
    cache_entries: IntGauge,
    cache_bytes: IntGauge,
    cache_evictions: IntGauge,
    alert_webhooks: IntCounterVec,
    token_counts: IntCounterVec,
    breaker: GaugeVec,
    provider_in_flight: GaugeVec,
    actor_mailbox: GaugeVec,
    bad_rows: GaugeVec,
    actor_up: GaugeVec,
    model_breaker: GaugeVec,
    /// The gateway's own part of a request's time.
    pub overhead: Histogram,
    /// Client requests under way.
    pub in_flight: IntGauge,
    cutting: AtomicBool,
    targets: RwLock<HashMap<String, HashMap<String, Arc<TargetMetrics>>>>,
    models: RwLock<HashSet<(String, String)>>,
}

/// The counters of one provider and model, looked up once.
pub struct TargetMetrics {
    /// Requests that ended well.
    pub success: IntCounter,
    /// Requests that ended in an error.
    pub error: IntCounter,
    /// Requests whose client left before the end.
    pub cancelled: IntCounter,
    /// From the request's arrival to its end, in seconds.
    pub duration: Histogram,
    /// From the request's arrival to the first content of its stream, in seconds.
    pub first_token: Histogram,
    /// US dollars.
    pub cost: Counter,
    /// Input tokens.
    pub prompt_tokens: IntCounter,
    /// Output tokens.
    pub completion_tokens: IntCounter,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// Where two metrics share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| -> Result<GaugeVec, prometheus::Error> {
            let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let seconds = |name: &str, help: &str| -> Result<HistogramVec, prometheus::Error> {
            let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            let histograms = HistogramVec::new(opts, &["provider", "model"])?;
            registry.register(Box::new(histograms.clone()))?;
            Ok(histograms)
        };
        let cost = CounterVec::new(
            Opts::new("llm_cost_total_usd", "Cost of LLM requests in US dollars"),
            &["provider", "model"],
        )?;
        registry.register(Box::new(cost.clone()))?;
        let times = |name: &str, help: &str, buckets: &[f64]| -> Result<Histogram, prometheus::Error> {
            let times = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(times.clone()))?;
            Ok(times)
        };
        let part = |name: &str, help: &str| -> Result<Gauge, prometheus::Error> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let sampled = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let in_flight = IntGauge::new("llm_requests_in_flight", "Client requests under way")?;
        registry.register(Box::new(in_flight.clone()))?;
        if let Some(panics) = panics::counter() {
            registry.register(Box::new(panics))?;
        }
        let target = ["provider", "model"];
        Ok(Self {
            requests: counters("llm_requests_total", "Total LLM requests", &["provider", "model", "status"])?,
            duration: seconds("llm_request_duration_seconds", "Duration of LLM requests")?,
            first_token: seconds("llm_time_to_first_token_seconds", "Time to the first content of a stream")?,
            tokens: counters("llm_tokens_total", "Tokens by type", &["provider", "model", "type"])?,
            attempts: counters("llm_upstream_attempts_total", "Attempts at providers", &["provider", "outcome"])?,
            retries: counters("llm_retries_total", "Attempts repeated at the same target", &["provider"])?,
            fallbacks: counters("llm_fallbacks_total", "Requests that left a target for the next", &["provider"])?,
            stalled_clients: {
                let help = "Connections reset because the client did not read its response";
                let counter = IntCounter::new("gateway_stalled_clients_total", help)?;
                registry.register(Box::new(counter.clone()))?;
                counter
            },
            refused: counters("gateway_refused_requests_total", "Requests refused before routing", &["reason"])?,
            price_lookups: counters("price_lookup_total", "Price lookups, by result", &["result"])?,
            usage_rejected: counters(
                "llm_usage_rejected_total",
                "Responses whose usage was replaced by the gateway's own count, by reason",
                &["provider", "reason"],
            )?,
            budget_alerts: counters("budget_alerts_total", "Budgets that reached an alert threshold", &["scope"])?,
            alert_webhooks: counters("gateway_alert_webhooks_total", "Attempts to post an alert", &["result"])?,
            token_counts: counters(
                "gateway_token_counts_total",
                "Token counts of responses without usage, by result; all but `counted` are estimated from bytes",
                &["result"],
            )?,
            cache_requests: counters(
                "cache_requests_total",
                "Requests with the cache enabled, by result",
                &["result"],
            )?,
            semantic_skipped: counters(
                "semantic_cache_skipped_total",
                "Semantic cache lookups that were skipped, by reason",
                &["reason"],
            )?,
            guard_rejected: counters(
                "semantic_cache_guard_rejections_total",
                "Similar questions that the lexical guard rejected, by reason",
                &["reason"],
            )?,
            embedding: times(
                "semantic_cache_embedding_seconds",
                "Time to embed a text, including the wait for a thread",
                &EMBEDDING_SECONDS,
            )?,
            embed_queue: sampled("semantic_cache_embed_queue", "Texts that wait for an embedding thread")?,
            feedback: counters(
                "semantic_cache_feedback_total",
                "Feedback on cached responses, by verdict",
                &["verdict"],
            )?,
            questions: sampled("semantic_cache_questions", "Questions in the semantic cache")?,
            shadow: counters(
                "semantic_cache_shadow_total",
                "Shadow checks of semantic cache hits, by verdict",
                &["verdict"],
            )?,
            precision: part(
                "semantic_cache_precision",
                "Share of recent shadow checks in which cached and fresh response agreed; NaN before the first",
            )?,
            precision_lower_bound: part(
                "semantic_cache_precision_lower_bound",
                "Lower bound of semantic_cache_precision at 95 % confidence; NaN before the first check",
            )?,
            cache_hit_rate: part("cache_hit_rate", "Share of the cache lookups of this process that were hits")?,
            cache_entries: sampled("cache_entries", "Responses in the cache of this process")?,
            cache_bytes: sampled("cache_bytes", "Bytes of the cache of this process")?,
            cache_evictions: sampled("cache_evictions", "Responses that left the cache of this process")?,
            breaker: gauges(
                "llm_circuit_breaker_state",
                "Circuit breaker of a provider: 0 closed, 1 half-open, 2 open",
                &target[..1],
            )?,
            provider_in_flight: gauges("llm_provider_in_flight", "Attempts under way at a provider", &target[..1])?,
            actor_up: gauges("gateway_actor_up", "Whether an actor takes messages and answers", &["actor"])?,
            model_breaker: gauges(
                "gateway_model_circuit_breaker_state",
                "Circuit breaker of a provider's model: 0 closed, 1 half-open, 2 open",
                &target,
            )?,
            actor_mailbox: gauges("gateway_actor_mailbox_depth", "Messages waiting for an actor", &["actor"])?,
            bad_rows: gauges("gateway_bad_rows", "Rows of the store that cannot be read", &["table"])?,
            cost,
            overhead: times(
                "gateway_overhead_microseconds",
                "Time a request spent in the gateway itself",
                &MICROSECONDS,
            )?,
            in_flight,
            cutting: AtomicBool::new(false),
            targets: RwLock::default(),
            models: RwLock::default(),
            registry,
        })
    }

    /// The counters of one provider and model; `proven` tells that the model is real.
    pub fn target(&self, provider: &str, model: &str, proven: bool) -> Arc<TargetMetrics> {
        let find = |model: &str| {
            let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
            targets.get(provider).and_then(|models| models.get(model)).cloned()
        };
        // Only a model that has a label of its own is there under its own name.
        if let Some(found) = find(model) {
            return found;
        }
        let model = if self.has_label(provider, model, proven) { model } else { OTHER };
        find(model).unwrap_or_else(|| {
            let metrics = Arc::new(self.new_target(provider, model));
            let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
            targets.entry(provider.to_owned()).or_default().insert(model.to_owned(), metrics.clone());
            metrics
        })
    }

    fn has_label(&self, provider: &str, model: &str, proven: bool) -> bool {
        let pair = (provider.to_owned(), model.to_owned());
        if self.models.read().unwrap_or_else(PoisonError::into_inner).contains(&pair) {
            return true;
        }
        if !proven {
            return false;
        }
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        models.len() < MAX_MODELS && models.insert(pair)
    }

    fn new_target(&self, provider: &str, model: &str) -> TargetMetrics {
        let requests = |status| self.requests.with_label_values(&[provider, model, status]);
        let tokens = |kind| self.tokens.with_label_values(&[provider, model, kind]);
        TargetMetrics {
            success: requests("success"),
            error: requests("error"),
            cancelled: requests("cancelled"),
            duration: self.duration.with_label_values(&[provider, model]),
            first_token: self.first_token.with_label_values(&[provider, model]),
            cost: self.cost.with_label_values(&[provider, model]),
            prompt_tokens: tokens("prompt"),
            completion_tokens: tokens("completion"),
        }
    }

    /// From now on the gateway ends what is under way: a request without an end did not lose its client.
    pub fn cut(&self) {
        self.cutting.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway ends what is under way.
    pub fn is_cutting(&self) -> bool {
        self.cutting.load(Ordering::Relaxed)
    }

    /// Counts one attempt at a provider by its outcome (`success`, or a failure's label).
    pub fn attempt(&self, provider: &str, outcome: &str) {
        self.attempts.with_label_values(&[provider, outcome]).inc();
    }

    /// Counts a repetition at the same target.
    pub fn retry(&self, provider: &str) {
        self.retries.with_label_values(&[provider]).inc();
    }

    /// Counts a request that left this provider's target for the next one.
    pub fn fallback(&self, provider: &str) {
        self.fallbacks.with_label_values(&[provider]).inc();
    }

    /// Counts a connection that was given up because its client took nothing of what was written.
    pub fn client_stalled(&self) {
        self.stalled_clients.inc();
    }

    /// Counts a request refused before routing; `reason` is an error code of the gateway's own table.
    pub fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Counts a price look-up (C1).
    pub fn price_lookup(&self, hit: bool) {
        self.price_lookups.with_label_values(&[if hit { "hit" } else { "miss" }]).inc();
    }

    /// Counts an answer whose token counts were not believed: `zero`, `sum` or `implausible`.
    pub fn usage_rejected(&self, provider: &str, reason: &str) {
        self.usage_rejected.with_label_values(&[provider, reason]).inc();
    }

    /// Counts a budget that reached an alert threshold (B8); `scope` is `key`, `user` or `team`.
    pub fn budget_alert(&self, scope: &str) {
        self.budget_alerts.with_label_values(&[scope]).inc();
    }

    /// Counts an attempt to post an alert; `result` is `delivered`, `failed` (to be tried again) or `given_up`.
    pub fn alert_webhook(&self, result: &str) {
        self.alert_webhooks.with_label_values(&[result]).inc();
    }

    /// Counts what became of a count of tokens.
    pub fn token_count(&self, result: TokenCount) {
        self.token_counts.with_label_values(&[result.as_str()]).inc();
    }

    /// Counts what became of a request that wanted the cache.
    pub fn cache_request(&self, result: &str) {
        self.cache_requests.with_label_values(&[result]).inc();
    }

    /// Counts a question that was not looked up by its meaning.
    pub fn semantic_skipped(&self, reason: &str) {
        self.semantic_skipped.with_label_values(&[reason]).inc();
    }

    /// Counts a similar question that was told apart.
    pub fn guard_rejected(&self, reason: &str) {
        self.guard_rejected.with_label_values(&[reason]).inc();
    }

    /// Counts a verdict on an answer from the cache: `right` or `wrong`.
    pub fn feedback(&self, verdict: &str) {
        self.feedback.with_label_values(&[verdict]).inc();
    }

    /// Counts a text that was embedded.
    pub fn embedded(&self, time: Duration) {
        self.embedding.observe(time.as_secs_f64());
    }

    /// Shows how many texts wait to be embedded.
    pub fn show_embed_queue(&self, waiting: usize) {
        self.embed_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts an answer of the semantic cache that was compared with a fresh one.
    pub fn shadow(&self, verdict: &str) {
        self.shadow.with_label_values(&[verdict]).inc();
    }

    /// Shows how often the semantic cache was right, and how often at least; none where nothing was checked yet.
    pub fn show_precision(&self, estimate: Option<f64>, lower_bound: Option<f64>) {
        self.precision.set(estimate.unwrap_or(f64::NAN));
        self.precision_lower_bound.set(lower_bound.unwrap_or(f64::NAN));
    }

    /// Shows the size of the cache, and the part of its look-ups that were hits.
    pub fn show_cache(&self, (entries, bytes): (usize, u64), evicted: u64, questions: usize) {
        let count = |result: &str| self.cache_requests.with_label_values(&[result]).get() as f64;
        let hits = count("hit") + count("semantic_hit");
        let misses = count("miss") + count("semantic_miss");
        self.cache_hit_rate.set(if hits + misses > 0.0 { hits / (hits + misses) } else { 0.0 });
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.cache_entries.set(whole(entries as u64));
        self.cache_bytes.set(whole(bytes));
        self.cache_evictions.set(whole(evicted));
        self.questions.set(whole(questions as u64));
    }

    /// Shows a provider's breaker (0 closed, 1 half-open, 2 open) and its attempts under way.
    pub fn show_provider(&self, provider: &str, breaker: u8, in_flight: usize) {
        self.breaker.with_label_values(&[provider]).set(f64::from(breaker));
        self.provider_in_flight.with_label_values(&[provider]).set(in_flight as f64);
    }

    /// Shows the breakers of a provider's models, as long as there are any; models without a label of their own share one,
    /// which shows the least willing.
    pub fn show_models(&self, provider: &str, breakers: impl Iterator<Item = (String, u8)>) {
        let mut others = None;
        for (model, state) in breakers {
            if self.has_label(provider, &model, false) {
                self.model_breaker.with_label_values(&[provider, &model]).set(f64::from(state));
            } else {
                others = others.max(Some(state));
            }
        }
        if let Some(state) = others {
            self.model_breaker.with_label_values(&[provider, OTHER]).set(f64::from(state));
        }
    }

    /// Forgets the breakers of models, which are then shown anew: those that are gone do not stay behind.
    pub fn forget_models(&self) {
        self.model_breaker.reset();
    }

    /// Shows how many messages wait for the actors of a name, and whether all of them take more.
    pub fn show_actor(&self, actor: &str, depth: usize, alive: bool) {
        self.actor_mailbox.with_label_values(&[actor]).set(depth as f64);
        self.actor_up.with_label_values(&[actor]).set(f64::from(u8::from(alive)));
    }

    /// Shows how many rows of a table cannot be read.
    pub fn show_bad_rows(&self, table: &str, count: usize) {
        self.bad_rows.with_label_values(&[table]).set(count as f64);
    }

    /// Adds a gauge that the caller sets.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        let gauge = Gauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// Adds a counter that somebody else counts with.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn add_counter(&self, counter: &IntCounter) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(counter.clone()))
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// Where a metric cannot be written.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G8: models that a client invents share one label, and real ones are bounded, over all providers.
    #[test]
    fn g8_invented_models_share_a_label() {
        let metrics = Metrics::new().unwrap();
        for n in 0..100_000 {
            metrics.target("openai", &format!("invented-{n}"), false).error.inc();
            metrics.target("openai", &format!("answered-{n}"), true).success.inc();
        }
        for provider in 0..20 {
            for n in 0..100 {
                metrics.target(&format!("provider-{provider}"), &format!("answered-{n}"), true).error.inc();
            }
        }
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"llm_requests_total{model="other",provider="openai",status="error"} 100000"#));
        assert!(text.lines().count() < 6_000, "{} lines", text.lines().count());
    }
}
