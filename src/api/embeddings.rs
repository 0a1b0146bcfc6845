//! `POST /v1/embeddings`.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_wire::Endpoint;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;

use super::inference::{Api, Operation, WorkerData, answer, field, optional};
use crate::error::ApiError;

/// Answers an embeddings request.
pub async fn embeddings(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let api = Api { path: "/v1/embeddings", client: ClientKind::Chat, read };
    answer(&worker, &request, payload, api).await
}

fn read(body: &JsonObject) -> Result<Operation, ApiError> {
    if matches!(body.get("input"), None | Some("null")) {
        return Err(field("input", "'input' must be a text or an array of texts."));
    }
    let format: Option<String> = optional(body, "encoding_format", "'float' or 'base64'")?;
    let base64 = match format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(field("encoding_format", "'encoding_format' must be 'float' or 'base64'.")),
    };
    Ok(Operation { endpoint: Endpoint::Embeddings { base64 }, stream: false, include_usage: false, conversation: None })
}
