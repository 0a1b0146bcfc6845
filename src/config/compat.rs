//! `[compat]`: compatibility switches for clients of other gateways.

use serde::{Deserialize, Serialize};

/// `[compat]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatSettings {
    /// Status of a request over budget: 429, or 412 as Portkey sends it.
    pub budget_status: u16,
    /// Status of a request or an answer that a guardrail denies: 446 as Portkey sends it, or another 4xx.
    pub guardrail_status: u16,
}

impl Default for CompatSettings {
    fn default() -> Self {
        Self { budget_status: 429, guardrail_status: 446 }
    }
}

/// A status must be one that clients of either gateway know.
pub(super) fn check(compat: &CompatSettings, wrong: &mut dyn FnMut(&str, String)) {
    if ![412, 429].contains(&compat.budget_status) {
        wrong("compat.budget_status", "must be 429 or 412".to_owned());
    }
    if !(400..500).contains(&compat.guardrail_status) {
        wrong("compat.guardrail_status", "must be a status from 400 to 499".to_owned());
    }
}
