//! `[compat]`: compatibility switches for clients of other gateways.

use serde::{Deserialize, Serialize};

/// `[compat]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatSettings {
    /// Status of a request over budget: 429, or 412 as Portkey sends it.
    pub budget_status: u16,
}

impl Default for CompatSettings {
    fn default() -> Self {
        Self { budget_status: 429 }
    }
}

/// A status must be one that clients of either gateway know.
pub(super) fn check(compat: &CompatSettings, wrong: &mut dyn FnMut(&str, String)) {
    if ![412, 429].contains(&compat.budget_status) {
        wrong("compat.budget_status", "must be 429 or 412".to_owned());
    }
}
