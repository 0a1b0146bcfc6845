//! The configuration: built-in defaults, under a TOML file, under the environment.

mod actors;
mod alerts;
mod base_url;
mod budgets;
mod cache;
mod check;
mod compat;
mod engines;
mod guardrails;
mod layers;
mod limits;
mod log;
mod mask;
mod memory_limit;
mod models;
mod outbound;
mod providers;
pub mod proxies;
mod redis;
mod renamed;
mod responses;
mod routing;
mod security;
mod semantic;
mod server;
mod store;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use gateway_actors::providers::catalogue::Catalogue;
use gateway_actors::providers::settings::ProviderSettings;
use gateway_actors::providers::upstream::ProxyRules;
use gateway_actors::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use actors::{ActorSettings, ActorsSettings, CacheActorSettings, TokenCounterSettings};
pub use alerts::AlertSettings;
pub use budgets::{BudgetSettings, CeilingPrice};
pub use cache::CacheSettings;
pub use compat::CompatSettings;
pub use guardrails::GuardrailSettings;
pub use layers::load;
pub use limits::LimitSettings;
pub use log::LogSettings;
pub use models::ModelSettings;
pub use outbound::ProxySettings;
pub use redis::RedisSettings;
pub use responses::ResponseSettings;
pub use routing::RoutingSettings;
pub use security::SecuritySettings;
pub use semantic::SemanticSettings;
pub use server::ServerSettings;
pub use store::StoreSettings;

/// The whole configuration. `config/gateway.toml` lists every key with its default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerSettings,
    /// Mailboxes and timeouts of the actors.
    pub actors: ActorsSettings,
    /// Routing defaults.
    pub routing: RoutingSettings,
    /// Named routing configs by slug, with the fields of the `x-portkey-config` header.
    pub configs: BTreeMap<String, Value>,
    /// Names that clients use for models.
    pub models: BTreeMap<String, ModelSettings>,
    /// Providers: overrides of the built-in catalogue, and additions to it.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Forward proxy for outgoing connections.
    pub proxy: ProxySettings,
    /// The database.
    pub store: StoreSettings,
    /// Redis, shared by a fleet.
    pub redis: RedisSettings,
    /// Rate limits of keys, users and teams.
    pub limits: LimitSettings,
    /// Response cache.
    pub cache: CacheSettings,
    /// Stored responses of `/v1/responses`.
    pub responses: ResponseSettings,
    /// Budgets and the usage log.
    pub budgets: BudgetSettings,
    /// Alerts.
    pub alerts: AlertSettings,
    /// Guardrails of every request.
    pub guardrails: GuardrailSettings,
    /// Compatibility switches for clients of other gateways.
    pub compat: CompatSettings,
    /// Secrets at rest.
    pub security: SecuritySettings,
    /// The log.
    pub log: LogSettings,
    /// `GATEWAY_ADMIN_TOKEN`. Without it the first start makes one.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
    /// `GATEWAY_MASTER_KEY`. Without it the file of `[security]` has the key.
    #[serde(skip)]
    pub master_key: Option<Secret>,
    /// `GATEWAY_ALERT_WEBHOOK_TOKEN`: the bearer token for `alerts.webhook_url`.
    #[serde(skip)]
    pub alert_webhook_token: Option<Secret>,
    /// Forward proxies in force.
    #[serde(skip)]
    pub proxies: ProxyRules,
    /// Environment variables of providers that are set.
    #[serde(skip)]
    pub provider_variables: HashMap<String, Secret>,
    /// Warnings about a valid configuration.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl Config {
    /// The providers with their credentials.
    pub fn catalogue(&self) -> Catalogue {
        let variable = |name: &str| self.provider_variables.get(name).map(|value| value.expose().to_owned());
        Catalogue::new(&self.providers, &variable)
    }

    /// Every effective value as JSON, without secrets.
    pub fn masked_json(&self) -> Value {
        mask::masked(self)
    }
}

/// A mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, such as `server.listen`; empty for the file as a whole.
    pub path: String,
    /// Description of the mistake and its fix.
    pub message: String,
}

impl Problem {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}
