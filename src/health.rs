//! `GET /health`, `/health/live`, `/health/ready` and `/metrics`.

use std::time::Instant;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use gateway_actors::actor_stats::Mailbox;
use gateway_actors::breaker::BreakerState;
use gateway_actors::embed::pool::PoolState;
use gateway_actors::metrics_actor::Scrape;
use serde_json::json;

use crate::completion::WorkerData;
use crate::error::{ApiError, Code};
use crate::shutdown::Phase;
use crate::state::Shared;

/// Bad rows of the store that are named one by one.
const MAX_BAD_ROWS: usize = 10;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.configure(always).route("/health/ready", web::get().to(ready)).route("/metrics", web::get().to(metrics));
}

/// Registers what needs nothing but the process.
pub fn always(config: &mut web::ServiceConfig) {
    config.route("/health", web::get().to(health)).route("/health/live", web::get().to(live));
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") }))
}

/// No I/O and no actor: a process that runs is alive (G5).
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

/// 503 while draining or when an actor is gone; what is merely degraded is named, and the answer stays 200.
async fn ready(worker: WorkerData) -> HttpResponse {
    let shared = &worker.shared;
    if *shared.phase.borrow() != Phase::Serving {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "draining" }));
    }
    let gone = gone_actors(&worker);
    if !gone.is_empty() {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "failing", "actors": gone }));
    }
    HttpResponse::Ok().json(json!({ "status": "ready", "degraded": degraded(shared) }))
}

fn gone_actors(worker: &crate::state::Worker) -> Vec<&'static str> {
    let shared = &worker.shared;
    let actors = [
        ("router", worker.router.is_alive()),
        ("key_registry", shared.key_registry.is_alive()),
        ("budget_ledger", shared.routing.treasury.mailbox.is_alive()),
        ("metrics", shared.metrics_actor.is_alive()),
        ("cache", shared.routing.cache.actor.as_ref().is_none_or(Mailbox::is_alive)),
        ("limit_keeper", shared.doorkeeper.keeper.as_ref().is_none_or(Mailbox::is_alive)),
    ];
    actors.iter().filter(|(_, alive)| !alive).map(|(name, _)| *name).collect()
}

fn degraded(shared: &Shared) -> Vec<String> {
    let now = Instant::now();
    let open = shared.routing.providers.iter().filter_map(|(name, provider)| {
        let state = match provider.breaker_state(now) {
            BreakerState::Closed => return None,
            BreakerState::HalfOpen => "half-open",
            BreakerState::Open => "open",
        };
        Some(format!("provider {name}: circuit breaker {state}"))
    });
    let mut degraded: Vec<String> = open.collect();
    degraded.sort();
    if shared.routing.treasury.ledger.store.fails() {
        degraded.push("store: usage rows wait in the journal, and budgets are spent up to what is leased".to_owned());
    }
    let bad = shared.routing.treasury.ledger.store.bad_rows.all();
    degraded.extend(bad.iter().take(MAX_BAD_ROWS).map(|row| format!("bad row: {row}")));
    if bad.len() > MAX_BAD_ROWS {
        degraded.push(format!("{} more bad rows: see GET /admin/bad-rows", bad.len() - MAX_BAD_ROWS));
    }
    if let Some(PoolState::Missing { why }) =
        shared.routing.cache.meanings.as_ref().map(|meanings| meanings.pool.state())
    {
        degraded.push(format!("semantic cache: equal questions alone are found: {why}"));
    }
    if shared.redis.as_ref().is_some_and(|redis| !redis.is_up()) {
        let meanwhile = if shared.config.limits.refuse_without_redis {
            "limited requests are refused"
        } else {
            "each process keeps limits by itself"
        };
        degraded.push(format!("redis: {meanwhile}"));
    }
    degraded
}

async fn metrics(worker: WorkerData) -> HttpResponse {
    let actors = worker.shared.actors();
    match worker.shared.metrics_actor.ask(Scrape { actors }).await {
        Ok(Ok(text)) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(text),
        Ok(Err(error)) => ApiError::new(Code::Internal, format!("The metrics cannot be written: {error}.")).response(),
        Err(error) => ApiError::new(Code::Overloaded, format!("The metrics do not answer: {error}.")).response(),
    }
}
