//! Puts the process together: actors first, then the HTTP server, then the wait for a signal.

use std::cell::OnceCell;
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix::Actor;
use actix_rt::Arbiter;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use gateway_actors::budgets::ledger::Ledger;
use gateway_actors::metrics::Metrics;
use gateway_actors::money::prices::{ModelTable, Price, PriceTable};
use gateway_actors::request::router::RouterActor;
use gateway_actors::runtime::mailbox::{Mailbox, MailboxSettings};
use gateway_actors::runtime::registry::Role;
use gateway_actors::runtime::stats::ActorStats;
use gateway_actors::usage::token_count::CounterPool;
use serde_json::json;
use tokio::sync::watch;

use super::assemble::assemble;
use super::descriptors;
use super::first_start;
use super::housekeeping::HousekeepingActor;
use super::http_server;
use super::pulse;
use super::shutdown::{self, Phase, Signals};
use super::startup;
use super::state::{AppState, Worker};
use crate::admin::{AdminAuth, AdminState};
use crate::api::manners::manners;
use crate::api::routes;
use crate::config::{BudgetSettings, Config};
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
    let control = Arbiter::new().handle();
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
    serve(shared, listeners, phase, signals).await
}

/// Serves on these listeners until a signal ends the process.
async fn serve(
    shared: Arc<AppState>,
    listeners: Vec<TcpListener>,
    phase: watch::Sender<Phase>,
    signals: Signals,
) -> Result<ExitCode, Box<dyn Error>> {
    let (admin_token, first_start) =
        first_start::admin_token(shared.config.admin_token.as_ref(), &shared.store).await?;
    let admin_auth = web::Data::new(AdminAuth { token_sha256: admin_token });
    let admin_state = web::Data::new(AdminState {
        keys: shared.key_registry.clone(),
        providers: shared.routing.catalogue.names().map(str::to_owned).collect(),
        configs: shared.configs.plans.keys().cloned().collect(),
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
    HousekeepingActor::new(shared.clone()).start();
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let server = http_server::build(listeners, &shared.config.server, &shared.metrics, factory)?;
    let handle = server.handle();
    actix_rt::spawn(server);
    for address in &addresses {
        log::info!(address = address.to_string(), version = env!("CARGO_PKG_VERSION"); "listening");
    }
    if let (Some(first_start), Some(address)) = (first_start, addresses.first()) {
        first_start.show(*address, &shared.key_registry, &shared.store).await?;
    }
    Ok(shutdown::on_signal(signals, handle, phase, shared).await)
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

/// The state of the current worker thread: the factory runs once for each of a thread's sockets, its router starts once.
fn worker_of_this_thread(shared: &Arc<AppState>) -> Arc<Worker> {
    thread_local! {
        static WORKER: OnceCell<Arc<Worker>> = const { OnceCell::new() };
    }
    WORKER.with(|worker| {
        let start = || {
            let worker = Arc::new(Worker { shared: shared.clone(), router: start_router(shared) });
            actix_rt::spawn(pulse::beat(worker.clone()));
            worker
        };
        worker.get_or_init(start).clone()
    })
}

/// Starts the router of the current worker thread. Another thread would start it again on itself, so that it is observed
/// by its counters, and this thread watches over it.
fn start_router(shared: &Arc<AppState>) -> Mailbox<RouterActor> {
    let MailboxSettings { limit, ask_timeout } = shared.config.actors.router.mailbox();
    let stats = ActorStats::new("router", format!("worker {:?}", std::thread::current().id()), limit);
    let in_flight = shared.in_flight.clone();
    let state = move || json!({ "process_in_flight": in_flight.count() });
    shared.actors.add_with_state(Role::Optional, stats.clone(), state);
    let (routing, counted) = (shared.routing.clone(), stats.clone());
    Mailbox::restarting(move || RouterActor::new(routing.clone(), counted.clone()).start(), stats, ask_timeout)
}
