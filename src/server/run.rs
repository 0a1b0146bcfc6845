//! Puts the process together: actors first, then the HTTP server, then the wait for a signal.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Actor;
use actix_rt::Arbiter;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use gateway_actors::budgets::ledger::Ledger;
use gateway_actors::budgets::ledger_actor::{LedgerSettings, Webhook};
use gateway_actors::cache::lookup::{AnswerCache, seconds};
use gateway_actors::cache::memory::MemoryCache;
use gateway_actors::cache::semantic::backfill::EmbeddingBackfill;
use gateway_actors::cache::semantic::index::Index;
use gateway_actors::cache::semantic::search::SemanticSearch;
use gateway_actors::cache::shadow::Shadow;
use gateway_actors::cache::single_flight::SingleFlight;
use gateway_actors::embed::pool::EmbedPool;
use gateway_actors::fleet::redis_link::RedisLink;
use gateway_actors::keys::encryption::MasterKey;
use gateway_actors::limits::admission::RateLimiter;
use gateway_actors::limits::in_flight::InFlight;
use gateway_actors::limits::local_rate::AddressRateLimiter;
use gateway_actors::metrics::Metrics;
use gateway_actors::money::prices::{ModelTable, Price, PriceTable};
use gateway_actors::providers::actor::ProviderActor;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::request::reserve_budget::{BudgetRules, Budgets};
use gateway_actors::request::router::{RouterActor, Routing};
use gateway_actors::responses::StoredResponses;
use gateway_actors::routing::{self, Plan};
use gateway_actors::runtime::mailbox::Mailbox;
use gateway_actors::runtime::stats::ActorStats;
use gateway_actors::secret::Secret;
use gateway_actors::system::metrics_actor::MetricsActor;
use gateway_actors::system::{self, Control, ControlSetup, RedisLinks};
use gateway_actors::usage::token_count::CounterPool;
use tokio::sync::watch;

use super::descriptors;
use super::first_start;
use super::http_server;
use super::memory;
use super::pulse::{self, Pulses};
use super::shutdown::{self, Phase, Signals};
use super::startup;
use super::state::{AppState, Worker};
use super::ways_out;
use crate::admin::{AdminAuth, AdminState};
use crate::api::config_cache::ConfigCache;
use crate::api::manners::manners;
use crate::api::routes;
use crate::config::{ActorSettings, BudgetSettings, Config};
use crate::logging;

/// Serves until a signal ends the process; gives its exit code.
///
/// # Errors
/// Where a part cannot start; the text says which and why.
pub async fn run(config: Config) -> Result<ExitCode, Box<dyn Error>> {
    descriptors::raise_limit(config.server.max_in_flight);
    let mut signals = Signals::listen(logging::reopen)?;
    let (phase, phase_seen) = watch::channel(Phase::Serving);
    let listen = config.server.listen.clone();
    let listeners = startup::listen(&listen).await.map_err(|error| format!("server.listen: {listen}: {error}"))?;
    let control = Arbiter::new();
    let metrics = Arc::new(Metrics::new()?);
    let counter = CounterPool::start(config.actors.token_counter.pool(), metrics.clone());
    let ledger = open_ledger(&config.budgets, metrics.clone(), counter)?;
    let assembled = tokio::select! {
        assembled = startup::answering(&listeners, assemble(config, &control, phase_seen, ledger.clone(), metrics)) => assembled,
        () = signals.next() => {
            log::info!("stopped before the start was complete");
            ledger.discard();
            return Ok(ExitCode::SUCCESS);
        }
    };
    // A start that fails leaves nothing behind.
    let shared = Arc::new(assembled.map_err(Box::from).flatten().inspect_err(|_| ledger.discard())?);
    let (admin_token, first_start) =
        first_start::admin_token(shared.config.admin_token.as_ref(), &shared.key_registry).await?;
    let admin_auth = web::Data::new(AdminAuth { token_sha256: admin_token });
    let admin_state = web::Data::new(AdminState {
        keys: shared.key_registry.clone(),
        providers: shared.routing.catalogue.names().map(str::to_owned).collect(),
        configs: shared.plans.keys().cloned().collect(),
    });

    let factory = {
        let shared = shared.clone();
        move || {
            let worker = web::Data::from(worker_of_this_thread(&shared));
            App::new()
                .app_data(worker)
                .app_data(admin_auth.clone())
                .app_data(admin_state.clone())
                .configure(routes::configure)
                .wrap(from_fn(manners))
        }
    };
    actix_rt::spawn(forget_what_is_over(shared.clone()));
    actix_rt::spawn(give_memory_back());
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let server = http_server::build(listeners, &shared.config.server, &shared.metrics, factory)?;
    let handle = server.handle();
    actix_rt::spawn(server);
    for address in &addresses {
        log::info!(address = address.to_string(), version = env!("CARGO_PKG_VERSION"); "listening");
    }
    if let (Some(first_start), Some(address)) = (first_start, addresses.first()) {
        first_start.show(*address, &shared.key_registry).await?;
    }
    Ok(shutdown::on_signal(signals, handle, phase, shared).await)
}

