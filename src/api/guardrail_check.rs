//! `POST /v1/guardrails/check`: what guardrails make of a text, without a provider.
//!
//! No provider is asked, so that a check costs no limit of a key and no budget; but it is work, which takes a place and
//! counts in the limit of its address.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use gateway_actors::guardrails::{Guardrail, Policy, Side, check_text};
use gateway_actors::routing;
use gateway_wire::json_object::JsonObject;
use serde_json::Value;

use super::admit::{authorize, limit_address, take_place};
use super::inference::{WorkerData, field, optional, refused};
use super::reply::ResponseMeta;
use super::request_headers::refuse_default_guardrails;
use super::{body, routing_config};
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// The route.
pub const PATH: &str = "/v1/guardrails/check";

/// Answers a check.
pub async fn check(worker: WorkerData, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let shared = &worker.shared;
    let meta = ResponseMeta::from_headers(request.headers());
    let mut response = match checked(shared, &request, &mut payload).await {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(error) => refused(shared, &request, payload, None, error, &meta).await,
    };
    meta.add_to(&mut response);
    response
}

async fn checked(shared: &AppState, request: &HttpRequest, payload: &mut web::Payload) -> Result<Value, ApiError> {
    // Who guesses keys is limited.
    let key = authorize(shared, request, Utc::now())
        .map_err(|error| limit_address(shared, request).err().unwrap_or(error))?;
    limit_address(shared, request)?;
    let (bytes, _share) = body::read(request, payload, &shared.config.server, shared.bodies.share(key.id)).await?;
    let _place = take_place(shared)?;
    let body = JsonObject::parse(bytes).map_err(|error| {
        ApiError::new(Code::InvalidJson, format!("The request body is not a JSON object: {error}."))
    })?;
    let text: Option<String> = optional(&body, "text", "a string")?;
    let text = text.ok_or_else(|| field("text", "'text' must be a string."))?;
    let side = match optional::<String>(&body, "side", "'input' or 'output'")?.as_deref() {
        None | Some("input") => Side::Input,
        Some("output") => Side::Output,
        Some(_) => return Err(field("side", "'side' must be 'input' or 'output'.")),
    };
    let guardrails = match optional::<Vec<Value>>(&body, "guardrails", "an array of guardrails")? {
        Some(items) => own(shared, &items, side)?,
        None => {
            refuse_default_guardrails(request.headers())?;
            routing_config::guardrails(shared, request, &key, side)?
        }
    };
    let rules = &shared.routing.guardrails;
    if text.len() > rules.limit.max_bytes {
        let most = rules.limit.max_bytes;
        return Err(field(
            "text",
            &format!("'text' must not be longer than {most} bytes (guardrails.max_scan_bytes)."),
        ));
    }
    let policy = Policy::new(guardrails);
    let told = check_text(text, side, policy, rules).await;
    told.ok_or_else(|| {
        ApiError::new(Code::Overloaded, "The guardrails have as many texts as they take: try again shortly.")
    })
}

/// The guardrails that a request names itself.
fn own(shared: &AppState, items: &[Value], side: Side) -> Result<Vec<Arc<Guardrail>>, ApiError> {
    let read = match side {
        Side::Input => routing::read_floor(items, &[]),
        Side::Output => routing::read_floor(&[], items),
    };
    let checked = read.and_then(|floor| {
        let errors = routing::check_engines(&floor, &shared.routing.guardrails.engines.types());
        if errors.is_empty() { Ok(floor) } else { Err(errors) }
    });
    let own = checked.map(|floor| if side == Side::Input { floor.input } else { floor.output });
    own.map_err(|errors| {
        let first = errors.into_iter().next();
        let (path, message) = first.map_or((String::new(), String::new()), |error| (error.path, error.message));
        let path = path.replacen(side.as_str(), "guardrails", 1);
        field(&path, &format!("'{path}' {message}."))
    })
}
