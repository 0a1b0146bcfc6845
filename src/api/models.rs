//! `GET /v1/models` and `GET /v1/models/{model}`: what this key may use.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::keys::virtual_key::VirtualKey;
use serde_json::{Value, json};

use super::admit::{authorize, limit_address};
use super::inference::WorkerData;
use super::reply::ResponseMeta;
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// Lists the models.
pub async fn list(worker: WorkerData, request: HttpRequest) -> HttpResponse {
    let key = admitted(&worker.shared, &request);
    marked(&request, key.map(|key| json!({ "object": "list", "data": models(&worker.shared, &key) })))
}

/// Shows one model.
pub async fn show(worker: WorkerData, request: HttpRequest, model: web::Path<String>) -> HttpResponse {
    let found = admitted(&worker.shared, &request).and_then(|key| {
        let found = models(&worker.shared, &key).into_iter().find(|entry| entry["id"] == model.as_str());
        found.ok_or_else(|| {
            let message = format!("The model '{model}' does not exist, or this key may not use it.");
            ApiError { param: Some("model".to_owned()), ..ApiError::new(Code::ModelNotFound, message) }
        })
    });
    marked(&request, found)
}

/// The key of a request whose address may ask once more.
fn admitted(shared: &AppState, request: &HttpRequest) -> Result<Arc<VirtualKey>, ApiError> {
    limit_address(shared, request)?;
    authorize(shared, request)
}

/// The priced models of every provider that is ready, as far as the key allows.
fn models(shared: &AppState, key: &VirtualKey) -> Vec<Value> {
    let catalogue = &shared.routing.catalogue;
    let usable = |provider: &str| {
        let own = key.real_api_key.is_some() && key.provider.as_deref() == Some(provider);
        let ready = own || catalogue.get(provider).is_some_and(|entry| entry.ready);
        ready && key.allows_provider(provider)
    };
    let prices = shared.routing.budgets.ledger.prices.load();
    let priced = prices.models();
    let is_provider = |name: &str| catalogue.get(name).is_some();
    let entry = |(provider, model): (&str, &str)| {
        // A model that its bare name does not lead to is listed under the name that does.
        let names_other = model.split_once('/').is_some_and(|(prefix, _)| is_provider(prefix));
        let id = match key.provider.as_deref().or_else(|| catalogue.vendor_of(model)) {
            Some(vendor) if vendor == provider && !names_other => model.to_owned(),
            _ => format!("{provider}/{model}"),
        };
        json!({ "id": id, "object": "model", "created": 0, "owned_by": provider })
    };
    let allowed =
        |(provider, model): &(&str, &str)| usable(provider) && key.allows_model(provider, model, &is_provider);
    priced.filter(allowed).map(entry).collect()
}

fn marked(request: &HttpRequest, body: Result<Value, ApiError>) -> HttpResponse {
    let mut response = match body {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(error) => error.response(),
    };
    ResponseMeta::from_headers(request.headers()).add_to(&mut response);
    response
}
