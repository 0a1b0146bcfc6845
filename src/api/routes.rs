//! Every route of the gateway.

use actix_web::{Resource, web};

use super::{chat_completions, embeddings, models};
use crate::{admin, error, health};

/// A route of the API that clients use.
pub struct Route {
    /// The path; `{…}` stands for any text.
    pub path: &'static str,
    /// Whether what it does may cost money, so that it must keep to budgets.
    pub is_billable: bool,
    handlers: fn(Resource) -> Resource,
}

/// Every route of the API that clients use. No other one is registered below `/v1`.
pub const ROUTES: [Route; 4] = [
    Route {
        path: "/v1/chat/completions",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(chat_completions::chat)),
    },
    Route {
        path: "/v1/embeddings",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(embeddings::embeddings)),
    },
    Route { path: "/v1/models", is_billable: false, handlers: |resource| resource.route(web::get().to(models::list)) },
    Route {
        path: "/v1/models/{model:.*}",
        is_billable: false,
        handlers: |resource| resource.route(web::get().to(models::show)),
    },
];

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    for route in &ROUTES {
        let resource = (route.handlers)(web::resource(route.path));
        config.service(resource.default_service(web::route().to(error::method_not_allowed)));
    }
    config.configure(admin::configure).configure(health::configure).default_service(web::route().to(error::not_found));
}
