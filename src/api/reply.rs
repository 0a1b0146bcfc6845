//! From an outcome to an HTTP answer: headers, whole bodies, and streams with their keep-alive comments.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use gateway_actors::failure::FailureKind;
use gateway_actors::limits::RemainingLimit;
use gateway_actors::limits::admission::RemainingLimits;
use gateway_actors::request::router::{Outcome, Reply, ReplyHead, RouteFailure};
use tokio::sync::watch;

use super::admit::Permit;
use super::sse_body::SseBody;
use super::trace;
use super::whole_body::{UnreadBody, WholeBody};
use crate::error::{seconds_up, status_code};
use crate::server::shutdown::Phase;
use crate::server::state::AppState;

const PROVIDER: HeaderName = HeaderName::from_static("x-portkey-provider");
const OPTION_INDEX: HeaderName = HeaderName::from_static("x-portkey-last-used-option-index");
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-portkey-retry-attempt-count");
const CACHE_STATUS: HeaderName = HeaderName::from_static("x-portkey-cache-status");

/// What every answer below `/v1` tells in its headers, whether good or bad.
#[derive(Debug, Default)]
pub struct ResponseMeta {
    /// The trace id, the caller's or made here.
    pub trace_id: String,
    /// The gateway's id of this request.
    pub request_id: String,
    /// What the limits of the key, its user and its team leave.
    pub remaining: RemainingLimits,
    /// What was odd in the client's config.
    pub warnings: Vec<String>,
}

impl ResponseMeta {
    /// The marks of a request that has just come.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self { trace_id: trace::trace_id(headers), request_id: trace::new_id(), ..Self::default() }
    }

    /// Adds the headers to an answer.
    pub fn add_to(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let mut add = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        add("x-portkey-trace-id", &self.trace_id);
        add("x-request-id", &self.request_id);
        if let Some(RemainingLimit { limit, remaining, reset }) = self.remaining.requests {
            add("x-ratelimit-limit-requests", &limit.to_string());
            add("x-ratelimit-remaining-requests", &remaining.to_string());
            add("x-ratelimit-reset-requests", &format!("{}.{:03}s", reset.as_secs(), reset.subsec_millis()));
        }
        if let Some(RemainingLimit { limit, remaining, reset }) = self.remaining.tokens {
            add("x-ratelimit-limit-tokens", &limit.to_string());
            add("x-ratelimit-remaining-tokens", &remaining.to_string());
            add("x-ratelimit-reset-tokens", &format!("{}.{:03}s", reset.as_secs(), reset.subsec_millis()));
        }
        if !self.warnings.is_empty() {
            add("x-gateway-config-warning", &header_text(&self.warnings.join("; ")));
        }
        for (name, value) in [(PROVIDER, ""), (OPTION_INDEX, ""), (RETRY_COUNT, "0"), (CACHE_STATUS, "DISABLED")] {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
    }
}

/// Makes the answer of a request that was routed.
pub fn routed(reply: Result<Reply, RouteFailure>, permit: Permit, shared: &AppState) -> HttpResponse {
    match reply {
        Ok(Reply::Whole { head, body }) => {
            let mut response = HttpResponse::Ok();
            tell(&mut response, &head);
            response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
            response.body(WholeBody::new(body, permit))
        }
        Ok(Reply::Stream { head, frames }) => {
            let mut response = stream_head();
            tell(&mut response, &head);
            response.streaming(SseBody::started(frames, permit, StreamSettings::from_state(shared)))
        }
        Err(route_failure) => {
            if route_failure.attempts == 0 {
                permit.undo();
            }
            failed(&route_failure, shared.config.compat.budget_status)
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
}

impl StreamSettings {
    /// Those in force. Made for streams alone: all threads count the receivers of the phase in one place.
    pub fn from_state(shared: &AppState) -> Self {
        Self { keepalive: Duration::from_millis(shared.config.server.keepalive_ms), phase: shared.phase.clone() }
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

/// `budget_status` is that of an answer over budget: 429, or 412 for clients written for Portkey.
fn failed(route_failure: &RouteFailure, budget_status: u16) -> HttpResponse {
    let failure = &route_failure.failure;
    let over_budget = failure.kind == FailureKind::OverBudget;
    let status = if over_budget { budget_status } else { failure.kind.status() };
    let mut response = HttpResponse::build(status_code(status));
    tell(&mut response, &route_failure.head);
    let wait = match failure.kind {
        FailureKind::Saturated | FailureKind::CircuitOpen | FailureKind::BudgetUnknown => {
            failure.retry_after.or(Some(Duration::from_secs(1)))
        }
        _ => failure.retry_after,
    };
    if let Some(wait) = wait {
        response.insert_header((RETRY_AFTER, seconds_up(wait).to_string()));
        if wait.subsec_nanos() > 0 {
            // OpenAI's clients heed this one first.
            response.insert_header((HeaderName::from_static("retry-after-ms"), wait.as_millis().to_string()));
        }
    }
    // Trying again changes nothing until the operator acts; OpenAI's clients heed this header.
    let never = over_budget || matches!(failure.error.code.as_deref(), Some("provider_not_ready"));
    let again = match failure.kind {
        _ if never => Some(false),
        FailureKind::BudgetUnknown => Some(true),
        // It would be made, and billed, all over again.
        FailureKind::TotalTimeout => Some(false),
        _ => failure.should_retry(),
    };
    if let Some(again) = again {
        let again = HeaderValue::from_static(if again { "true" } else { "false" });
        response.insert_header((HeaderName::from_static("x-should-retry"), again));
    }
    response.json(serde_json::json!({ "error": failure.error }))
}

fn tell(response: &mut HttpResponseBuilder, head: &ReplyHead) {
    let mut add = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.insert_header((name, value));
        }
    };
    if let Some(provider) = &head.provider {
        add(PROVIDER, provider.to_string());
    }
    add(OPTION_INDEX, head.option_index.clone());
    add(RETRY_COUNT, head.retry_count.to_string());
    if let Some(key) = head.cache_key {
        add(HeaderName::from_static("x-gateway-cache-key"), key.to_hex());
    }
    if let Some(age) = head.age {
        add(AGE, age.to_string());
    }
    if let Some(tokens) = head.shortened_to {
        add(HeaderName::from_static("x-gateway-max-tokens"), tokens.to_string());
    }
    if let Some(cost) = head.cost {
        add(HeaderName::from_static("x-gateway-cost-usd"), cost.to_string());
    }
    if !head.dropped_params.is_empty() {
        add(HeaderName::from_static("x-gateway-dropped-params"), header_text(&head.dropped_params.join(", ")));
    }
    // Milliseconds.
    let ((gateway, gateway_us), (upstream, upstream_us)) = (in_millis(head.gateway_us), in_millis(head.upstream_us));
    let timing = format!("gateway;dur={gateway}.{gateway_us:03}, upstream;dur={upstream}.{upstream_us:03}");
    add(HeaderName::from_static("server-timing"), timing);
    response.insert_header((CACHE_STATUS, HeaderValue::from_static(head.cache.as_str())));
}

/// Whole milliseconds, and the microseconds beyond.
fn in_millis(micros: u64) -> (u64, u64) {
    (micros / 1_000, micros % 1_000)
}

/// Text that a header can carry: visible ASCII, at most 1,000 characters.
fn header_text(text: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(1_000).map(visible).collect()
}
