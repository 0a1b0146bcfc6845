//! The request body: read up to a limit of size, time and rate, and refused before it is parsed (or even read) when it is
//! over.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_actors::content_coding::Coding;
use tokio::time::{Instant, timeout, timeout_at};

use super::body_budget::BodyShare;
use super::coding::{self, DecodeError};
use crate::config::ServerSettings;
use crate::error::{ApiError, Code};

/// How long a body may come slower than at the least rate.
const RATE_GRACE: Duration = Duration::from_secs(5);

/// The room that is made for a body before any of it has come, at most.
const FIRST_ROOM: usize = 1 << 20;

/// A body up to this size is decoded at once; a larger one away from the thread that serves others.
const SMALL: usize = 16 << 10;

/// The rest of a refused request that is worth reading for its connection to be kept.
const SMALL_REST: u64 = 64 << 10;

/// How long that rest is waited for.
const REST_TIMEOUT: Duration = Duration::from_millis(50);

/// Reads a body, and undoes its codings. What it holds is counted in `share`.
///
/// # Errors
/// 413 where it is larger than it may be, 408 where it takes longer or comes too slowly, 503 where the bodies under way
/// leave no room for it, 415 where its coding is not known, 400 where it breaks off.
pub async fn read(
    request: &HttpRequest,
    payload: &mut web::Payload,
    settings: &ServerSettings,
    share: BodyShare,
) -> Result<(Bytes, BodyShare), ApiError> {
    let codings = coding::codings(request.headers())?;
    let mut share = share;
    let bytes = whole(request, payload, settings, &mut share).await?;
    match codings.is_empty() {
        true => Ok((bytes, share)),
        false => decoded(bytes, codings, settings.max_body_bytes, share).await,
    }
}

async fn whole(
    request: &HttpRequest,
    payload: &mut web::Payload,
    settings: &ServerSettings,
    share: &mut BodyShare,
) -> Result<Bytes, ApiError> {
    let limit = settings.max_body_bytes;
    let announced = announced(request);
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut begun = None;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let length = first.len() + rest.len();
        // Most bodies are here with their heads, and what is here needs no timer.
        let next = match poll_fn(|cx| Poll::Ready(payload.poll_next_unpin(cx))).await {
            Poll::Ready(next) => next,
            Poll::Pending => {
                let begun = *begun.get_or_insert_with(Instant::now);
                let end = begun + Duration::from_millis(settings.body_timeout_ms);
                let slowest = too_slow_at(begun, length, settings.min_body_rate).filter(|at| *at < end);
                let Ok(next) = timeout_at(slowest.unwrap_or(end), payload.next()).await else {
                    return Err(late(settings, slowest.is_some()));
                };
                next
            }
        };
        let Some(bytes) = next else { break };
        let bytes = bytes.map_err(|_| ApiError::new(Code::InvalidRequest, "The request body broke off."))?;
        if length + bytes.len() > limit {
            return Err(too_large(limit));
        }
        if !share.grow(bytes.len()) {
            return Err(no_room());
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = bytes;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.map_or(0, |length| length as usize).min(FIRST_ROOM));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&bytes);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// When a body of which `length` bytes have come is too slow; never where there is no least rate.
fn too_slow_at(begun: Instant, length: usize, min_rate: u64) -> Option<Instant> {
    let millis = (length as u64).saturating_mul(1000).checked_div(min_rate)?;
    Some(begun + RATE_GRACE + Duration::from_millis(millis))
}

async fn decoded(
    bytes: Bytes,
    codings: Vec<Coding>,
    limit: usize,
    mut share: BodyShare,
) -> Result<(Bytes, BodyShare), ApiError> {
    let coded = bytes.len();
    let undo = move || {
        let decoded = coding::undo(&bytes, &codings, limit, &mut share);
        share.shrink(coded);
        (decoded, share)
    };
    let (decoded, share) = if coded <= SMALL && limit <= SMALL {
        undo()
    } else {
        let lost = |_| ApiError::new(Code::Internal, "The request body was lost inside the gateway.");
        web::block(undo).await.map_err(lost)?
    };
    match decoded {
        Ok(decoded) => Ok((Bytes::from(decoded), share)),
        Err(DecodeError::TooLarge) => Err(too_large(limit)),
        Err(DecodeError::NoRoom) => Err(no_room()),
        Err(DecodeError::Broken) => {
            let message = "The request body is not what its header 'content-encoding' says.";
            Err(ApiError { param: Some("content-encoding".to_owned()), ..ApiError::new(Code::InvalidRequest, message) })
        }
    }
}

/// Reads the rest of a small body that nobody needs, so that its connection can be kept.
pub async fn discard_small(request: &HttpRequest, payload: &mut web::Payload) {
    if announced(request).is_some_and(|length| (1..=SMALL_REST).contains(&length)) {
        let rest = async { while let Some(Ok(_)) = payload.next().await {} };
        // What does not come in time is left to the server, which closes the connection.
        let _in_time = timeout(REST_TIMEOUT, rest).await.is_ok();
    }
}

fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("The request body is over the limit of {limit} bytes."))
}

/// What a client is told where the bodies under way leave no room.
pub(super) fn no_room() -> ApiError {
    ApiError::new(Code::Overloaded, "The gateway has as many bytes of request bodies as it takes: try again shortly.")
}

fn late(settings: &ServerSettings, is_too_slow: bool) -> ApiError {
    let message = match is_too_slow {
        true => format!("The request body came slower than {} bytes a second.", settings.min_body_rate),
        false => format!("The request body did not come within {} ms.", settings.body_timeout_ms),
    };
    ApiError::new(Code::RequestTimeout, message)
}
