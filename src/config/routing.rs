//! `[routing]` and `[configs]`: routing defaults and named routing configs.

use gateway_actors::routing;
use serde::{Deserialize, Serialize};

use super::Config;
use super::check::at_least_one;

/// `[routing]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingSettings {
    /// Upstream attempts per client request, over all targets and retries.
    pub max_total_attempts: u32,
    /// Whether an `x-portkey-config` header may carry a provider credential (`api_key`).
    pub allow_client_api_keys: bool,
    /// Named routing config for requests that send none; empty for none.
    pub default_config: String,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self { max_total_attempts: 10, allow_client_api_keys: false, default_config: String::new() }
    }
}

/// A named config must be readable, and complete without its client.
pub(super) fn check(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    let RoutingSettings { max_total_attempts, default_config, .. } = &config.routing;
    at_least_one(&[("routing.max_total_attempts", u64::from(*max_total_attempts))], wrong);
    if !default_config.is_empty() && !config.configs.contains_key(default_config) {
        wrong("routing.default_config", format!("the section [configs.{default_config}] does not exist"));
    }
    for (slug, value) in &config.configs {
        match routing::parse_value(value) {
            Err(errors) => {
                for error in errors {
                    wrong(&format!("configs.{slug}.{}", error.path), error.message);
                }
            }
            Ok(parsed) => {
                for path in parsed.plan.unsupported_features() {
                    wrong(&format!("configs.{slug}"), format!("{path} is not supported yet"));
                }
                for error in routing::check_engines(&parsed.plan.all_guardrails(), &config.guardrails.engine_types()) {
                    wrong(&format!("configs.{slug}.{}", error.path), error.message);
                }
                for path in parsed.plan.custom_hosts() {
                    wrong(&format!("configs.{slug}"), format!("{path} is not allowed: add a [providers.NAME] entry"));
                }
            }
        }
    }
}
