//! What all routes that ask models share: from the HTTP request to the router and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::limits::admission::Admission;
use gateway_actors::providers::resolve::MAX_MODEL_CHARS;
use gateway_actors::request::request_log::{RequestLine, RequestRecord};
use gateway_actors::request::router::{Outcome, RouteError, RouteRequest};
use gateway_actors::request::translation::ClientRequest;
use gateway_actors::routing::aliases::Alias;
use gateway_actors::runtime::mailbox::AskErrorKind;
use gateway_wire::clients::ClientKind;
use gateway_wire::clients::responses::open_compactions;
use gateway_wire::common::Conversation;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{Endpoint, formats, names};
use serde::Deserialize;

use super::admit::{AdmittedRequest, Permit, admit, count, take_place};
use super::body_budget::BodyShare;
use super::reply::{self, ResponseMeta, StreamSettings};
use super::request_headers::ClientHeaders;
use super::stored_history::{self, Continued};
use super::{body, compaction, key_header, request_headers, routing_config};
use crate::error::{ApiError, Code, FailureRow};
use crate::server::state::{AppState, Worker};

/// What a route reads out of a body before it is routed.
pub struct Operation {
    /// The kind of question.
    pub endpoint: Endpoint,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants the usage of its stream.
    pub include_usage: bool,
    /// The request in the common form, where its format is not chat.
    pub conversation: Option<Conversation>,
}

/// A route that asks models.
#[derive(Clone, Copy)]
pub struct Api {
    /// Its path.
    pub path: &'static str,
    /// The format that its clients speak.
    pub client: ClientKind,
    /// Reads the route's own fields out of a body.
    pub read: fn(&JsonObject) -> Result<Operation, ApiError>,
}

/// What a client is told whose request ended in the middle.
pub(super) const LOST_REQUEST_MESSAGE: &str = "The request was lost inside the gateway.";

/// Answers one request of a route.
pub async fn answer(worker: &Worker, request: &HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let started = Instant::now();
    let arrived = Utc::now();
    let mut meta = ResponseMeta { client: api.client, ..ResponseMeta::from_headers(request.headers()) };
    let shared = &worker.shared;
    let mut record = Some(open_record(shared, api.path, started, &meta));
    let mut payload = payload;
    let mut response = match routed(worker, request, &mut payload, arrived, api, &mut record, &mut meta).await {
        Ok(response) => match meta.kept.take() {
            Some(kept) => compaction::told(response, kept, &meta).await,
            None => response,
        },
        Err(error) => refused(shared, request, payload, record.as_deref_mut(), error, &meta).await,
    };
    meta.add_to(&mut response);
    response
}

/// Opens the record of a request.
pub(super) fn open_record(
    shared: &AppState,
    path: &'static str,
    started: Instant,
    meta: &ResponseMeta,
) -> Box<RequestRecord> {
    let line = RequestLine {
        trace_id: meta.trace_id.clone(),
        request_id: meta.request_id.clone(),
        path,
        ..RequestLine::default()
    };
    Box::new(RequestRecord::open(shared.metrics.clone(), shared.config.log.requests, started, line))
}

/// Counts a refusal, takes it down where the request still has its record, and tells it.
pub(super) async fn refused(
    shared: &AppState,
    request: &HttpRequest,
    mut payload: web::Payload,
    record: Option<&mut RequestRecord>,
    error: ApiError,
    meta: &ResponseMeta,
) -> HttpResponse {
    let FailureRow { status, code, .. } = error.code.row();
    shared.metrics.refused(code);
    if let Some(record) = record {
        record.finish(status, Some(code));
    }
    if error.code != Code::RequestTimeout {
        body::discard_small(request, &mut payload).await;
    }
    reply::with_unread(error.response_for(meta), payload)
}

