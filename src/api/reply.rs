//! From an outcome to an HTTP answer: headers, whole bodies, and streams with their keep-alive comments.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use chrono::Utc;
use gateway_actors::failure::{Failure, FailureKind};
use gateway_actors::limits::RemainingLimit;
use gateway_actors::limits::admission::RemainingLimits;
use gateway_actors::request::router::{Outcome, Reply, ReplyHead, RouteFailure};
use gateway_wire::clients::ClientKind;
use gateway_wire::clients::responses::LiveStream;
use gateway_wire::common::{Conversation, JsonText};
use gateway_wire::formats;
use tokio::sync::watch;

use super::admit::Permit;
use super::anthropic_limits;
use super::sse_body::SseBody;
use super::trace;
use super::whole_body::{UnreadBody, WholeBody};
use crate::config::CompatSettings;
use crate::error::{seconds_up, status_code};
use crate::server::shutdown::Phase;
use crate::server::state::AppState;

const PROVIDER: HeaderName = HeaderName::from_static("x-portkey-provider");
const OPTION_INDEX: HeaderName = HeaderName::from_static("x-portkey-last-used-option-index");
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-portkey-retry-attempt-count");
const CACHE_STATUS: HeaderName = HeaderName::from_static("x-portkey-cache-status");

const TRACE_ID: HeaderName = HeaderName::from_static("x-portkey-trace-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VENDOR_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CONFIG_WARNING: HeaderName = HeaderName::from_static("x-gateway-config-warning");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const COST: HeaderName = HeaderName::from_static("x-gateway-cost-usd");

/// Where it is told what a limit is, what it leaves, and when all of it is there again.
const REMAINING_REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const REMAINING_TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The gateway's own refusals that stay until somebody changes the request, the prices or the configuration. Some clients
/// repeat whatever they do not know.
const IN_VAIN: [&str; 6] = [
    "hidden_input_refused",
    "model_not_priced",
    "option_not_priced",
    "provider_not_ready",
    "request_not_priced",
    "unsupported_request",
];

/// What every answer below `/v1` tells in its headers, whether good or bad.
#[derive(Debug, Default)]
pub struct ResponseMeta {
    /// The trace id, the caller's or made here.
    pub trace_id: String,
    /// The gateway's id of this request.
    pub request_id: String,
    /// What the limits of the key, its user and its team leave.
    pub remaining: RemainingLimits,
    /// The format that the client speaks.
    pub client: ClientKind,
    /// What was odd in the client's config.
    pub warnings: Vec<String>,
    /// What a Responses client asked, which its answer repeats.
    pub conversation: Option<Arc<Conversation>>,
    /// The items that stay as they are, where the client wants its conversation compacted and no more.
    pub kept: Option<Vec<JsonText>>,
}

impl ResponseMeta {
    /// The marks of a request that has just come.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self { trace_id: trace::trace_id(headers), request_id: trace::new_id(), ..Self::default() }
    }

    /// Adds the headers to an answer, which takes the ids along.
    pub fn add_to(mut self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let request_id = std::mem::take(&mut self.request_id);
        let vendor_request_id = if self.client == ClientKind::Messages { request_id.clone() } else { String::new() };
        for (name, id) in [(TRACE_ID, std::mem::take(&mut self.trace_id)), (REQUEST_ID, request_id)] {
            if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(id)) {
                headers.insert(name, value);
            }
        }
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if self.client == ClientKind::Messages {
            // Anthropic's clients show this one.
            add(VENDOR_REQUEST_ID, &vendor_request_id);
            anthropic_limits::add(&self.remaining, &mut add);
        }
        let mut add_remaining =
            |remaining: Option<RemainingLimit>, [limit_name, remaining_name, reset_name]: [HeaderName; 3]| {
                let Some(RemainingLimit { limit, remaining, reset }) = remaining else { return };
                add(limit_name, itoa::Buffer::new().format(limit));
                add(remaining_name, itoa::Buffer::new().format(remaining));
                let mut wait = String::with_capacity(16);
                push_thousandths(&mut wait, reset.as_millis() as u64);
                wait.push('s');
                add(reset_name, &wait);
            };
        add_remaining(self.remaining.requests, REMAINING_REQUESTS);
        add_remaining(self.remaining.tokens, REMAINING_TOKENS);
        if !self.warnings.is_empty() {
            add(CONFIG_WARNING, &header_text(&self.warnings.join("; ")));
        }
        // What was routed tells all of these; each look costs.
        if headers.contains_key(&OPTION_INDEX) {
            return;
        }
        for (name, value) in [(PROVIDER, ""), (OPTION_INDEX, ""), (RETRY_COUNT, "0"), (CACHE_STATUS, "DISABLED")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Makes the answer of a request that was routed.
pub fn routed(
    reply: Result<Reply, RouteFailure>,
    permit: Permit,
    shared: &AppState,
    meta: &ResponseMeta,
) -> HttpResponse {
    match reply {
        Ok(Reply::Whole { head, body, written }) => {
            drop(written);
            let mut response = HttpResponse::build(status_code(head.status()));
            tell(&mut response, &head);
            response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
            response.body(WholeBody::new(body, permit))
        }
        Ok(Reply::Stream { head, frames }) => {
            let mut response = stream_head();
            response.status(status_code(head.status()));
            tell(&mut response, &head);
            response.streaming(SseBody::started(frames, permit, StreamSettings::from_state(shared, meta)))
        }
        Err(route_failure) => {
            if route_failure.attempts == 0 {
                permit.undo();
            }
            failed(&route_failure, &shared.config.compat, meta)
        }
    }
}

/// The answer of a request whose body may not have been read. As long as the payload lives the server does not wait for
/// its rest, which may never come: it closes the connection once the client had time to read the answer.
pub fn with_unread(response: HttpResponse, payload: web::Payload) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(UnreadBody { body, _payload: payload }))
}

