//! What the handlers share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_actors::db::actor::StoreActor;
use gateway_actors::fleet::redis_link::RedisState;
use gateway_actors::keys::registry::KeyRegistry;
use gateway_actors::keys::table::KeyTable;
use gateway_actors::limits::admission::RateLimiter;
use gateway_actors::limits::in_flight::InFlight;
use gateway_actors::limits::limit_table::SharedLimitTable;
use gateway_actors::limits::local_rate::AddressRateLimiter;
use gateway_actors::metrics::Metrics;
use gateway_actors::request::router::{RouterActor, Routing};
use gateway_actors::responses::StoredResponses;
use gateway_actors::runtime::mailbox::Mailbox;
use gateway_actors::runtime::registry::ActorRegistry;
use gateway_actors::system::metrics_actor::MetricsActor;
use tokio::sync::watch;

use super::pulse::Pulses;
use super::shutdown::Phase;
use crate::api::body_budget::BodyBudget;
use crate::api::named_configs::NamedConfigs;
use crate::config::Config;
use crate::config::proxies::TrustedProxies;

/// What all worker threads share.
pub struct AppState {
    /// The configuration in force.
    pub config: Config,
    /// The virtual keys.
    pub keys: Arc<ArcSwap<KeyTable>>,
    /// Client requests under way.
    pub in_flight: InFlight,
    /// Bytes of request bodies under way.
    pub bodies: BodyBudget,
    /// The process' metrics.
    pub metrics: Arc<Metrics>,
    /// Providers and prices.
    pub routing: Arc<Routing>,
    /// The limits of users and teams.
    pub limits: SharedLimitTable,
    /// Who lets requests through their limits.
    pub rate_limiter: RateLimiter,
    /// Whether Redis answers, where there is one: for limits and announcements, and for answers.
    pub redis: Option<(RedisState, RedisState)>,
    /// The request limit of each client address, if there is one.
    pub ip_limiter: Option<AddressRateLimiter>,
    /// The limit of wrong admin tokens of each client address, if there is one.
    pub admin_attempts: Option<AddressRateLimiter>,
    /// The proxies whose `x-forwarded-for` is believed.
    pub proxies: TrustedProxies,
    /// The named configs, and the names that clients use for models.
    pub configs: NamedConfigs,
    /// The actor that owns the virtual keys.
    pub key_registry: Mailbox<KeyRegistry>,
    /// The stored responses of `/v1/responses`.
    pub responses: StoredResponses,
    /// The actor of what is kept in the store alone.
    pub store: Mailbox<StoreActor>,
    /// The actor that owns the metrics.
    pub metrics_actor: Mailbox<MetricsActor>,
    /// When each worker thread was last seen to turn.
    pub pulses: Pulses,
    /// Every actor.
    pub actors: Arc<ActorRegistry>,
    /// Whether the process serves, drains, or cuts its streams.
    pub phase: watch::Receiver<Phase>,
}

/// What one worker thread's handlers use.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<AppState>,
    /// This thread's router.
    pub router: Mailbox<RouterActor>,
}
