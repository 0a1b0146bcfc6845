//! `POST /v1/responses`: OpenAI's Responses, whatever the provider.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::responses::Responses;
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer};
use crate::error::ApiError;

/// Answers a Responses request, whole or as a stream.
pub async fn responses(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/responses", client: ClientKind::Responses, read };
    answer(&worker, &request, payload, api).await
}

/// The path of [`compact`].
pub const COMPACT: &str = "/v1/responses/compact";

/// Gives a conversation with what the model said sealed into one item.
pub async fn compact(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: COMPACT, client: ClientKind::Responses, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    let conversation = Responses.read(body)?;
    let stream = conversation.stream;
    Ok(Operation { endpoint: Endpoint::Chat, stream, include_usage: false, conversation: Some(conversation) })
}
