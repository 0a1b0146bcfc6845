//! `GET /openapi.json`: the description of every route, for clients and people. It needs no key, and holds no secret.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};

/// The description, in OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/openapi.json", web::get().to(show));
}

async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(DESCRIPTION)
}