/// Commits to a stream before its request is answered, so that comments can keep the connection alive (D4).
pub fn committed_stream(outcome: Outcome, permit: Permit, stream: StreamSettings) -> HttpResponse {
    stream_head().streaming(SseBody::waiting(outcome, permit, stream))
}

/// What a stream's body needs to know.
pub struct StreamSettings {
    /// The silence after which a comment is sent; zero for never.
    pub keepalive: Duration,
    /// When to cut the stream for the process to end.
    pub phase: watch::Receiver<Phase>,
    /// The format that the client speaks.
    pub client: ClientKind,
    /// The gateway's id of the request.
    pub request_id: String,
    /// What numbers the events of a Responses client.
    pub live: Option<LiveStream>,
}

impl StreamSettings {
    /// Those in force. Made for streams alone: all threads count the receivers of the phase in one place.
    pub fn from_state(shared: &AppState, meta: &ResponseMeta) -> Self {
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
        let live =
            |conversation: &Arc<Conversation>| LiveStream::new(meta.request_id.clone(), conversation.clone(), now);
        Self {
            live: meta.conversation.as_ref().map(live),
            keepalive: Duration::from_millis(shared.config.server.keepalive_ms),
            phase: shared.phase.clone(),
            client: meta.client,
            request_id: meta.request_id.clone(),
        }
    }
}

