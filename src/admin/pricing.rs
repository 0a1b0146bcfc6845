//! `/admin/pricing`: what models cost.

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use gateway_actors::budgets::ledger_actor::SetPrice;
use gateway_actors::money::prices::Price;
use serde::Deserialize;
use serde_json::json;

use super::body::whole;
use super::key_request::check_known;
use super::text::{check_remark, check_text};
use super::{AdminError, AdminState};
use crate::error::method_not_allowed;
use crate::server::state::Worker;

type Answer = Result<HttpResponse, AdminError>;

/// Adds the path below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let pricing = web::resource("/pricing").route(web::get().to(list)).route(web::put().to(set));
    cfg.service(pricing.default_service(web::route().to(method_not_allowed)));
}

#[derive(Deserialize)]
struct Filter {
    provider: Option<String>,
    model: Option<String>,
}

async fn list(worker: web::Data<Worker>, filter: web::Query<Filter>) -> Answer {
    let prices = worker.shared.routing.budgets.ledger.prices.load();
    let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    let wanted = |price: &&Price| is(&filter.provider, &price.provider) && is(&filter.model, &price.model);
    let rows: Vec<&Price> = prices.rows().iter().filter(wanted).collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": rows })))
}

/// One row, as `GET` shows it; it replaces the row of the same provider, model, service tier and date.
async fn set(worker: web::Data<Worker>, state: web::Data<AdminState>, body: Result<Bytes, Error>) -> Answer {
    let price: Price = serde_json::from_slice(&whole(body)?)
        .map_err(|error| AdminError::bad_json(format!("The body must be one price: {error}.")))?;
    price.validate().map_err(|wrong| AdminError::bad_field(&wrong.field, wrong.problem))?;
    check_text("provider", &price.provider)?;
    check_text("model", &price.model)?;
    check_remark("source", &price.source)?;
    // Such a price would never apply; the models of a provider are its own affair.
    check_known("provider", "provider", [&price.provider].into_iter(), |name| state.providers.contains(name))?;
    worker.shared.routing.budgets.mailbox.ask(SetPrice(price.clone())).await??;
    log::info!("admin: the price of {} {} was set", price.provider, price.model);
    Ok(HttpResponse::Ok().json(price))
}
