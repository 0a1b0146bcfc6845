//! `/v1/proxy/{provider}/…`: a provider's own paths as they are, as far as its configuration opens them.
//!
//! The key's rights, limits and budgets hold. The provider gets the gateway's credential, and of the client's headers
//! those alone that are named here.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::Utc;
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::limits::admission::Admission;
use gateway_actors::providers::catalogue::ProviderEntry;
use gateway_actors::providers::pass_through::plain_path;
use gateway_actors::providers::resolve::unknown_provider;
use gateway_actors::request::pass_through::{PassThroughOutcome, PassThroughRequest, Question};
use gateway_actors::request::request_log::RequestRecord;
use gateway_actors::usage::expected_tokens::expected_tokens;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{Dialect, Endpoint, names};

use super::admit::{AdmittedRequest, Permit, admit, count_tokens_of, take_place};
use super::body;
use super::inference::{LOST_REQUEST_MESSAGE, WorkerData, field, model_of, not_taken, open_record, refused, taken};
use super::relayed_body;
use super::reply::{self, ResponseMeta};
use super::request_headers::ClientHeaders;
use super::routing_config;
use crate::error::{ApiError, Code};
use crate::server::state::{AppState, Worker};

/// The route.
pub const PATH: &str = "/v1/proxy/{provider}/{path:.*}";

/// How it is told in logs and in the usage log.
const NAME: &str = "/v1/proxy";

/// The headers of a client that its provider gets. Others carry credentials, choose whose account is billed, or speak of
/// the connection.
const FORWARDED: [&str; 10] = [
    "accept",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "openai-beta",
    "range",
];

/// Where a request goes, once it is known that its key may go there.
struct Destination {
    provider: Arc<str>,
    dialect: Dialect,
    /// The path below the provider's base URL, as it is compared.
    path: String,
    /// The path and query that are sent.
    target: String,
    is_free: bool,
}

/// Answers one request.
pub async fn pass_through(worker: WorkerData, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let started = Instant::now();
    let mut meta = ResponseMeta::from_headers(request.headers());
    let shared = &worker.shared;
    let mut record = Some(open_record(shared, NAME, started, &meta));
    let mut response = match passed(&worker, &request, &mut payload, &mut record, &mut meta).await {
        Ok(response) => response,
        Err(error) => refused(shared, &request, payload, record.as_deref_mut(), error, &meta).await,
    };
    meta.add_to(&mut response);
    response
}

async fn passed(
    worker: &Worker,
    request: &HttpRequest,
    payload: &mut web::Payload,
    record: &mut Option<Box<RequestRecord>>,
    meta: &mut ResponseMeta,
) -> Result<HttpResponse, ApiError> {
    let (shared, arrived) = (&worker.shared, Utc::now());
    let AdmittedRequest { key, pending } = admit(shared, request, arrived, meta).await?;
    if let Some(record) = record {
        record.identify(&key);
    }
    routing_config::refuse_unguarded(shared, request, &key)?;
    let to = destination(shared, request, &key)?;
    let asked = ClientHeaders::read(request.headers())?;
    let share = shared.bodies.share(key.id);
    let (body, share) = body::read(request, payload, &shared.config.server, share).await?;
    let question = question(request.headers(), &body, &to)?;
    check_model(shared, &key, &to, question.as_ref())?;
    let place = take_place(shared)?;
    let expected = || expected(shared, &to, question.as_ref());
    let admission = count_tokens_of(shared, request, pending, expected, meta).await?;
    let mut record = taken(record)?;
    record.line.provider = Some(to.provider.clone());
    if let Some(question) = &question {
        record.line.model = Some(question.model.clone());
        record.line.stream = question.body.get("stream") == Some("true");
    }
    let message = Box::new(PassThroughRequest {
        arrived,
        key,
        provider: to.provider,
        method: request.method().as_str().to_owned(),
        path: to.target,
        headers: forwarded(request.headers()),
        body,
        question,
        is_free: to.is_free,
        request_timeout: asked.request_timeout,
        record,
        tokens: admission.tokens.clone(),
    });
    let (outcome, admission) = ask_router(worker, message, admission).await?;
    relayed(outcome, Permit::new(place, share, admission), shared, meta).await
}

/// Hands a request to the thread's router. One that it does not take costs no limit anything (E5).
async fn ask_router(
    worker: &Worker,
    message: Box<PassThroughRequest>,
    admission: Admission,
) -> Result<(PassThroughOutcome, Admission), ApiError> {
    match worker.router.ask(message).await {
        Ok(outcome) => Ok((outcome, admission)),
        Err(error) => {
            admission.undo();
            Err(not_taken(error.kind))
        }
    }
}

/// Waits for the outcome, and answers with it.
async fn relayed(
    outcome: PassThroughOutcome,
    permit: Permit,
    shared: &AppState,
    meta: &ResponseMeta,
) -> Result<HttpResponse, ApiError> {
    match outcome.await {
        Ok(Ok(reply)) => Ok(relayed_body::response(reply, permit, shared)),
        Ok(Err(failure)) => Ok(reply::routed(Err(failure), permit, shared, meta)),
        Err(_) => Err(ApiError::new(Code::Internal, LOST_REQUEST_MESSAGE)),
    }
}

