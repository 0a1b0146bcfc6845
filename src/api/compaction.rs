//! The answer of `POST /v1/responses/compact`.

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, to_bytes};
use actix_web::http::StatusCode;
use gateway_wire::clients::responses::compacted;
use gateway_wire::formats;

use super::reply::ResponseMeta;
use crate::error::status_code;

/// The status of an answer that has no summary: the provider's fault.
const NO_SUMMARY: u16 = 502;

/// The whole answer to a request for a summary, as the conversation that goes on from it. Errors stay as they are.
pub async fn told(
    response: HttpResponse,
    kept: Vec<gateway_wire::common::JsonText>,
    meta: &ResponseMeta,
) -> HttpResponse {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body).await.unwrap_or_default();
    let body = compacted(&body, kept).unwrap_or_else(|error| {
        // What its headers tell of the attempt stays.
        *head.status_mut() = status_code(NO_SUMMARY);
        formats::client(meta.client).error(NO_SUMMARY, &error, &meta.request_id)
    });
    head.set_body(BoxBody::new(body))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderMap;

    use super::*;

    #[tokio::test]
    async fn a_failure_keeps_the_headers_of_its_attempt() {
        let meta = ResponseMeta::from_headers(&HeaderMap::new());
        let response = HttpResponse::Ok().insert_header(("x-provider", "a")).json(serde_json::json!({ "output": [] }));
        let told = told(response, Vec::new(), &meta).await;
        assert_eq!(told.status().as_u16(), NO_SUMMARY);
        let header = |name: &str| told.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!((header("x-provider"), header("content-type")), (Some("a"), Some("application/json")));
    }
}
