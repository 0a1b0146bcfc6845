//! `GET /admin/actors` and `GET /admin/config`: the inside of the running process.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::server::state::Worker;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/actors").route(web::get().to(actors)))
        .service(web::resource("/config").route(web::get().to(effective_config)));
}

async fn actors(worker: web::Data<Worker>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "actors": worker.shared.actors.observe().await }))
}

async fn effective_config(worker: web::Data<Worker>) -> HttpResponse {
    HttpResponse::Ok().json(worker.shared.config.masked_json())
}
