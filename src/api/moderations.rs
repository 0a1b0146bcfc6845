//! `POST /v1/moderations`: passed to providers of OpenAI's format.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer, field};
use crate::error::ApiError;

/// Answers a moderations request.
pub async fn moderations(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/moderations", client: ClientKind::Chat, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    if matches!(body.get("input"), None | Some("null")) {
        return Err(field("input", "'input' must be a text or an array."));
    }
    Ok(Operation { endpoint: Endpoint::Moderations, stream: false, include_usage: false, conversation: None })
}
