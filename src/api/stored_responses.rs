//! `/v1/responses/{id}`: responses that were stored, for those who share the key's team, or for the key alone.

mod input_items;

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use gateway_actors::failure::{Failure, FailureKind};
use gateway_actors::guardrails::{Policy, Side, guard_stored};
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::request::router::{ReplyHead, RouteFailure};
use gateway_actors::responses::{ResponseStoreError, StoredResponse};
use gateway_wire::ErrorBody;
use gateway_wire::clients::ClientKind;
use serde_json::{Value, json};

use super::admit::{authorize, limit_address};
use super::inference::WorkerData;
use super::reply::{ResponseMeta, failed};
use super::routing_config;
use crate::error::{ApiError, Code};
use crate::server::state::AppState;
use input_items::{Page, items_of};

type Query = web::Query<HashMap<String, String>>;

/// Shows a stored response as its client got it, as far as the guardrails of whoever reads it let it go.
pub async fn show(worker: WorkerData, request: HttpRequest, id: web::Path<String>, query: Query) -> HttpResponse {
    let shared = &worker.shared;
    let found = async {
        let key = admitted(shared, &request)?;
        if query.get("stream").is_some_and(|stream| stream == "true") {
            let message = "A stored response cannot be streamed: leave 'stream' out.";
            return Err(ApiError { param: Some("stream".to_owned()), ..ApiError::new(Code::NotSupported, message) });
        }
        let response = found(shared, &key, &id).await?.content.response;
        Ok((response, Policy::new(routing_config::guardrails(shared, &request, &key, Side::Output)?)))
    };
    let (response, policy) = match found.await {
        Ok(found) => found,
        Err(error) => return marked(&request, Err(error)),
    };
    match guard_stored(response, policy, &shared.routing.guardrails, &shared.metrics).await {
        Ok(guarded) => marked(&request, Ok(guarded)),
        Err(error) => denied(shared, &request, error),
    }
}

/// A stored response that a guardrail denies its reader.
fn denied(shared: &AppState, request: &HttpRequest, error: ErrorBody) -> HttpResponse {
    let meta = ResponseMeta { client: ClientKind::Responses, ..ResponseMeta::from_headers(request.headers()) };
    let failure = Failure { kind: FailureKind::Denied, error, retry_after: None };
    let denied = RouteFailure { head: ReplyHead::default(), failure, attempts: 0 };
    let mut response = failed(&denied, &shared.config.compat, &meta);
    meta.add_to(&mut response);
    response
}

/// Removes a stored response.
pub async fn delete(worker: WorkerData, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let deleted = async {
        let key = admitted(&worker.shared, &request)?;
        let was_there = worker.shared.responses.delete(&key.tenant(), &id).await.map_err(unavailable)?;
        if !was_there {
            return Err(not_found(&id));
        }
        Ok(json!({ "id": *id, "object": "response.deleted", "deleted": true }))
    };
    marked(&request, deleted.await)
}

/// Lists the input of a stored response, the newest first unless asked otherwise.
pub async fn input_items(
    worker: WorkerData,
    request: HttpRequest,
    id: web::Path<String>,
    query: Query,
) -> HttpResponse {
    let listed = async {
        let key = admitted(&worker.shared, &request)?;
        let page = Page::from_query(&query)?;
        let response = found(&worker.shared, &key, &id).await?;
        Ok(page.of(items_of(&response))?)
    };
    marked(&request, listed.await)
}

/// Refuses to cancel: a stored response has ended.
pub async fn cancel(worker: WorkerData, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let cancelled = async {
        let key = admitted(&worker.shared, &request)?;
        found(&worker.shared, &key, &id).await?;
        let message = "Only a background response can be cancelled, and the gateway has none: this one has ended.";
        Err(ApiError::new(Code::NotSupported, message))
    };
    marked(&request, cancelled.await)
}

/// The key of a request whose address may ask once more.
fn admitted(shared: &AppState, request: &HttpRequest) -> Result<Arc<VirtualKey>, ApiError> {
    limit_address(shared, request)?;
    authorize(shared, request, Utc::now())
}

/// The response of this id, if the key may read it.
async fn found(shared: &AppState, key: &VirtualKey, id: &str) -> Result<StoredResponse, ApiError> {
    let response = shared.responses.get(&key.tenant(), id).await.map_err(unavailable)?;
    response.ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    let message = format!("Response with id '{id}' not found.");
    ApiError { param: Some("id".to_owned()), ..ApiError::new(Code::ResponseNotFound, message) }
}

/// The actor has told the log and its own row what was wrong.
pub fn unavailable(_error: ResponseStoreError) -> ApiError {
    ApiError::new(Code::StoreUnavailable, "The stored responses are unavailable: try again shortly.")
}

fn marked(request: &HttpRequest, body: Result<Value, ApiError>) -> HttpResponse {
    let mut response = match body {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(error) => error.response(),
    };
    ResponseMeta::from_headers(request.headers()).add_to(&mut response);
    response
}
