//! Every route of the gateway.

use actix_web::web;

use crate::{admin, chat, embeddings, error, health, models};

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let other = || web::route().to(error::method_not_allowed);
    config
        .service(web::resource("/v1/chat/completions").route(web::post().to(chat::chat)).default_service(other()))
        .service(web::resource("/v1/embeddings").route(web::post().to(embeddings::embeddings)).default_service(other()))
        .service(web::resource("/v1/models").route(web::get().to(models::list)).default_service(other()))
        .service(web::resource("/v1/models/{model:.*}").route(web::get().to(models::show)).default_service(other()))
        .configure(admin::configure)
        .configure(health::configure)
        .default_service(web::route().to(error::not_found));
}
