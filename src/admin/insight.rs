//! `GET /admin/actors` and `GET /admin/config`: the inside of the running process.

use actix_web::{HttpResponse, web};
use gateway_actors::actor_stats::ActorReport;
use serde_json::json;

use crate::state::Worker;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/actors").route(web::get().to(actors)))
        .service(web::resource("/config").route(web::get().to(effective_config)));
}

async fn actors(worker: web::Data<Worker>) -> HttpResponse {
    let shared = &worker.shared;
    let mut reports = Vec::new();
    for stats in shared.actors() {
        let provider = stats.name().strip_prefix("provider:").and_then(|name| shared.routing.providers.get(name));
        reports.push(match (stats.name(), provider) {
            (_, Some(provider)) => provider.report().await,
            ("key_registry", _) => {
                let state = json!({ "virtual_keys": shared.keys.load().all().len() });
                ActorReport { state, ..shared.key_registry.report() }
            }
            ("metrics", _) => shared.metrics_actor.report(),
            _ => ActorReport { state: json!({ "process_in_flight": shared.in_flight.count() }), ..stats.report() },
        });
    }
    HttpResponse::Ok().json(json!({ "actors": reports }))
}

async fn effective_config(worker: web::Data<Worker>) -> HttpResponse {
    HttpResponse::Ok().json(worker.shared.config.masked_json())
}
