//! `/admin/user-limits`, `/admin/team-limits` and `/admin/limits`: what users and teams may do.

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use gateway_actors::keys::registry::SetLimits;
use gateway_actors::limits::Limits;
use gateway_actors::scope::{Scope, ScopeKind};
use serde_json::{Value, json};

use super::AdminError;
use super::body::{Fields, whole};
use super::key_request::limit;
use super::text::check_text;
use crate::error::method_not_allowed;
use crate::server::state::Worker;

type Answer = Result<HttpResponse, AdminError>;

const FIELDS: [&str; 3] = ["requests_per_minute", "tokens_per_minute", "max_parallel"];

/// Adds the paths below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let other = || web::route().to(method_not_allowed);
    let user = web::resource("/user-limits/{id}").route(web::put().to(set_user));
    let team = web::resource("/team-limits/{id}").route(web::put().to(set_team));
    let all = web::resource("/limits").route(web::get().to(list));
    cfg.service(user.default_service(other()))
        .service(team.default_service(other()))
        .service(all.default_service(other()));
}

async fn set_user(worker: web::Data<Worker>, id: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    check_text("user_id", &id)?;
    set(&worker, Scope::new(ScopeKind::User, id.into_inner()), body).await
}

async fn set_team(worker: web::Data<Worker>, id: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    check_text("team_id", &id)?;
    set(&worker, Scope::new(ScopeKind::Team, id.into_inner()), body).await
}

/// What is absent or null is not limited.
async fn set(worker: &Worker, scope: Scope, body: Result<Bytes, Error>) -> Answer {
    let mut fields = Fields::parse(&whole(body)?)?;
    let limits = Limits {
        requests_per_minute: limit(&mut fields, FIELDS[0], "requests per minute")?.flatten(),
        tokens_per_minute: limit(&mut fields, FIELDS[1], "tokens per minute")?.flatten(),
        max_parallel: limit(&mut fields, FIELDS[2], "requests at once")?.flatten(),
    };
    fields.finish(&FIELDS)?;
    let view = view(&scope, limits);
    worker.shared.key_registry.ask(SetLimits { scope, limits }).await??;
    Ok(HttpResponse::Ok().json(view))
}

async fn list(worker: web::Data<Worker>) -> Answer {
    let book = worker.shared.limits.load();
    let views: Vec<Value> = book.all().into_iter().map(|(scope, limits)| view(scope, limits)).collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": views })))
}

fn view(scope: &Scope, limits: Limits) -> Value {
    json!({
        "scope": scope.kind.as_str(),
        "id": &*scope.id,
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "max_parallel": limits.max_parallel,
    })
}
