//! `POST /v1/completions`: OpenAI's legacy completions, on every provider.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::completions::Completions;
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer};
use crate::error::ApiError;

/// Answers a completions request, whole or as a stream.
pub async fn completions(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/completions", client: ClientKind::Completions, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    let conversation = Completions.read(body)?;
    let stream = conversation.stream;
    // Its usage stands in a chunk that the format itself makes.
    Ok(Operation { endpoint: Endpoint::Chat, stream, include_usage: false, conversation: Some(conversation) })
}
