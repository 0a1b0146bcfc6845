//! `POST /v1/messages`: Anthropic's Messages, whatever the provider.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::messages::Messages;
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer};
use crate::error::ApiError;

/// Answers a Messages request, whole or as a stream.
pub async fn messages(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/messages", client: ClientKind::Messages, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    let conversation = Messages.read(body)?;
    let stream = conversation.stream;
    Ok(Operation { endpoint: Endpoint::Chat, stream, include_usage: false, conversation: Some(conversation) })
}
