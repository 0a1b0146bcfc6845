//! What holds for every answer, whichever route gives it: HEAD, HTTP/1.0, caches on the way, and browsers (CORS).

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use crate::server::state::Worker;

/// Headers that a page may read, beside those that begin with `x-`.
const EXPOSED: [&str; 3] = ["age", "retry-after", "server-timing"];

/// The middleware around every route.
pub async fn manners<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let allowed = allowed_origin(&request);
    if let Some(origin) = &allowed
        && request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        let answer = preflight(request.headers(), origin);
        return Ok(request.into_response(answer).map_into_right_body());
    }
    // HEAD is GET without the body, which the server leaves out by itself (RFC 9110, 9.3.2).
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let is_private = ["/v1/", "/admin"].iter().any(|path| request.path().starts_with(path));
    let mut response = next.call(request).await?;
    if is_private && !response.headers().contains_key(CACHE_CONTROL) {
        // RFC 9111, 3.5 keeps shared caches from storing what `Authorization` got, not what `x-api-key` got.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(origin) = &allowed {
        tell_page(response.headers_mut(), origin);
    }
    if response.request().version() < Version::HTTP_11 && response.response().body().size() == BodySize::Stream {
        // The end of the connection is the end of the body (RFC 9112, 6.1 and 6.3).
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_into_left_body())
}

/// The origin of the page that asks, where it may use the API.
fn allowed_origin(request: &ServiceRequest) -> Option<HeaderValue> {
    let origins = &request.app_data::<web::Data<Worker>>()?.shared.config.server.cors;
    if origins.is_empty() || !request.path().starts_with("/v1/") {
        return None;
    }
    let origin = request.headers().get(ORIGIN)?;
    if origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// A preflight brings no key, and needs none.
fn preflight(asked: &HeaderMap, origin: &HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
    response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE"));
    if let Some(headers) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, headers.clone()));
    }
    response.insert_header((ACCESS_CONTROL_MAX_AGE, "600"));
    response.insert_header((VARY, "origin, access-control-request-headers"));
    response.finish()
}

/// Lets a page read the answer and what its headers tell.
fn tell_page(headers: &mut HeaderMap, origin: &HeaderValue) {
    let told = |name: &&str| name.starts_with("x-") || EXPOSED.contains(name);
    let mut names: Vec<&str> = headers.keys().map(|name| name.as_str()).filter(told).collect();
    names.sort_unstable();
    let names = HeaderValue::from_str(&names.join(", ")).ok();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(names) = names {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
    }
}
