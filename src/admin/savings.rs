//! `GET /admin/savings`: what routing and the cache saved.

use actix_web::{HttpResponse, Responder, web};
use chrono::{DateTime, Utc};
use gateway_actors::db::SavingsSum;
use gateway_actors::db::actor::ReportSavings;
use gateway_actors::money::amount::PicoUsd;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::usage::span;
use crate::error::method_not_allowed;
use crate::server::state::Worker;

/// Adds the path below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let savings = web::resource("/savings").route(web::get().to(report));
    cfg.service(savings.default_service(web::route().to(method_not_allowed)));
}

#[derive(Deserialize)]
struct Query {
    /// RFC 3339; a month ago where absent.
    from: Option<DateTime<Utc>>,
    /// RFC 3339; now where absent.
    to: Option<DateTime<Utc>>,
}

async fn report(worker: web::Data<Worker>, query: web::Query<Query>) -> Result<impl Responder, AdminError> {
    let (from, to) = span(query.from, query.to);
    let report = ReportSavings { from: from.timestamp_micros(), to: to.timestamp_micros() };
    let savings = worker.shared.store.ask(report).await??;
    let by = |saved: SavingsSum| {
        json!({
            "requests": saved.requests,
            "saved_usd": saved.amount.to_string(),
            "share": share(saved.amount, savings.baseline),
        })
    };
    Ok(HttpResponse::Ok().json(json!({
        "object": "savings",
        "from": from.to_rfc3339(),
        "to": to.to_rfc3339(),
        "requests": savings.requests,
        "cost_usd": savings.cost.to_string(),
        "baseline_usd": savings.baseline.to_string(),
        "saved_usd": savings.saved().to_string(),
        "share": share(savings.saved(), savings.baseline),
        "by_reason": {
            "cache": by(savings.cache),
            "local_models": by(savings.local_models),
            "cheaper_routes": by(savings.cheaper_routes),
            "dearer_routes": by(savings.dearer_routes),
        },
    })))
}

/// A part of the baseline, from 0 to 1 with four decimals; null where there is nothing to compare with.
fn share(saved: PicoUsd, baseline: PicoUsd) -> Value {
    if baseline == PicoUsd::default() {
        return Value::Null;
    }
    json!((saved.as_f64() / baseline.as_f64() * 1e4).round() / 1e4)
}