async fn routed(
    worker: &Worker,
    request: &HttpRequest,
    payload: &mut web::Payload,
    arrived: DateTime<Utc>,
    api: Api,
    record: &mut Option<Box<RequestRecord>>,
    meta: &mut ResponseMeta,
) -> Result<HttpResponse, ApiError> {
    let shared = &worker.shared;
    let AdmittedRequest { key, pending } = admit(shared, request, arrived, meta).await?;
    if let Some(record) = record {
        record.identify(&key);
    }
    let mut config = routing_config::read(shared, request, &key)?;
    meta.warnings = std::mem::take(&mut config.warnings);
    let asked = ClientHeaders::read(request.headers())?;
    let ReadQuestion { question, model, body, client, share } =
        read_question(shared, request, payload, api, &key, meta).await?;
    let alias = config.alias(shared, &model);
    let place = take_place(shared)?;
    let admission = count(shared, request, pending, (&body, question.endpoint), meta).await?;
    let mut record = taken(record)?;
    record.line.stream = question.stream;
    let message = Box::new(RouteRequest {
        arrived,
        endpoint: question.endpoint,
        model,
        stream: question.stream,
        include_usage: question.include_usage,
        provider_hint: asked.provider.filter(|_| takes_hint(alias.as_deref())),
        alias,
        headers: if config.own { all_headers(request.headers()) } else { Vec::new() },
        plan: config.plan,
        key_plan: routing_config::of_key(shared, &key),
        key,
        metadata: asked.metadata,
        strict: asked.strict,
        request_timeout: asked.request_timeout,
        body,
        client,
        record,
        tokens: admission.tokens.clone(),
        cache: asked.cache,
    });
    let (outcome, admission) = ask_router(worker, message, admission).await?;
    let permit = Permit::new(place, share, admission);
    await_outcome(outcome, question.stream, permit, shared, meta).await
}

/// Whether the client may name a provider: the operator chose where an alias's config leads.
fn takes_hint(alias: Option<&Alias>) -> bool {
    !matches!(alias, Some(Alias::Config(_)))
}

/// What a body asks, in chat's form, and in its own where that is another.
struct ReadQuestion {
    question: Operation,
    model: String,
    body: JsonObject,
    client: Option<Box<ClientRequest>>,
    share: BodyShare,
}

async fn read_question(
    shared: &AppState,
    request: &HttpRequest,
    payload: &mut web::Payload,
    api: Api,
    key: &VirtualKey,
    meta: &mut ResponseMeta,
) -> Result<ReadQuestion, ApiError> {
    let (body, mut share) = read_body(shared, request, payload, shared.bodies.share(key.id)).await?;
    let (body, continued) = match api.client {
        // Boxed: others would carry room for it along.
        ClientKind::Responses => {
            Box::pin(stored_history::continued(shared, key, &meta.request_id, api.path, body, &mut share)).await?
        }
        ClientKind::Chat | ClientKind::Messages | ClientKind::Completions => (body, Continued::default()),
    };
    let mut question = (api.read)(&body)?;
    let model = model_of(&body)?;
    let (body, client) = match question.conversation.take() {
        Some(conversation) => in_both_forms(api.client, request.headers(), body, conversation, continued, meta)?,
        None => (body, None),
    };
    Ok(ReadQuestion { question, model, body, client, share })
}

/// The record of a request that goes to the router. Its end stands unless the router takes the request up.
pub(super) fn taken(record: &mut Option<Box<RequestRecord>>) -> Result<Box<RequestRecord>, ApiError> {
    let mut record = record.take().ok_or_else(|| ApiError::new(Code::Internal, "The request lost its record."))?;
    let FailureRow { status, code, .. } = Code::Overloaded.row();
    record.finish(status, Some(code));
    Ok(record)
}

/// Reads the body: a JSON object in which each name stands once.
async fn read_body(
    shared: &AppState,
    request: &HttpRequest,
    payload: &mut web::Payload,
    share: BodyShare,
) -> Result<(JsonObject, BodyShare), ApiError> {
    let (bytes, share) = body::read(request, payload, &shared.config.server, share).await?;
    let body = JsonObject::parse(bytes).map_err(|error| {
        ApiError::new(Code::InvalidJson, format!("The request body is not a JSON object: {error}."))
    })?;
    names::check_body(&body)?;
    Ok((body, share))
}

/// Hands a request to the thread's router. One that it does not take costs no limit anything (E5).
async fn ask_router(
    worker: &Worker,
    message: Box<RouteRequest>,
    admission: Admission,
) -> Result<(Outcome, Admission), ApiError> {
    let error = match worker.router.ask(message).await {
        Ok(Ok(outcome)) => return Ok((outcome, admission)),
        Ok(Err((error, mut record))) => {
            let error = route_error(error);
            let FailureRow { status, code, .. } = error.code.row();
            record.finish(status, Some(code));
            error
        }
        Err(error) => not_taken(error.kind),
    };
    admission.undo();
    Err(error)
}

/// Why the router did not take a request up.
pub(super) fn not_taken(kind: AskErrorKind) -> ApiError {
    match kind {
        AskErrorKind::Full | AskErrorKind::Timeout => {
            ApiError::new(Code::Overloaded, "The gateway is overloaded: try again shortly.")
        }
        // The router panicked at this very request; the next one finds a new router.
        AskErrorKind::Closed => ApiError::new(Code::Internal, LOST_REQUEST_MESSAGE),
    }
}

