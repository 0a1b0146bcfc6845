//! The request body: read up to a limit of size and time, and refused before it is parsed (or even read) when it is over.

use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::error::{ApiError, Code};

/// Reads a body of at most `limit` bytes within a time.
///
/// # Errors
/// 413 where it is larger, 408 where it takes longer, 400 where it breaks off.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
    time: Duration,
) -> Result<Bytes, ApiError> {
    timeout(time, whole(request, payload, limit)).await.unwrap_or_else(|_| {
        let message = format!("The request body did not come within {} ms.", time.as_millis());
        Err(ApiError::new(Code::RequestTimeout, message))
    })
}

async fn whole(request: &HttpRequest, mut payload: web::Payload, limit: usize) -> Result<Bytes, ApiError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(bytes) = payload.next().await {
        let bytes = bytes.map_err(|_| ApiError::new(Code::InvalidRequest, "The request body broke off."))?;
        if first.len() + rest.len() + bytes.len() > limit {
            return Err(too_large(limit));
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = bytes;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.map_or(0, |length| length as usize));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&bytes);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("The request body is over the limit of {limit} bytes."))
}