/// Starts the actors of the process, and reads what all threads share.
async fn assemble(
    config: Config,
    control: &Arbiter,
    phase: watch::Receiver<Phase>,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
) -> Result<AppState, Box<dyn Error>> {
    let out = Outbound::new(config.proxies.clone())?;
    let master_key = match &config.master_key {
        Some(key) => MasterKey::from_hex_or_base64(key.expose())?,
        None => MasterKey::load_or_create(config.security.master_key_file.as_ref())?,
    };
    let key_stats = stats("key_registry", "control", &config.actors.key_registry);
    let ledger_stats = stats("budget_ledger", "control", &config.actors.budget_ledger);
    let response_stats = stats("response_store", "control", &config.actors.response_store);
    let limit_stats = stats("redis_limiter", "control", &config.actors.redis_limiter);
    let redis = match config.redis.url.as_str() {
        "" => None,
        url => {
            let link = |used_for| RedisLink::new(url, used_for).map_err(|error| format!("redis.url: {error}"));
            Some(RedisLinks { limits: link("limits")?, answers: link("cached answers")? })
        }
    };
    let redis_state = redis.as_ref().map(|links| (links.limits.state().clone(), links.answers.state().clone()));
    let cache_stats = stats("cache", "control", &config.actors.cache.actor());
    let memory = Arc::new(MemoryCache::new(config.cache.max_bytes, config.cache.max_entry_bytes)?);
    let index = Arc::new(Index::new(config.cache.semantic.max_questions));
    let shadow = Arc::new(Shadow::new(config.cache.semantic.shadow_rules()));
    let setup = ControlSetup {
        memory: memory.clone(),
        index: index.clone(),
        shadow: shadow.clone(),
        cache_stats: cache_stats.clone(),
        url: config.store.url.clone(),
        wait: config.store.wait_for_store,
        master_key: master_key.clone(),
        key_stats: key_stats.clone(),
        ledger: ledger.clone(),
        settings: ledger_settings(&config, &out),
        ledger_stats: ledger_stats.clone(),
        response_stats: response_stats.clone(),
        metrics: metrics.clone(),
        redis,
        limit_stats: limit_stats.clone(),
    };
    let Control { key_registry, keys, limits, redis_limiter, cache, budget_ledger, response_store } =
        system::start(&control.handle(), setup).await?;
    let key_registry = mailbox(key_registry, key_stats.clone(), &config.actors.key_registry);
    let response_store = mailbox(response_store, response_stats.clone(), &config.actors.response_store);
    let responses = StoredResponses::new(response_store, master_key, config.responses.rules(), metrics.clone());
    let budgets = Budgets {
        ledger,
        mailbox: mailbox(budget_ledger, ledger_stats.clone(), &config.actors.budget_ledger),
        rules: BudgetRules {
            default_output_tokens: config.budgets.default_output_tokens,
            shorten_answers: config.budgets.shorten_answers,
            min_output_tokens: config.budgets.min_output_tokens,
            hidden_input: config.budgets.hidden_input,
            hidden_input_tokens: Some(config.budgets.hidden_input_tokens).filter(|tokens| *tokens > 0),
            query_timeout: Duration::from_millis(config.store.query_timeout_ms),
        },
    };
    let mut actors = vec![key_stats, ledger_stats, response_stats];
    actors.extend(budgets.ledger.counter.stats());
    let rate_limiter = RateLimiter {
        redis_limiter: redis_limiter
            .map(|redis_limiter| mailbox(redis_limiter, limit_stats.clone(), &config.actors.redis_limiter)),
        refuse_when_away: config.limits.refuse_without_redis,
    };
    if rate_limiter.redis_limiter.is_some() {
        actors.extend([limit_stats, cache_stats.clone()]);
    }
    let cache = cache.map(|actor| mailbox(actor, cache_stats, &config.actors.cache.actor()));
    let semantic = config.cache.semantic.embed_settings(config.actors.cache).map(|settings| SemanticSearch {
        index,
        pool: EmbedPool::start(settings),
        metrics: metrics.clone(),
        shadow,
    });
    let cache = AnswerCache {
        memory,
        coalesces: config.cache.coalesce,
        max_entry_bytes: config.cache.max_entry_bytes,
        metrics: metrics.clone(),
        single_flight: SingleFlight::default(),
        backfill: semantic.clone().map(|semantic| EmbeddingBackfill::start(semantic, cache.clone())),
        semantic,
        actor: cache,
    };
    actors.extend(cache.semantic.as_ref().map(|semantic| semantic.pool.stats().clone()));

    let catalogue = config.catalogue();
    let outbound = ways_out::to_providers(&catalogue, &out, &config.proxies)?;
    let mut providers = foldhash::HashMap::default();
    for entry in catalogue.entries() {
        let ActorSettings { mailbox, ask_timeout_ms } = config.actors.provider;
        let ask_timeout = Duration::from_millis(ask_timeout_ms);
        let handle = ProviderActor::start(&entry.name, entry.settings.clone(), mailbox, ask_timeout, &control.handle());
        actors.push(handle.mailbox().stats().clone());
        providers.insert(entry.name.clone(), handle);
    }
    let routing = Arc::new(Routing {
        catalogue,
        providers,
        budgets,
        cache: Arc::new(cache),
        max_total_attempts: config.routing.max_total_attempts,
        outbound,
    });
    let in_flight = InFlight::new(config.server.max_in_flight);

    let metrics_stats = stats("metrics", "control", &config.actors.metrics);
    let start_metrics = {
        let (metrics, routing, in_flight) = (metrics.clone(), routing.clone(), in_flight.clone());
        let (stats, control) = (metrics_stats.clone(), control.handle());
        move || {
            let (metrics, routing, in_flight) = (metrics.clone(), routing.clone(), in_flight.clone());
            let actor = MetricsActor { metrics, routing, in_flight, stats: stats.clone() };
            MetricsActor::start_in_arbiter(&control, move |_| actor)
        }
    };
    actors.push(metrics_stats.clone());

    if let Some(lines) = logging::lines() {
        metrics.add_counter(lines.dropped())?;
        actors.push(lines.stats().clone());
    }

    let plans = saved_plans(&config)?;
    let default_plan = plans.get(&config.routing.default_config).cloned().unwrap_or_default();
    Ok(AppState {
        keys,
        in_flight,
        bodies: config.server.bodies(),
        metrics,
        routing,
        limits,
        rate_limiter,
        redis: redis_state,
        ip_limiter: address_limit(config.server.ip_rate_limit_per_minute),
        admin_attempts: address_limit(config.server.admin_attempts_per_minute),
        proxies: config.server.proxies(),
        default_plan,
        aliases: config.aliases(&plans),
        plans,
        inline_configs: ConfigCache::default(),
        key_registry,
        responses,
        metrics_actor: restarting(start_metrics, metrics_stats, &config.actors.metrics),
        pulses: Pulses::default(),
        actors: Mutex::new(actors),
        phase,
        config,
    })
}

