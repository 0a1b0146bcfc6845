//! `/admin/user-budgets`, `/admin/team-budgets` and `/admin/budgets`: monthly limits, and what is spent of all limits.

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use gateway_actors::budgets::ledger_actor::{LimitOf, ListBudgets, SetLimit};
use gateway_actors::db::BudgetFigures;
use gateway_actors::keys::virtual_key::KeyRef;
use gateway_actors::money::amount::PicoUsd;
use gateway_actors::money::usd::Usd;
use gateway_actors::scope::ScopeKind;
use serde::Serialize;
use serde_json::json;

use super::AdminError;
use super::body::{Fields, whole};
use super::key_request::usd;
use super::page::Page;
use super::text::check_text;
use crate::error::method_not_allowed;
use crate::server::state::{AppState, Worker};

type Answer = Result<HttpResponse, AdminError>;

/// Adds the paths below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let other = || web::route().to(method_not_allowed);
    let user = web::resource("/user-budgets/{id}").route(web::put().to(set_user));
    let team = web::resource("/team-budgets/{id}").route(web::put().to(set_team));
    let all = web::resource("/budgets").route(web::get().to(list));
    cfg.service(user.default_service(other()))
        .service(team.default_service(other()))
        .service(all.default_service(other()));
}

async fn set_user(worker: web::Data<Worker>, id: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    let id = id.into_inner();
    check_text("user_id", &id)?;
    let limit = set(&worker, LimitOf::User(id.clone()), body).await?;
    Ok(HttpResponse::Ok().json(json!({ "user_id": id, "monthly_limit_usd": limit })))
}

async fn set_team(worker: web::Data<Worker>, id: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    let id = id.into_inner();
    check_text("team_id", &id)?;
    let limit = set(&worker, LimitOf::Team(id.clone()), body).await?;
    Ok(HttpResponse::Ok().json(json!({ "team_id": id, "monthly_limit_usd": limit })))
}

async fn set(worker: &Worker, of: LimitOf, body: Result<Bytes, Error>) -> Result<Option<Usd>, AdminError> {
    const FIELD: &str = "monthly_limit_usd";
    let mut fields = Fields::parse(&whole(body)?)?;
    let limit = usd(&mut fields, FIELD)?;
    fields.finish(&[FIELD])?;
    let limit = limit.ok_or_else(|| AdminError::bad_field(FIELD, "is required; null removes the limit"))?;
    worker.shared.routing.budgets.mailbox.ask(SetLimit { of, limit }).await??;
    Ok(limit)
}

/// One budget as it is shown; amounts are decimal texts, exact to a millionth of a millionth.
#[derive(Serialize)]
struct View {
    scope: &'static str,
    id: String,
    period: String,
    limit_usd: Option<String>,
    spent_usd: String,
    /// Held by requests under way in this process.
    reserved_usd: String,
    /// Granted to replicas and not spent, the reserved part included.
    leased_usd: String,
    /// Granted to replicas that are gone with their journals; it counts as spent until one of these comes back.
    presumed_usd: String,
    remaining_usd: Option<String>,
}

async fn list(worker: web::Data<Worker>, page: web::Query<Page>) -> Answer {
    let shared = &worker.shared;
    let figures = shared.routing.budgets.mailbox.ask(ListBudgets).await??;
    let id =
        |figures: &BudgetFigures| format!("{}/{}/{}", figures.scope.kind.as_str(), figures.scope.id, figures.period);
    Ok(HttpResponse::Ok().json(page.of(&figures, id, |figures| json!(view(shared, figures)))?))
}

fn view(shared: &AppState, figures: &BudgetFigures) -> View {
    let accounts = &shared.routing.budgets.ledger.accounts;
    let account = accounts.find(&figures.scope, &figures.period.as_str().into());
    let reserved = account.map(|account| account.balance().reserved).unwrap_or_default();
    let limit = limit_of(shared, figures.scope.kind, &figures.scope.id);
    View {
        scope: figures.scope.kind.as_str(),
        id: figures.scope.id.to_string(),
        period: figures.period.clone(),
        limit_usd: limit.map(|limit| limit.to_string()),
        spent_usd: figures.spent.to_string(),
        reserved_usd: reserved.to_string(),
        leased_usd: figures.leased.to_string(),
        presumed_usd: figures.presumed.to_string(),
        remaining_usd: limit.map(|limit| limit.minus(figures.spent).minus(figures.presumed).to_string()),
    }
}

fn limit_of(shared: &AppState, kind: ScopeKind, id: &str) -> Option<PicoUsd> {
    let limits = shared.routing.budgets.ledger.accounts.limits();
    match kind {
        ScopeKind::Key => shared.keys.load().get(&KeyRef::from_text(id))?.budget_limit_usd.map(PicoUsd::from),
        ScopeKind::User => limits.users.get(id).copied(),
        ScopeKind::Team => limits.teams.get(id).copied(),
    }
}
