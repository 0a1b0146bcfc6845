//! Every route of the gateway.

use actix_web::{Resource, web};

use super::{
    chat_completions, completions, count_tokens, embeddings, guardrail_check, messages, models, moderations, openapi,
    pass_through, rerank, responses, stored_responses,
};
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
pub const ROUTES: [Route; 17] = [
    Route {
        path: "/v1/chat/completions",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(chat_completions::chat)),
    },
    Route {
        path: "/v1/messages",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(messages::messages)),
    },
    Route {
        path: "/v1/responses",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(responses::responses)),
    },
    Route {
        path: "/v1/embeddings",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(embeddings::embeddings)),
    },
    Route {
        path: "/v1/completions",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(completions::completions)),
    },
    Route {
        path: "/v1/moderations",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(moderations::moderations)),
    },
    Route {
        path: "/v1/rerank",
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(rerank::rerank)),
    },
    Route {
        path: guardrail_check::PATH,
        is_billable: false,
        handlers: |resource| resource.route(web::post().to(guardrail_check::check)),
    },
    Route {
        path: pass_through::PATH,
        is_billable: true,
        handlers: |resource| {
            let to = pass_through::pass_through;
            let resource = resource.route(web::get().to(to)).route(web::post().to(to)).route(web::put().to(to));
            resource.route(web::patch().to(to)).route(web::delete().to(to))
        },
    },
    Route { path: "/v1/models", is_billable: false, handlers: |resource| resource.route(web::get().to(models::list)) },
    Route {
        path: "/v1/models/{model:.*}",
        is_billable: false,
        handlers: |resource| resource.route(web::get().to(models::show)),
    },
    Route {
        path: "/v1/messages/count_tokens",
        is_billable: false,
        handlers: |resource| resource.route(web::post().to(count_tokens::messages)),
    },
    // Before the stored responses, one of which it would else be.
    Route {
        path: "/v1/responses/input_tokens",
        is_billable: false,
        handlers: |resource| resource.route(web::post().to(count_tokens::responses)),
    },
    Route {
        path: responses::COMPACT,
        is_billable: true,
        handlers: |resource| resource.route(web::post().to(responses::compact)),
    },
    Route {
        path: "/v1/responses/{id}",
        is_billable: false,
        handlers: |resource| {
            resource.route(web::get().to(stored_responses::show)).route(web::delete().to(stored_responses::delete))
        },
    },
    Route {
        path: "/v1/responses/{id}/input_items",
        is_billable: false,
        handlers: |resource| resource.route(web::get().to(stored_responses::input_items)),
    },
    Route {
        path: "/v1/responses/{id}/cancel",
        is_billable: false,
        handlers: |resource| resource.route(web::post().to(stored_responses::cancel)),
    },
];

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    for route in &ROUTES {
        let resource = (route.handlers)(web::resource(route.path));
        config.service(resource.default_service(web::route().to(error::method_not_allowed)));
    }
    config
        .configure(admin::configure)
        .configure(health::configure)
        .configure(openapi::configure)
        .default_service(web::route().to(error::not_found));
}
