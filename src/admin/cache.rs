//! `/admin/cache`: what is stored, and forgetting it.

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use gateway_actors::cache::actor::{Invalidate, Invalidated};
use gateway_actors::cache::invalidation::Invalidation;
use gateway_actors::cache::key::CacheKey;
use gateway_actors::db::actor::NoteAudit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::body::{Fields, whole};
use super::text::check_remark;
use crate::error::method_not_allowed;
use crate::server::state::Worker;

type Answer = Result<HttpResponse, AdminError>;

/// Adds the paths below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let other = || web::route().to(method_not_allowed);
    let all = web::resource("/cache").route(web::delete().to(forget));
    let stats = web::resource("/cache/stats").route(web::get().to(stats));
    let feedback = web::resource("/cache/feedback").route(web::post().to(feedback));
    cfg.service(all.default_service(other()))
        .service(stats.default_service(other()))
        .service(feedback.default_service(other()));
}

#[derive(Deserialize)]
struct Query {
    key: Option<String>,
    namespace: Option<String>,
    all: Option<bool>,
}

async fn forget(worker: web::Data<Worker>, query: web::Query<Query>) -> Answer {
    let invalidation = match query.into_inner() {
        Query { key: Some(key), namespace: None, all: None } if is_key(&key) => Invalidation::Key(key),
        Query { key: Some(_), namespace: None, all: None } => {
            return Err(AdminError::bad_field("key", "must be the 64 hexadecimal digits of x-gateway-cache-key"));
        }
        Query { key: None, namespace: Some(namespace), all: None } => {
            // The empty one is that of requests that name none.
            if !namespace.is_empty() {
                check_remark("namespace", &namespace)?;
            }
            Invalidation::Namespace(namespace)
        }
        Query { key: None, namespace: None, all: Some(true) } => Invalidation::All,
        _ => {
            return Err(AdminError::bad_field(
                "key",
                "is one way to say what to forget: name one of ?key=…, ?namespace=… and ?all=true",
            ));
        }
    };
    Ok(HttpResponse::Ok().json(invalidate(&worker, invalidation).await?))
}

async fn invalidate(worker: &Worker, invalidation: Invalidation) -> Result<Value, AdminError> {
    let note = NoteAudit { action: "cache.forget", subject: invalidation.to_string() };
    worker.shared.store.ask(note).await??;
    let forgotten = worker.shared.routing.cache.actor.ask(Invalidate(invalidation)).await?;
    let Invalidated { here, in_redis } = forgotten.map_err(|_away| AdminError::redis_away())?;
    Ok(match in_redis {
        None => json!({ "forgotten": here }),
        Some(in_redis) => json!({ "forgotten": here, "forgotten_in_redis": in_redis }),
    })
}

/// Takes a verdict on an answer that came from the cache; a wrong one is forgotten.
async fn feedback(worker: web::Data<Worker>, body: Result<Bytes, Error>) -> Answer {
    let mut fields = Fields::parse(&whole(body)?)?;
    let id = fields.take::<String>("id", "text")?.flatten().filter(|id| is_key(id));
    let id = id.ok_or_else(|| AdminError::bad_field("id", "must be the x-gateway-cache-key of an answer"))?;
    let verdict = fields.take::<String>("verdict", "right or wrong")?.flatten().unwrap_or_default();
    fields.finish(&["id", "verdict"])?;
    let done = match verdict.as_str() {
        "right" => json!({ "forgotten": 0 }),
        "wrong" => {
            // Else the question would find the one that it was taken for.
            let semantic = &worker.shared.routing.cache.local.semantic;
            if let (Some(semantic), Some(key)) = (semantic, CacheKey::from_hex(&id)) {
                semantic.index.set_apart(key);
            }
            invalidate(&worker, Invalidation::Key(id)).await?
        }
        _ => return Err(AdminError::bad_field("verdict", "must be right or wrong")),
    };
    worker.shared.metrics.feedback(&verdict);
    Ok(HttpResponse::Ok().json(done))
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Of this process; the metrics tell the same for each.
async fn stats(worker: web::Data<Worker>) -> HttpResponse {
    let cache = &worker.shared.routing.cache;
    let (entries, bytes) = cache.local.memory.size();
    HttpResponse::Ok().json(json!({
        "entries": entries,
        "bytes": bytes,
        "max_bytes": worker.shared.config.cache.max_bytes,
        "evicted": cache.local.memory.evicted(),
        "questions": cache.local.questions(),
        "shared": cache.is_shared,
        "shadow": cache.local.semantic.as_ref().map(|semantic| semantic.shadow.report(semantic.pool.threshold())),
    }))
}