fn stream_head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")));
    // nginx and its kin would hold the events back.
    response.insert_header((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")));
    response
}

/// `compat` has the statuses that clients written for Portkey expect, or for OpenAI alone.
pub(super) fn failed(route_failure: &RouteFailure, compat: &CompatSettings, meta: &ResponseMeta) -> HttpResponse {
    let failure = &route_failure.failure;
    let status = status_for(meta.client, failure, compat);
    let mut response = HttpResponse::build(status_code(status));
    tell(&mut response, &route_failure.head);
    let row = failure.kind.row();
    if let Some(wait) = failure.retry_after.or(row.retry_after) {
        response.insert_header((RETRY_AFTER, seconds_up(wait).to_string()));
        if wait.subsec_nanos() > 0 {
            // OpenAI's clients heed this one first.
            response.insert_header((HeaderName::from_static("retry-after-ms"), wait.as_millis().to_string()));
        }
    }
    // Trying again changes nothing until the operator acts; OpenAI's clients heed this header.
    let again = match failure.error.code.as_deref() {
        Some(code) if IN_VAIN.contains(&code) => Some(false),
        _ => row.client_retries.or_else(|| failure.should_retry()),
    };
    if let Some(again) = again {
        let again = HeaderValue::from_static(if again { "true" } else { "false" });
        response.insert_header((HeaderName::from_static("x-should-retry"), again));
    }
    response.content_type("application/json");
    response.body(formats::client(meta.client).error(status, &failure.error, &meta.request_id))
}

/// The status at which a client stops where trying again is in vain.
fn status_for(client: ClientKind, failure: &Failure, compat: &CompatSettings) -> u16 {
    let code = failure.error.code.as_deref();
    match (failure.kind, client) {
        // Clients of other formats were written for no gateway.
        (FailureKind::OverBudget, ClientKind::Chat) => compat.budget_status,
        (FailureKind::Denied, _) => compat.guardrail_status,
        // Codex and Claude Code repeat whatever is 5xx, and heed no header that tells them not to.
        (FailureKind::NotReady, ClientKind::Responses) => 400,
        (FailureKind::NotReady, ClientKind::Messages) => 403,
        // Claude Code takes a 400 for a feature too much, and asks six times with ever fewer of them.
        (FailureKind::Status(400), ClientKind::Messages) if code == Some("model_not_priced") => 402,
        (kind, _) => kind.status(),
    }
}

/// Adds what is known of how an answer was come by.
pub(super) fn tell(response: &mut HttpResponseBuilder, head: &ReplyHead) {
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.insert_header((name, value));
        }
    };
    add(PROVIDER, head.provider.as_deref().unwrap_or_default());
    add(OPTION_INDEX, &head.option_index);
    add(RETRY_COUNT, itoa::Buffer::new().format(head.retry_count));
    if let Some(key) = head.cache_key {
        add(HeaderName::from_static("x-gateway-cache-key"), &key.to_hex());
    }
    if let Some(age) = head.age {
        add(AGE, itoa::Buffer::new().format(age));
    }
    if let Some(tokens) = head.shortened_to {
        add(HeaderName::from_static("x-gateway-max-tokens"), itoa::Buffer::new().format(tokens));
    }
    if let Some(cost) = head.cost {
        let mut text = String::with_capacity(24);
        cost.push_to(&mut text);
        add(COST, &text);
    }
    if !head.dropped_params.is_empty() {
        add(HeaderName::from_static("x-gateway-dropped-params"), &header_text(&head.dropped_params.join(", ")));
    }
    // Milliseconds.
    let mut timing = String::with_capacity(64);
    timing.push_str("gateway;dur=");
    push_thousandths(&mut timing, head.gateway_us);
    timing.push_str(", upstream;dur=");
    push_thousandths(&mut timing, head.upstream_us);
    add(SERVER_TIMING, &timing);
    response.insert_header((CACHE_STATUS, HeaderValue::from_static(head.cache.as_str())));
}

/// Appends a number of thousandths as a decimal: every answer has some, and to format them costs several times as much.
fn push_thousandths(text: &mut String, thousandths: u64) {
    text.push_str(itoa::Buffer::new().format(thousandths / 1_000));
    let digit = |of: u64| char::from(b'0' + (of % 10) as u8);
    text.extend(['.', digit(thousandths / 100), digit(thousandths / 10), digit(thousandths)]);
}

/// Text that a header can carry: visible ASCII, at most 1,000 characters.
fn header_text(text: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(1_000).map(visible).collect()
}