/// Waits for the outcome. A stream that is silent for a keep-alive interval is committed to, so that comments can flow.
async fn await_outcome(
    mut outcome: Outcome,
    is_stream: bool,
    permit: Permit,
    shared: &AppState,
    meta: &ResponseMeta,
) -> Result<HttpResponse, ApiError> {
    let keepalive = Duration::from_millis(shared.config.server.keepalive_ms);
    let reply = if is_stream && !keepalive.is_zero() {
        match tokio::time::timeout(keepalive, &mut outcome).await {
            Ok(reply) => reply,
            Err(_) => return Ok(reply::committed_stream(outcome, permit, StreamSettings::from_state(shared, meta))),
        }
    } else {
        outcome.await
    };
    match reply {
        Ok(reply) => Ok(reply::routed(reply, permit, shared, meta)),
        Err(_) => Err(ApiError::new(Code::Internal, LOST_REQUEST_MESSAGE)),
    }
}

/// A chat body that says the same as a request of another format, and that request.
fn in_both_forms(
    kind: ClientKind,
    headers: &HeaderMap,
    body: JsonObject,
    mut conversation: Conversation,
    continued: Continued,
    meta: &mut ResponseMeta,
) -> Result<(JsonObject, Option<Box<ClientRequest>>), ApiError> {
    let Continued { keeper, sealer, kept } = continued;
    if let Some(sealer) = &sealer {
        open_compactions(&mut conversation, |sealed| sealer.open(sealed))?;
    }
    let chat = JsonObject::parse(formats::chat_body(&conversation)?).map_err(|error| {
        ApiError::new(Code::Internal, format!("The request could not be read as a chat request: {error}."))
    })?;
    let betas: Vec<&str> = match kind {
        ClientKind::Messages => headers.get_all("anthropic-beta").filter_map(|value| value.to_str().ok()).collect(),
        _ => Vec::new(),
    };
    let headers = if betas.is_empty() { Vec::new() } else { vec![("anthropic-beta", betas.join(","))] };
    let conversation = Arc::new(conversation);
    if kind == ClientKind::Responses {
        (meta.conversation, meta.kept) = (Some(conversation.clone()), kept);
    }
    Ok((chat, Some(Box::new(ClientRequest { kind, body, conversation, headers, keeper, sealer }))))
}

/// The model that a body names.
///
/// # Errors
/// 400 where it names none.
pub fn model_of(body: &JsonObject) -> Result<String, ApiError> {
    let model: Option<String> = body.read("model").map_err(|_| field("model", "'model' must be a string."))?;
    match model {
        Some(model) if model.chars().count() > MAX_MODEL_CHARS => {
            Err(field("model", &format!("'model' must not be longer than {MAX_MODEL_CHARS} characters.")))
        }
        Some(model) if !model.is_empty() => Ok(model),
        _ => Err(field("model", "You must name a model: set 'model', for example \"gpt-4o-mini\".")),
    }
}

/// A complaint about one field of the body.
pub fn field(param: &str, message: &str) -> ApiError {
    ApiError { param: Some(param.to_owned()), ..ApiError::new(Code::InvalidRequest, message) }
}

/// One optional field of a body.
///
/// # Errors
/// 400 where it is of another type than `T`, told as `expected`.
pub fn optional<'a, T: Deserialize<'a>>(
    body: &'a JsonObject,
    name: &str,
    expected: &str,
) -> Result<Option<T>, ApiError> {
    body.read(name).map_err(|_| field(name, &format!("'{name}' must be {expected}.")))
}

/// The headers that a plan may look at or forward: all but those that carry credentials of the gateway.
fn all_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = |name: &HeaderName| {
        key_header::can_carry_key(name) || matches!(name.as_str(), "cookie" | "host" | "content-length")
    };
    let open = headers.iter().filter(|(name, _)| !secret(name) && !request_headers::is_own(name.as_str()));
    open.map(|(name, value)| (name.as_str().to_owned(), header_text(value.as_bytes()))).collect()
}

/// A header's value as text: UTF-8, or else Latin-1. None is left out: the cache must tell apart what is forwarded.
fn header_text(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| value.iter().copied().map(char::from).collect(), str::to_owned)
}

fn route_error(error: RouteError) -> ApiError {
    match error {
        RouteError::BadRequest(bad) => bad.into(),
        RouteError::Forbidden(message) => ApiError::new(Code::Forbidden, message),
        RouteError::NoTarget(message) => {
            let beside = Some(Box::new(serde_json::json!({ "status": "failure", "message": message })));
            ApiError { beside, ..ApiError::new(Code::NoTarget, message) }
        }
    }
}

/// The worker of the current thread, as handlers get it.
pub type WorkerData = web::Data<Worker>;
