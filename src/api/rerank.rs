//! `POST /v1/rerank`: passed to providers of OpenAI's format that rank documents.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer, field, optional};
use crate::error::ApiError;

/// Answers a rerank request.
pub async fn rerank(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/rerank", client: ClientKind::Chat, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    if matches!(body.get("query"), None | Some("null")) {
        return Err(field("query", "'query' must be a text."));
    }
    if !body.get("documents").is_some_and(|documents| documents.starts_with('[')) {
        return Err(field("documents", "'documents' must be an array."));
    }
    // An answer in one piece is read for its usage.
    if optional::<bool>(body, "stream", "true or false")? == Some(true) {
        return Err(field("stream", "Rankings come in one piece: leave 'stream' out."));
    }
    Ok(Operation { endpoint: Endpoint::Rerank, stream: false, include_usage: false, conversation: None })
}
