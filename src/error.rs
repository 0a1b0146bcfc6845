//! The gateway's own errors: each has a row in the table of failures, and one place makes the answer.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
pub use gateway_actors::failure::{Code, FailureRow};
use gateway_wire::clients::ClientKind;
use gateway_wire::{BadRequest, ErrorBody, formats};
use serde_json::{Value, json};

use crate::api::coding;
use crate::api::reply::ResponseMeta;

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
        Self { code, message: message.into(), param: None, retry_after: code.row().retry_after, beside: None }
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
        let status = self.code.row().status;
        let body = formats::client(meta.client).error(status, &self.body(), &meta.request_id);
        self.head().content_type("application/json").body(body)
    }

    fn body(&self) -> ErrorBody {
        let row = self.code.row();
        ErrorBody { param: self.param.clone(), ..ErrorBody::new(row.error_type, row.code, self.message.clone()) }
    }

    fn head(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status_code(self.code.row().status));
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
