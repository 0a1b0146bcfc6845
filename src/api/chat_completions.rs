//! `POST /v1/chat/completions`.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;
use serde::Deserialize;

use super::inference::{Api, Operation, WorkerData, answer, field, optional};
use crate::error::ApiError;

/// Answers a chat request, whole or as a stream.
pub async fn chat(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/chat/completions", client: ClientKind::Chat, read };
    answer(&worker, &request, payload, api).await
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    match body.get("messages") {
        Some(messages) if messages.starts_with('[') => {}
        _ => return Err(field("messages", "'messages' must be an array of messages.")),
    }
    let stream = optional::<bool>(body, "stream", "true or false")?.unwrap_or(false);
    let options: Option<StreamOptions> = optional(body, "stream_options", "an object")?;
    let include_usage = options.and_then(|options| options.include_usage).unwrap_or(false);
    Ok(Operation { endpoint: Endpoint::Chat, stream, include_usage, conversation: None })
}