fn address_limit(per_minute: u32) -> Option<AddressRateLimiter> {
    (per_minute > 0).then(|| AddressRateLimiter::per_minute(per_minute))
}

/// Opens the usage journal of this process.
fn open_ledger(
    settings: &BudgetSettings,
    metrics: Arc<Metrics>,
    counter: CounterPool,
) -> Result<Arc<Ledger>, Box<dyn Error>> {
    let replica = uuid::Uuid::now_v7().to_string();
    let zone = settings.time_zone.parse::<chrono_tz::Tz>().map_err(|error| format!("budgets.time_zone: {error}"))?;
    let folder = Path::new(&settings.journal);
    let mut ledger = Ledger::open(folder, replica, zone, PriceTable::built_in()?, metrics)
        .map_err(|error| format!("budgets.journal: {}: {error}", settings.journal))?;
    ledger.models = ModelTable::built_in()?;
    ledger.log_unbudgeted = settings.log_unbudgeted;
    ledger.counter = counter;
    ledger.ceiling = settings.ceiling_price.map(|ceiling| Price {
        input: ceiling.input,
        output: ceiling.output,
        ..Price::default()
    });
    Ok(Arc::new(ledger))
}

fn ledger_settings(config: &Config, out: &Outbound) -> LedgerSettings {
    let settings = &config.budgets;
    let webhook = Webhook {
        url: Secret::new(&config.alerts.webhook_url),
        token: config.alert_webhook_token.clone(),
        outbound: out.clone(),
    };
    LedgerSettings {
        journal: settings.journal.clone().into(),
        flush: Duration::from_millis(settings.flush_ms),
        refresh: Duration::from_millis(settings.refresh_ms),
        lease_idle: Duration::from_millis(settings.lease_idle_ms),
        lease: Duration::from_millis(settings.lease_ms),
        orphan_lease: Duration::from_millis(settings.orphan_lease_ms),
        keep_usage: match settings.usage_retention_days {
            0 => None,
            days => Some(Duration::from_secs(u64::from(days) * 86_400)),
        },
        alert_percent: settings.alert_percent.clone(),
        webhook: (!config.alerts.webhook_url.is_empty()).then_some(webhook),
    }
}

