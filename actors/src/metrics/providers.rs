//! Attempts at providers, and their circuit breakers.

use prometheus::{Error, GaugeVec, IntCounterVec};

use super::Metrics;
use super::OTHER;
use super::families::Families;

/// Attempts at providers, and their circuit breakers.
pub(super) struct ProviderMetrics {
    pub(super) attempts: IntCounterVec,
    pub(super) retries: IntCounterVec,
    pub(super) fallbacks: IntCounterVec,
    pub(super) breaker: GaugeVec,
    pub(super) provider_in_flight: GaugeVec,
    pub(super) model_breaker: GaugeVec,
}

impl ProviderMetrics {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            attempts: families.counters(
                "llm_upstream_attempts_total",
                "Attempts at providers",
                &["provider", "outcome"],
            )?,
            retries: families.counters("llm_retries_total", "Attempts repeated at the same target", &["provider"])?,
            fallbacks: families.counters(
                "llm_fallbacks_total",
                "Requests that left a target for the next",
                &["provider"],
            )?,
            breaker: families.gauges(
                "llm_circuit_breaker_state",
                "Circuit breaker of a provider: 0 closed, 1 half-open, 2 open",
                &["provider"],
            )?,
            provider_in_flight: families.gauges(
                "llm_provider_in_flight",
                "Attempts under way at a provider",
                &["provider"],
            )?,
            model_breaker: families.gauges(
                "gateway_model_circuit_breaker_state",
                "Circuit breaker of a provider's model: 0 closed, 1 half-open, 2 open",
                &["provider", "model"],
            )?,
        })
    }
}

impl Metrics {
    /// Counts one attempt at a provider by its outcome (`success`, or a failure's label).
    pub fn attempt(&self, provider: &str, outcome: &str) {
        self.providers.attempts.with_label_values(&[provider, outcome]).inc();
    }

    /// Counts a repetition at the same target.
    pub fn retry(&self, provider: &str) {
        self.providers.retries.with_label_values(&[provider]).inc();
    }

    /// Counts a request that left this provider's target for the next one.
    pub fn fallback(&self, provider: &str) {
        self.providers.fallbacks.with_label_values(&[provider]).inc();
    }

    /// Shows a provider's breaker (0 closed, 1 half-open, 2 open) and its attempts under way.
    pub fn show_provider(&self, provider: &str, breaker: u8, in_flight: usize) {
        self.providers.breaker.with_label_values(&[provider]).set(f64::from(breaker));
        self.providers.provider_in_flight.with_label_values(&[provider]).set(in_flight as f64);
    }

    /// Shows the breakers of a provider's models, as long as there are any; models without a label of their own share one,
    /// which shows the least willing.
    pub fn show_models(&self, provider: &str, breakers: impl Iterator<Item = (String, u8)>) {
        let mut others = None;
        for (model, state) in breakers {
            if self.has_label(provider, &model, false) {
                self.providers.model_breaker.with_label_values(&[provider, &model]).set(f64::from(state));
            } else {
                others = others.max(Some(state));
            }
        }
        if let Some(state) = others {
            self.providers.model_breaker.with_label_values(&[provider, OTHER]).set(f64::from(state));
        }
    }

    /// Forgets the breakers of models, which are then shown anew: those that are gone do not stay behind.
    pub fn forget_models(&self) {
        self.providers.model_breaker.reset();
    }
}
