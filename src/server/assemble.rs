//! Opens the rooms of the process, each from its section of the configuration.

use std::error::Error;
use std::sync::Arc;

use actix_rt::ArbiterHandle;
use gateway_actors::budgets::ledger::Ledger;
use gateway_actors::budgets::ledger_actor::BudgetLedger;
use gateway_actors::cache::local::LocalCache;
use gateway_actors::cache::lookup::AnswerCache;
use gateway_actors::guardrails::Engines;
use gateway_actors::keys::encryption::MasterKey;
use gateway_actors::limits::admission::RateLimiter;
use gateway_actors::limits::in_flight::InFlight;
use gateway_actors::limits::local_rate::AddressRateLimiter;
use gateway_actors::metrics::Metrics;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::request::reserve_budget::Budgets;
use gateway_actors::request::router::Routing;
use gateway_actors::responses::StoredResponses;
use gateway_actors::runtime::mailbox::Mailbox;
use gateway_actors::runtime::registry::{ActorRegistry, Role};
use gateway_actors::system::metrics_actor::MetricsActor;
use gateway_actors::system::{self, Control, ControlSetup, RedisLinks};
use tokio::sync::watch;

use super::providers;
use super::pulse::Pulses;
use super::shutdown::Phase;
use super::state::AppState;
use crate::api::named_configs::NamedConfigs;
use crate::config::Config;
use crate::logging;

/// Starts the actors of the process, and reads what all threads share.
pub(super) async fn assemble(
    config: Config,
    arbiter: &ArbiterHandle,
    phase: watch::Receiver<Phase>,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
) -> Result<AppState, Box<dyn Error>> {
    let out = Outbound::new(config.proxies.clone())?;
    let foundation = Foundation { arbiter: arbiter.clone(), out, ledger, metrics, actors: Arc::default() };
    let master_key = config.open_master_key()?;
    let redis = config.redis.links()?;
    let redis_states = redis.as_ref().map(RedisLinks::states);
    let Control { stored, redis_limiter, cache } = foundation.start_control(&config, &master_key, redis).await?;
    let routing = Arc::new(foundation.open_routing(&config, stored.budget_ledger, cache)?);
    let in_flight = InFlight::new(config.server.max_in_flight);
    let metrics_actor = foundation.open_metrics(&config, &routing, &in_flight)?;
    Ok(AppState {
        keys: stored.keys,
        bodies: config.server.bodies(),
        limits: stored.limits,
        rate_limiter: RateLimiter { redis_limiter, refuse_when_away: config.limits.refuse_without_redis },
        redis: redis_states,
        ip_limiter: address_limit(config.server.ip_rate_limit_per_minute),
        admin_attempts: address_limit(config.server.admin_attempts_per_minute),
        proxies: config.server.proxies(),
        configs: NamedConfigs::open(&config)?,
        key_registry: stored.key_registry,
        store: stored.store,
        responses: StoredResponses::new(
            stored.response_store,
            master_key,
            config.responses.rules(),
            foundation.metrics.clone(),
        ),
        pulses: Pulses::default(),
        metrics: foundation.metrics,
        actors: foundation.actors,
        in_flight,
        routing,
        metrics_actor,
        phase,
        config,
    })
}

/// What rooms are opened with, beside their sections of the configuration.
struct Foundation {
    arbiter: ArbiterHandle,
    out: Outbound,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    actors: Arc<ActorRegistry>,
}

impl Foundation {
    /// Starts the actors that own what is stored.
    async fn start_control(
        &self,
        config: &Config,
        master_key: &MasterKey,
        redis: Option<RedisLinks>,
    ) -> Result<Control, Box<dyn Error>> {
        let cache_rules = config.cache.rules(config.actors.cache);
        let setup = ControlSetup {
            url: config.store.url.clone(),
            wait: config.store.wait_for_store,
            master_key: master_key.clone(),
            ledger: self.ledger.clone(),
            settings: config.ledger_settings(&self.out),
            metrics: self.metrics.clone(),
            redis,
            cache: LocalCache::new(&cache_rules, &self.metrics)?,
            cache_rules,
            mailboxes: config.actors.control(),
            actors: self.actors.clone(),
        };
        let control = system::start(&self.arbiter, setup).await?;
        self.ledger.counter.register(&self.actors);
        Ok(control)
    }

    /// Opens what requests go through: budgets and the providers, beside the cache.
    fn open_routing(
        &self,
        config: &Config,
        budget_ledger: Mailbox<BudgetLedger>,
        cache: AnswerCache,
    ) -> Result<Routing, Box<dyn Error>> {
        let budgets = Budgets { ledger: self.ledger.clone(), mailbox: budget_ledger, rules: config.budget_rules() };
        let catalogue = config.catalogue();
        let outbound = providers::ways_to(&catalogue, &self.out, &config.proxies)?;
        let providers = providers::start(&catalogue, config.actors.provider.mailbox(), &self.arbiter, &self.actors);
        let max_total_attempts = config.routing.max_total_attempts;
        let routes = config.guardrails.engine_routes(&catalogue, &self.out, &outbound);
        let engines = Engines::start(routes, &self.metrics, &self.arbiter, &self.actors);
        let guardrails = config.guardrails.rules(config.actors.guardrails, engines);
        guardrails.pool.register(&self.actors);
        let cache = Arc::new(cache);
        Ok(Routing { catalogue, providers, budgets, cache, guardrails, max_total_attempts, outbound })
    }

    /// Opens the metrics of what runs by now, the log's among them.
    fn open_metrics(
        &self,
        config: &Config,
        routing: &Arc<Routing>,
        in_flight: &InFlight,
    ) -> Result<Mailbox<MetricsActor>, Box<dyn Error>> {
        let (metrics, settings) = (self.metrics.clone(), config.actors.metrics.mailbox());
        let (routing, in_flight, arbiter) = (routing.clone(), in_flight.clone(), self.arbiter.clone());
        let mailbox = MetricsActor::open(metrics, routing, in_flight, settings, arbiter, &self.actors);
        if let Some(lines) = logging::lines() {
            self.metrics.add_counter(lines.dropped())?;
            self.actors.add(Role::Optional, lines.clone());
        }
        Ok(mailbox)
    }
}

fn address_limit(per_minute: u32) -> Option<AddressRateLimiter> {
    (per_minute > 0).then(|| AddressRateLimiter::per_minute(per_minute))
}