/// Where the request goes.
///
/// # Errors
/// 400 for a provider that is not known or has no API, or a path that is not plain; 403 where the key may not use the
/// provider, or its configuration does not open the path.
fn destination(shared: &AppState, request: &HttpRequest, key: &VirtualKey) -> Result<Destination, ApiError> {
    let name = request.match_info().get("provider").unwrap_or_default();
    let Some(entry) = shared.routing.catalogue.get(name) else {
        return Err(unknown_provider(name, &shared.routing.catalogue).into());
    };
    if !key.allows_provider(name) {
        let message = format!("This key may not use the provider '{name}'.");
        return Err(ApiError::new(Code::Forbidden, message));
    }
    if entry.settings.dialect == Dialect::Simulator {
        return Err(ApiError::new(Code::NotSupported, format!("The provider '{name}' has no paths of its own.")));
    }
    // As it was sent: decoding it twice could lead elsewhere.
    let raw = request.uri().path().splitn(5, '/').nth(4).map(|rest| format!("/{rest}")).unwrap_or_default();
    let Some(path) = plain_path(&raw) else {
        return Err(field("path", "The path must have no empty part, no '.' or '..', and no encoded separator."));
    };
    let is_free = opened(entry, request.method().as_str(), &path)?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let (provider, dialect) = (Arc::from(name), entry.settings.dialect);
    Ok(Destination { provider, dialect, path, target: raw + &query, is_free })
}

/// Whether what a rule opens costs nothing.
fn opened(entry: &ProviderEntry, method: &str, path: &str) -> Result<bool, ApiError> {
    let rules = &entry.settings.pass_through;
    rules.iter().find(|rule| rule.opens(method, path)).map(|rule| rule.free).ok_or_else(|| {
        let name = &entry.name;
        let message = format!(
            "{method} {path} of '{name}' is not open: the operator opens paths with providers.{name}.pass_through."
        );
        ApiError::new(Code::Forbidden, message)
    })
}

/// What a body asks of a model, where it is a JSON object that names one. One that says it is JSON must be.
fn question(headers: &HeaderMap, body: &Bytes, to: &Destination) -> Result<Option<Question>, ApiError> {
    let says_json = || {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        content_type.to_ascii_lowercase().contains("json")
    };
    if body.is_empty() {
        return Ok(None);
    }
    let body = match JsonObject::parse(body.clone()) {
        Ok(body) => body,
        Err(error) if says_json() && !body.trim_ascii_start().starts_with(b"[") => {
            return Err(ApiError::new(Code::InvalidJson, format!("The request body is not JSON: {error}.")));
        }
        Err(_) => return Ok(None),
    };
    names::check_body(&body)?;
    if body.get("model").is_none() {
        return Ok(None);
    }
    let model = model_of(&body)?;
    Ok(Some(Question { model, endpoint: endpoint(to), body }))
}

/// The kind of question that a path takes, where its cost can be told beforehand.
fn endpoint(to: &Destination) -> Option<Endpoint> {
    match (to.dialect, to.path.as_str()) {
        (Dialect::OpenAi, "/chat/completions") => Some(Endpoint::Chat),
        (Dialect::OpenAi, "/embeddings") => Some(Endpoint::Embeddings { base64: false }),
        (Dialect::OpenAi, "/moderations") => Some(Endpoint::Moderations),
        (Dialect::OpenAi, "/rerank") => Some(Endpoint::Rerank),
        _ => None,
    }
}

/// Whether the key may ask the model that is asked, if any.
fn check_model(
    shared: &AppState,
    key: &VirtualKey,
    to: &Destination,
    question: Option<&Question>,
) -> Result<(), ApiError> {
    let is_provider = |name: &str| shared.routing.catalogue.get(name).is_some();
    match question {
        Some(question) if !key.allows_model(&to.provider, &question.model, &is_provider) => {
            let message = format!("This key may not use the model '{}' of '{}'.", question.model, to.provider);
            Err(ApiError::new(Code::Forbidden, message))
        }
        None if key.allowed_models.is_some() && !to.is_free => {
            let message = "This key may use some models alone, and the request names none in a JSON body.";
            Err(ApiError::new(Code::Forbidden, message))
        }
        _ => Ok(()),
    }
}

/// The tokens that a request counts as in limits until its usage is known.
fn expected(shared: &AppState, to: &Destination, question: Option<&Question>) -> u64 {
    let default = shared.config.limits.expected_output_tokens;
    match question {
        _ if to.is_free => 0,
        Some(question) => expected_tokens(&question.body, question.endpoint.unwrap_or(Endpoint::Chat), default),
        None => default,
    }
}

fn forwarded(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
    FORWARDED.iter().filter_map(|name| text(name)).collect()
}
