//! `GET /admin/audit`: what was changed through the admin API, the newest first.

use actix_web::{HttpResponse, web};
use gateway_actors::db::AuditEntry;
use gateway_actors::db::actor::ListAudit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use crate::error::method_not_allowed;
use crate::server::state::Worker;

/// Entries in one answer, at most.
const MAX_ENTRIES: u32 = 1_000;

/// Adds the path below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let audit = web::resource("/audit").route(web::get().to(list));
    cfg.service(audit.default_service(web::route().to(method_not_allowed)));
}

#[derive(Deserialize)]
struct Query {
    limit: Option<u32>,
}

async fn list(worker: web::Data<Worker>, query: web::Query<Query>) -> Result<HttpResponse, AdminError> {
    let most = query.limit.unwrap_or(100).min(MAX_ENTRIES);
    let entries = worker.shared.store.ask(ListAudit { most }).await??;
    let views: Vec<Value> = entries.iter().map(view).collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": views })))
}

fn view(entry: &AuditEntry) -> Value {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    json!({
        "id": entry.id,
        "timestamp": entry.at.time().map(|time| time.to_rfc3339()),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": detail,
    })
}
