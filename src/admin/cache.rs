//! `/admin/cache`: what is stored, and forgetting it.

use actix_web::{HttpResponse, web};
use gateway_actors::budget_ledger::NoteAudit;
use gateway_actors::cache::forget::Forget;
use gateway_actors::cache_actor::ForgetEverywhere;
use serde::Deserialize;
use serde_json::json;

use super::AdminError;
use crate::error::method_not_allowed;
use crate::state::Worker;

type Answer = Result<HttpResponse, AdminError>;

/// Adds the paths below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let other = || web::route().to(method_not_allowed);
    let all = web::resource("/cache").route(web::delete().to(forget));
    let stats = web::resource("/cache/stats").route(web::get().to(stats));
    cfg.service(all.default_service(other())).service(stats.default_service(other()));
}

#[derive(Deserialize)]
struct Query {
    key: Option<String>,
    namespace: Option<String>,
    all: Option<bool>,
}

async fn forget(worker: web::Data<Worker>, query: web::Query<Query>) -> Answer {
    let forget = match query.into_inner() {
        Query { key: Some(key), namespace: None, all: None } if is_key(&key) => Forget::Key(key),
        Query { key: Some(_), namespace: None, all: None } => {
            return Err(AdminError::bad_field("key", "must be the 64 hexadecimal digits of x-gateway-cache-key"));
        }
        Query { key: None, namespace: Some(namespace), all: None } => Forget::Namespace(namespace),
        Query { key: None, namespace: None, all: Some(true) } => Forget::All,
        _ => {
            return Err(AdminError::bad_field(
                "key",
                "is one way to say what to forget: name one of ?key=…, ?namespace=… and ?all=true",
            ));
        }
    };
    let cache = &worker.shared.routing.cache;
    let note = NoteAudit { action: "cache.forget", subject: forget.to_text() };
    worker.shared.routing.treasury.mailbox.ask(note).await??;
    let here = cache.forget(&forget);
    let Some(actor) = &cache.actor else {
        return Ok(HttpResponse::Ok().json(json!({ "forgotten": here })));
    };
    let in_redis = actor.ask(ForgetEverywhere(forget)).await?.map_err(|_away| AdminError::redis_away())?;
    Ok(HttpResponse::Ok().json(json!({ "forgotten": here, "forgotten_in_redis": in_redis })))
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Of this process; the metrics tell the same for each.
async fn stats(worker: web::Data<Worker>) -> HttpResponse {
    let cache = &worker.shared.routing.cache;
    let (entries, bytes) = cache.shelf.size();
    HttpResponse::Ok().json(json!({
        "entries": entries,
        "bytes": bytes,
        "max_bytes": worker.shared.config.cache.max_bytes,
        "evicted": cache.shelf.evicted(),
        "shared": cache.actor.is_some(),
    }))
}
