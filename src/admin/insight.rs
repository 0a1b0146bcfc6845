//! `GET /admin/actors` and `GET /admin/config`: the inside of the running process.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use gateway_actors::money::amount::PicoUsd;
use gateway_actors::runtime::stats::{ActorReport, ActorStats};
use serde_json::json;

use crate::logging;
use crate::logging::writer::Lines;
use crate::server::state::{AppState, Worker};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/actors").route(web::get().to(actors)))
        .service(web::resource("/config").route(web::get().to(effective_config)));
}

async fn actors(worker: web::Data<Worker>) -> HttpResponse {
    let shared = &worker.shared;
    // All at once: one that does not answer holds the others up no longer than its own limit.
    let reports = join_all(shared.actors().iter().map(|stats| report(shared, stats))).await;
    HttpResponse::Ok().json(json!({ "actors": reports }))
}

async fn report(shared: &AppState, stats: &Arc<ActorStats>) -> ActorReport {
    let provider = stats.name().strip_prefix("provider:").and_then(|name| shared.routing.providers.get(name));
    match (stats.name(), provider) {
        (_, Some(provider)) => provider.report().await,
        ("key_registry", _) => {
            let state = json!({ "virtual_keys": shared.keys.load().all().len() });
            ActorReport { state, ..shared.key_registry.report() }
        }
        ("budget_ledger", _) => ActorReport { state: ledger_state(shared), ..shared.routing.budgets.mailbox.report() },
        ("embed", _) => match &shared.routing.cache.semantic {
            Some(semantic) => semantic.pool.report(),
            None => stats.report(),
        },
        ("log_writer", _) => logging::lines().map_or_else(|| stats.report(), Lines::report),
        ("metrics", _) => shared.metrics_actor.report(),
        (name @ ("token_counter" | "token_counter:abandoned"), _) => {
            shared.routing.budgets.ledger.counter.report(name).unwrap_or_else(|| stats.report())
        }
        _ => ActorReport { state: json!({ "process_in_flight": shared.in_flight.count() }), ..stats.report() },
    }
}

/// Open reservations, and the way of the usage rows.
fn ledger_state(shared: &AppState) -> serde_json::Value {
    let ledger = &shared.routing.budgets.ledger;
    let balances = ledger.accounts.all().into_iter().map(|account| account.balance());
    let open = balances.map(|balance| balance.reserved).filter(|reserved| *reserved > PicoUsd::default());
    let waiting = ledger.waiting();
    json!({
        "replica": ledger.replica,
        "budgets": ledger.accounts.all().len(),
        "open_attempts": ledger.open_attempts(),
        "open_reservations": open.clone().count(),
        "reserved_usd": open.fold(PicoUsd::default(), PicoUsd::plus).to_string(),
        "rows_waiting": waiting.in_memory,
        "rows_in_journal_only": waiting.in_journal_only,
        "rows_lost": waiting.lost,
        "store_fails": ledger.store.fails(),
        "prices": ledger.prices.load().rows().len(),
    })
}

async fn effective_config(worker: web::Data<Worker>) -> HttpResponse {
    HttpResponse::Ok().json(worker.shared.config.masked_json())
}
