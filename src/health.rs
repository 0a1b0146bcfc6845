//! `GET /health`, `/health/live`, `/health/ready` and `/metrics`.

use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use gateway_actors::embed::pool::PoolState;
use gateway_actors::fleet::redis_link::RedisState;
use gateway_actors::providers::breaker::BreakerState;
use gateway_actors::system::metrics_actor::{self, Scrape};
use serde_json::json;

use crate::api::inference::WorkerData;
use crate::error::{ApiError, Code};
use crate::logging;
use crate::server::shutdown::Phase;
use crate::server::state::AppState;

/// Bad rows of the store that are named one by one.
const MAX_BAD_ROWS: usize = 10;

/// How long a scrape waits for the actor that owns the gauges.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(1);

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

/// No I/O and no actor: a process whose workers all turn is alive (G5). Before there are workers, it is.
async fn live(worker: Option<WorkerData>) -> HttpResponse {
    if worker.is_none_or(|worker| worker.shared.pulses.all_beat(Instant::now())) {
        return HttpResponse::Ok().json(json!({ "status": "alive" }));
    }
    HttpResponse::ServiceUnavailable().json(json!({ "status": "failing", "reason": "a worker thread stands still" }))
}

/// 503 while draining or when an actor is gone; what is merely degraded is named, and the answer stays 200.
async fn ready(worker: WorkerData) -> HttpResponse {
    let shared = &worker.shared;
    if *shared.phase.borrow() != Phase::Serving {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "draining" }));
    }
    let mut gone = shared.actors.missing();
    if !worker.router.is_alive() {
        gone.push("router".to_owned());
    }
    if !gone.is_empty() {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "failing", "actors": gone }));
    }
    HttpResponse::Ok().json(json!({ "status": "ready", "degraded": degraded(shared) }))
}

fn degraded(shared: &AppState) -> Vec<String> {
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
    degraded.extend(shared.routing.budgets.ledger.troubles());
    let bad = shared.routing.budgets.ledger.store.bad_rows.all();
    degraded.extend(bad.iter().take(MAX_BAD_ROWS).map(|row| format!("bad row: {row}")));
    if bad.len() > MAX_BAD_ROWS {
        degraded.push(format!("{} more bad rows: see GET /admin/bad-rows", bad.len() - MAX_BAD_ROWS));
    }
    if let Some(PoolState::Missing { why }) =
        shared.routing.cache.local.semantic.as_ref().map(|semantic| semantic.pool.state())
    {
        degraded.push(format!("semantic cache: equal questions alone are found: {why}"));
    }
    if let Some((limits, answers)) = &shared.redis {
        degraded.extend(degraded_redis(shared, limits, answers));
    }
    degraded
}

fn degraded_redis(shared: &AppState, limits: &RedisState, answers: &RedisState) -> Vec<String> {
    let why = |state: &RedisState| state.refusal().map_or_else(String::new, |code| format!(" (it refuses: {code})"));
    let mut degraded = Vec::new();
    if !limits.is_up() {
        let meanwhile = match shared.config.limits.refuse_without_redis {
            true => "limited requests are refused",
            false => "each process keeps limits by itself",
        };
        degraded.push(format!("redis: {meanwhile}{}", why(limits)));
    } else if limits.is_deaf() {
        degraded.push("redis: what other processes announce is not heard".to_owned());
    }
    if !answers.is_up() {
        degraded.push(format!("redis: each process caches answers by itself{}", why(answers)));
    }
    degraded
}

async fn metrics(worker: WorkerData) -> HttpResponse {
    if let Some(lines) = logging::lines() {
        lines.show_depth();
    }
    let shared = &worker.shared;
    let actors = shared.actors.stats();
    let actor = shared.metrics_actor.within(SCRAPE_TIMEOUT);
    let text = match actor.ask(Scrape { actors: actors.clone() }).await {
        Ok(text) => text,
        // What is counted is known all the same, and the actor that does not answer is shown as such.
        Err(error) => {
            metrics_actor::sample(&shared.metrics, &shared.routing, &shared.in_flight, &actors);
            shared.metrics.show_actor(&error.actor, actor.stats().mailbox_depth(), false);
            shared.metrics.text()
        }
    };
    match text {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(text),
        Err(error) => ApiError::new(Code::Internal, format!("The metrics cannot be written: {error}.")).response(),
    }
}
