//! What guardrails found, and what they cost.

use prometheus::{Error, Histogram, HistogramVec, IntCounterVec};

use super::Metrics;
use super::families::Families;

const SECONDS: [f64; 10] = [20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 5e-3, 20e-3, 100e-3, 1.0];

const JUDGE_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

const BYTES: [f64; 8] = [0.0, 16.0, 64.0, 128.0, 256.0, 1024.0, 16384.0, 1048576.0];

/// What guardrails found, and what they cost.
pub(super) struct GuardrailMetrics {
    checks: IntCounterVec,
    seconds: Histogram,
    held: Histogram,
    judge_seconds: HistogramVec,
    judge_errors: IntCounterVec,
}

impl GuardrailMetrics {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            checks: families.counters(
                "guardrail_checks_total",
                "Guardrail checks by what came of them",
                &["type", "action", "verdict"],
            )?,
            seconds: families.times(
                "guardrail_seconds",
                "Time that the guardrails of a request or of an answer took",
                &SECONDS,
            )?,
            held: families.times(
                "guardrail_held_bytes",
                "Most bytes of an answer that its guardrails held back at one time",
                &BYTES,
            )?,
            judge_seconds: families.labelled_times(
                "guardrail_judge_seconds",
                "Time that calls of outside engines of guardrails took",
                &["engine"],
                &JUDGE_SECONDS,
            )?,
            judge_errors: families.counters(
                "guardrail_judge_errors_total",
                "Calls of outside engines of guardrails that gave no verdict",
                &["engine", "reason"],
            )?,
        })
    }
}

impl Metrics {
    /// Counts one check; `kind` is one of the gateway's own.
    pub fn guardrail_check(&self, kind: &str, action: &str, verdict: &str) {
        self.guardrails.checks.with_label_values(&[kind, action, verdict]).inc();
    }

    /// Takes note of what the guardrails of one side took.
    pub fn guardrails_ran(&self, spent: std::time::Duration) {
        self.guardrails.seconds.observe(spent.as_secs_f64());
    }

    /// Takes note of a call of an outside engine; `engine` is one that is configured.
    pub fn guardrail_judge(&self, engine: &str, spent: std::time::Duration) {
        self.guardrails.judge_seconds.with_label_values(&[engine]).observe(spent.as_secs_f64());
    }

    /// Counts a call of an outside engine that gave no verdict.
    pub fn guardrail_judge_failed(&self, engine: &str, reason: &str) {
        self.guardrails.judge_errors.with_label_values(&[engine, reason]).inc();
    }

    /// Takes note of the most bytes that were held back of an answer.
    pub fn guardrails_held(&self, bytes: usize) {
        self.guardrails.held.observe(bytes as f64);
    }
}