/// The named configs.
fn saved_plans(config: &Config) -> Result<HashMap<String, Arc<Plan>>, String> {
    let mut plans = HashMap::new();
    for (slug, value) in &config.configs {
        let parsed = routing::parse_value(value).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
            format!("configs.{slug}: {}", errors.join("; "))
        })?;
        for warning in parsed.warnings {
            log::warn!("configs.{slug}: {warning}");
        }
        plans.insert(slug.clone(), Arc::new(parsed.plan));
    }
    Ok(plans)
}

/// The state of the current worker thread: the factory runs once for each of a thread's sockets, its router starts once.
fn worker_of_this_thread(shared: &Arc<AppState>) -> Arc<Worker> {
    thread_local! {
        static WORKER: OnceCell<Arc<Worker>> = const { OnceCell::new() };
    }
    WORKER.with(|worker| {
        let start = || {
            let settings = &shared.config.actors.router;
            let stats = stats("router", &format!("worker {:?}", std::thread::current().id()), settings);
            shared.add_actor(stats.clone());
            let start = {
                let (routing, stats) = (shared.routing.clone(), stats.clone());
                move || RouterActor::new(routing.clone(), stats.clone()).start()
            };
            let worker = Arc::new(Worker { shared: shared.clone(), router: restarting(start, stats, settings) });
            actix_rt::spawn(pulse::beat(worker.clone()));
            worker
        };
        worker.get_or_init(start).clone()
    })
}

/// Gives the memory of bursts back, now and then.
async fn give_memory_back() {
    let mut interval = tokio::time::interval(memory::PURGE_INTERVAL);
    loop {
        interval.tick().await;
        memory::give_back();
    }
}

/// Drops the limits of addresses that have not been seen for a while, and questions whose answers have expired.
async fn forget_what_is_over(shared: Arc<AppState>) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        minute.tick().await;
        for limiter in [&shared.ip_limiter, &shared.admin_attempts].into_iter().flatten() {
            limiter.forget_idle();
        }
        if let Some(semantic) = &shared.routing.cache.semantic {
            semantic.index.expire(seconds());
        }
    }
}

fn stats(name: &str, place: &str, settings: &ActorSettings) -> Arc<ActorStats> {
    ActorStats::new(name, place, settings.mailbox)
}

fn mailbox<A: Actor<Context = actix::Context<A>>>(
    address: actix::Addr<A>,
    stats: Arc<ActorStats>,
    settings: &ActorSettings,
) -> Mailbox<A> {
    Mailbox::new(address, stats, Duration::from_millis(settings.ask_timeout_ms))
}

/// A mailbox whose actor is started, and started again whenever it has ended.
fn restarting<A: Actor<Context = actix::Context<A>>>(
    start: impl Fn() -> actix::Addr<A> + Send + Sync + 'static,
    stats: Arc<ActorStats>,
    settings: &ActorSettings,
) -> Mailbox<A> {
    Mailbox::restarting(start, stats, Duration::from_millis(settings.ask_timeout_ms))
}
