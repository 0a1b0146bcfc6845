//! What Prometheus sees. Label values come from bounded sets only (G8).

mod cache;
mod families;
mod guardrails;
mod money;
pub mod panics;
mod providers;
mod token_count;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;
use prometheus::{
    Counter, CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Registry, TextEncoder,
};

use self::cache::CacheMetrics;
use self::families::Families;
use self::guardrails::GuardrailMetrics;
use self::money::MoneyMetrics;
use self::providers::ProviderMetrics;
pub use self::token_count::TokenCount;

/// Models of providers with a label of their own, of about forty series each; all further ones share `other`.
const MAX_MODELS: usize = 100;

/// The label of models that are not known to be real.
const OTHER: &str = "other";

const MICROSECONDS: [f64; 12] = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 10e3, 50e3, 200e3];

/// Every metric of the process; cheap to share, written from all threads.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    first_token: HistogramVec,
    cost: CounterVec,
    tokens: IntCounterVec,
    refused: IntCounterVec,
    stalled_clients: IntCounter,
    actor_mailbox: GaugeVec,
    bad_rows: GaugeVec,
    actor_up: GaugeVec,
    cache: CacheMetrics,
    guardrails: GuardrailMetrics,
    providers: ProviderMetrics,
    money: MoneyMetrics,
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
        let families = Families(&registry);
        let cost =
            families.amounts("llm_cost_total_usd", "Cost of LLM requests in US dollars", &["provider", "model"])?;
        let in_flight = families.sampled("llm_requests_in_flight", "Client requests under way")?;
        if let Some(panics) = panics::counter() {
            registry.register(Box::new(panics))?;
        }
        Ok(Self {
            requests: families.counters(
                "llm_requests_total",
                "Total LLM requests",
                &["provider", "model", "status"],
            )?,
            duration: families.seconds("llm_request_duration_seconds", "Duration of LLM requests")?,
            first_token: families
                .seconds("llm_time_to_first_token_seconds", "Time to the first content of a stream")?,
            tokens: families.counters("llm_tokens_total", "Tokens by type", &["provider", "model", "type"])?,
            stalled_clients: families.counter(
                "gateway_stalled_clients_total",
                "Connections reset because the client did not read its response",
            )?,
            refused: families.counters(
                "gateway_refused_requests_total",
                "Requests refused before routing",
                &["reason"],
            )?,
            actor_up: families.gauges("gateway_actor_up", "Whether an actor takes messages and answers", &["actor"])?,
            actor_mailbox: families.gauges(
                "gateway_actor_mailbox_depth",
                "Messages waiting for an actor",
                &["actor"],
            )?,
            bad_rows: families.gauges("gateway_bad_rows", "Rows of the store that cannot be read", &["table"])?,
            cache: CacheMetrics::new(&families)?,
            guardrails: GuardrailMetrics::new(&families)?,
            providers: ProviderMetrics::new(&families)?,
            money: MoneyMetrics::new(&families)?,
            cost,
            overhead: families.times(
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

    /// Counts a connection that was given up because its client took nothing of what was written.
    pub fn client_stalled(&self) {
        self.stalled_clients.inc();
    }

    /// Counts a request refused before routing; `reason` is an error code of the gateway's own table.
    pub fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
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
mod tests;
