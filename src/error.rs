//! The gateway's own errors: one table row each, one place that makes the answer.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use gateway_wire::clients::ClientKind;
use gateway_wire::{BadRequest, ErrorBody, formats};
use serde_json::{Value, json};

use crate::api::coding;
use crate::api::reply::ResponseMeta;

/// A gateway error by name; [`Code::row`] is the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The body is not JSON.
    InvalidJson,
    /// A field of the request is wrong.
    InvalidRequest,
    /// The routing config is wrong.
    InvalidConfig,
    /// The routing config resolves to no target.
    NoTarget,
    /// The request asks for something that this gateway does not do.
    NotSupported,
    /// No key was sent.
    MissingKey,
    /// The key is unknown.
    InvalidKey,
    /// The key was revoked.
    RevokedKey,
    /// The key has expired.
    ExpiredKey,
    /// The key may not use this.
    Forbidden,
    /// There is no such model.
    ModelNotFound,
    /// There is no such stored response.
    ResponseNotFound,
    /// There is no stored response to go on from.
    PreviousResponseNotFound,
    /// There is no such route.
    NotFound,
    /// The route exists, with another method.
    MethodNotAllowed,
    /// Somebody else was first.
    Conflict,
    /// The body did not come in time.
    RequestTimeout,
    /// The body is too large.
    BodyTooLarge,
    /// The body has a coding that is not undone here.
    UnsupportedEncoding,
    /// The key's, or the address's, request limit is reached.
    RateLimited,
    /// Too many requests are under way.
    Overloaded,
    /// The store is away.
    StoreUnavailable,
    /// The gateway itself failed.
    Internal,
}

impl Code {
    /// Status, OpenAI's `type`, and `code`.
    pub fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidJson => (400, "invalid_request_error", "invalid_json"),
            Self::InvalidRequest => (400, "invalid_request_error", "invalid_request"),
            Self::InvalidConfig => (400, "invalid_request_error", "invalid_config"),
            Self::NoTarget => (400, "invalid_request_error", "no_target"),
            Self::NotSupported => (400, "invalid_request_error", "not_supported"),
            Self::MissingKey => (401, "authentication_error", "missing_api_key"),
            Self::InvalidKey => (401, "authentication_error", "invalid_api_key"),
            Self::RevokedKey => (401, "authentication_error", "revoked_api_key"),
            Self::ExpiredKey => (401, "authentication_error", "expired_api_key"),
            Self::Forbidden => (403, "permission_error", "not_allowed"),
            Self::ModelNotFound => (404, "invalid_request_error", "model_not_found"),
            Self::ResponseNotFound => (404, "invalid_request_error", "response_not_found"),
            Self::PreviousResponseNotFound => (400, "invalid_request_error", "previous_response_not_found"),
            Self::NotFound => (404, "invalid_request_error", "not_found"),
            Self::MethodNotAllowed => (405, "invalid_request_error", "method_not_allowed"),
            Self::Conflict => (409, "invalid_request_error", "conflict"),
            Self::RequestTimeout => (408, "timeout_error", "request_timeout"),
            Self::BodyTooLarge => (413, "invalid_request_error", "body_too_large"),
            Self::UnsupportedEncoding => (415, "invalid_request_error", "unsupported_content_encoding"),
            Self::RateLimited => (429, "rate_limit_error", "rate_limit_exceeded"),
            Self::Overloaded => (503, "api_error", "overloaded"),
            Self::StoreUnavailable => (503, "api_error", "store_unavailable"),
            Self::Internal => (500, "api_error", "internal_error"),
        }
    }
}

/// One error on its way to the client.
#[derive(Debug)]
pub struct ApiError {
    /// Which row of the table.
    pub code: Code,
    /// What happened and what to do about it.
    pub message: String,
    /// The field to blame.
    pub param: Option<String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Fields beside `error` in the body, for clients written for Portkey.
    pub beside: Option<Box<Value>>,
}

impl ApiError {
    /// An error without a field to blame.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let passes = matches!(code, Code::Overloaded | Code::StoreUnavailable);
        let retry_after = passes.then_some(Duration::from_secs(1));
        Self { code, message: message.into(), param: None, retry_after, beside: None }
    }

    /// The answer; every error of the gateway is made here.
    pub fn response(&self) -> HttpResponse {
        let mut body = json!({ "error": self.body() });
        if let (Some(body), Some(Value::Object(beside))) = (body.as_object_mut(), self.beside.as_deref()) {
            body.extend(beside.clone());
        }
        self.head().json(body)
    }

    /// The answer in the format that the client of a route speaks.
    pub fn response_for(&self, meta: &ResponseMeta) -> HttpResponse {
        if meta.client == ClientKind::Chat {
            return self.response();
        }
        let (status, ..) = self.code.row();
        let body = formats::client(meta.client).error(status, &self.body(), &meta.request_id);
        self.head().content_type("application/json").body(body)
    }

    fn body(&self) -> ErrorBody {
        let (_, kind, code) = self.code.row();
        ErrorBody { param: self.param.clone(), ..ErrorBody::new(kind, code, self.message.clone()) }
    }

    fn head(&self) -> HttpResponseBuilder {
        let (status, ..) = self.code.row();
        let mut response = HttpResponse::build(status_code(status));
        if let Some(wait) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds_up(wait).to_string()));
        }
        if self.code == Code::UnsupportedEncoding {
            response.insert_header((ACCEPT_ENCODING, coding::ACCEPT_ENCODING));
        }
        if self.code == Code::RequestTimeout {
            // What still comes of the body would be read as the next request.
            response.force_close();
        }
        response
    }
}

impl From<BadRequest> for ApiError {
    fn from(bad: BadRequest) -> Self {
        Self { param: bad.param, ..Self::new(Code::InvalidRequest, bad.message) }
    }
}

/// A status code, 500 where the number is none.
pub fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whole seconds, rounded up, at least one: `Retry-After` knows no fractions.
pub fn seconds_up(wait: Duration) -> u64 {
    (wait.as_millis().div_ceil(1000) as u64).max(1)
}

/// What a route that does not exist answers, in OpenAI's shape with Portkey's fields beside it.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let message = "Not found: there is no such route. The API is below /v1.";
    let beside = Some(Box::new(json!({ "message": "Not Found", "ok": false })));
    marked(&request, &ApiError { beside, ..ApiError::new(Code::NotFound, message) })
}

/// What a route answers to a method that it does not have.
pub async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    marked(&request, &ApiError::new(Code::MethodNotAllowed, "This route does not take this method."))
}

/// What every route answers as long as the gateway waits for its store: without it nobody's key is known (G3).
pub async fn starting(request: HttpRequest) -> HttpResponse {
    let message = "The gateway waits for its database: try again shortly.";
    marked(&request, &ApiError::new(Code::StoreUnavailable, message))
}

/// The answer that tells an error, below `/v1` with the headers of every answer there.
fn marked(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let mut response = error.response();
    if request.path().starts_with("/v1/") {
        ResponseMeta::from_headers(request.headers()).add_to(&mut response);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_at_least_a_second_and_rounded_up() {
        let cases = [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)];
        for (millis, seconds) in cases {
            assert_eq!(seconds_up(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }
}
