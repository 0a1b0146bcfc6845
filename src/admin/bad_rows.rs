//! `GET /admin/bad-rows`: the rows of the store that cannot be read, and what becomes of requests meanwhile.

use actix_web::{HttpResponse, web};
use gateway_actors::db::bad_rows::BadRow;
use serde_json::{Value, json};

use crate::error::method_not_allowed;
use crate::server::state::Worker;

/// Adds the path below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let bad_rows = web::resource("/bad-rows").route(web::get().to(list));
    cfg.service(bad_rows.default_service(web::route().to(method_not_allowed)));
}

async fn list(worker: web::Data<Worker>) -> HttpResponse {
    let rows = worker.shared.routing.budgets.ledger.store.bad_rows.all();
    let views: Vec<Value> = rows.iter().map(view).collect();
    HttpResponse::Ok().json(json!({ "object": "list", "data": views }))
}

fn view(row: &BadRow) -> Value {
    json!({ "table": row.table, "id": row.id, "problem": row.problem, "consequence": row.consequence() })
}
