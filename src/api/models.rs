//! `GET /v1/models` and `GET /v1/models/{model}`: what this key may use.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_wire::clients::ClientKind;
use serde_json::{Value, json};

use super::admit::{authorize, limit_address};
use super::inference::WorkerData;
use super::reply::ResponseMeta;
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// Lists the models, in the shape that the caller reads (J23).
pub async fn list(worker: WorkerData, request: HttpRequest) -> HttpResponse {
    let key = admitted(&worker.shared, &request);
    marked(&request, key.map(|key| listed(&request, models(&worker.shared, &key))))
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
    marked(&request, found.map(|model| if is_anthropics(&request) { as_anthropics(&model) } else { model }))
}

/// Whether a client of Anthropic's asks.
fn is_anthropics(request: &HttpRequest) -> bool {
    request.headers().contains_key("anthropic-version")
}

/// A model as Anthropic shows it.
fn as_anthropics(model: &Value) -> Value {
    let id = &model["id"];
    json!({ "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z" })
}

/// A list in the caller's shape. Codex names its version and looks for `models`, which is empty: it knows more of its own
/// models than the gateway, and would take what stands there for all that there is to know.
fn listed(request: &HttpRequest, models: Vec<Value>) -> Value {
    if is_anthropics(request) {
        let models: Vec<Value> = models.iter().map(as_anthropics).collect();
        let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
        let (first, last) = (id(models.first()), id(models.last()));
        return json!({ "data": models, "has_more": false, "first_id": first, "last_id": last });
    }
    let mut list = json!({ "object": "list", "data": models });
    let is_codex = |pair: &str| pair == "client_version" || pair.starts_with("client_version=");
    if request.query_string().split('&').any(is_codex) {
        list["models"] = json!([]);
    }
    list
}

/// The key of a request whose address may ask once more.
fn admitted(shared: &AppState, request: &HttpRequest) -> Result<Arc<VirtualKey>, ApiError> {
    limit_address(shared, request)?;
    authorize(shared, request, Utc::now())
}

/// The aliases, and the priced models of every provider that is ready, as far as the key allows.
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
        listing(&id, provider)
    };
    let allowed =
        |(provider, model): &(&str, &str)| usable(provider) && key.allows_model(provider, model, &is_provider);
    let mut models: Vec<Value> = priced.filter(allowed).map(entry).collect();
    let aliases = &shared.configs.aliases;
    // An alias stands before a model of its name.
    models.retain(|model| model["id"].as_str().is_none_or(|id| aliases.get(id).is_none()));
    let named = aliases.iter().filter(|(name, alias)| key.allows_alias(name) && alias.is_served(&usable));
    models.extend(named.map(|(name, alias)| listing(name, alias.provider().unwrap_or("gateway"))));
    models
}

fn listing(id: &str, owner: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": owner })
}

fn marked(request: &HttpRequest, body: Result<Value, ApiError>) -> HttpResponse {
    let client = if is_anthropics(request) { ClientKind::Messages } else { ClientKind::Chat };
    let meta = ResponseMeta { client, ..ResponseMeta::from_headers(request.headers()) };
    let mut response = match body {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(error) => error.response_for(&meta),
    };
    meta.add_to(&mut response);
    response
}
