//! Prices, budgets, usage, and what is stored of answers.

use prometheus::{Error, IntCounterVec};

use super::Metrics;
use super::TokenCount;
use super::families::Families;

/// Prices, budgets, usage, and what is stored of answers.
pub(super) struct MoneyMetrics {
    pub(super) price_lookups: IntCounterVec,
    pub(super) usage_rejected: IntCounterVec,
    pub(super) budget_alerts: IntCounterVec,
    pub(super) alert_webhooks: IntCounterVec,
    pub(super) stored_responses: IntCounterVec,
    pub(super) token_counts: IntCounterVec,
}

impl MoneyMetrics {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            price_lookups: families.counters("price_lookup_total", "Price lookups, by result", &["result"])?,
            usage_rejected: families.counters(
                "llm_usage_rejected_total",
                "Responses whose usage was replaced by the gateway's own count, by reason",
                &["provider", "reason"],
            )?,
            budget_alerts: families.counters(
                "budget_alerts_total",
                "Budgets that reached an alert threshold",
                &["scope"],
            )?,
            alert_webhooks: families.counters(
                "gateway_alert_webhooks_total",
                "Attempts to post an alert",
                &["result"],
            )?,
            stored_responses: families.counters(
                "gateway_stored_responses_total",
                "Responses that were to be stored, by result",
                &["result"],
            )?,
            token_counts: families.counters(
                "gateway_token_counts_total",
                "Token counts of responses without usage, by result; all but `counted` are estimated from bytes",
                &["result"],
            )?,
        })
    }
}

impl Metrics {
    /// Counts a response that was to be stored, by what became of it.
    pub fn stored_response(&self, result: &str) {
        self.money.stored_responses.with_label_values(&[result]).inc();
    }

    /// Counts a price look-up (C1).
    pub fn price_lookup(&self, hit: bool) {
        self.money.price_lookups.with_label_values(&[if hit { "hit" } else { "miss" }]).inc();
    }

    /// Counts an answer whose token counts were not believed: `zero`, `sum` or `implausible`.
    pub fn usage_rejected(&self, provider: &str, reason: &str) {
        self.money.usage_rejected.with_label_values(&[provider, reason]).inc();
    }

    /// Counts a budget that reached an alert threshold (B8); `scope` is `key`, `user` or `team`.
    pub fn budget_alert(&self, scope: &str) {
        self.money.budget_alerts.with_label_values(&[scope]).inc();
    }

    /// Counts an attempt to post an alert; `result` is `delivered`, `failed` (to be tried again) or `given_up`.
    pub fn alert_webhook(&self, result: &str) {
        self.money.alert_webhooks.with_label_values(&[result]).inc();
    }

    /// Counts what became of a count of tokens.
    pub fn token_count(&self, result: TokenCount) {
        self.money.token_counts.with_label_values(&[result.as_str()]).inc();
    }
}
