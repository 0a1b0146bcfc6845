//! Admission, before a body is read: the address's limit, the key, the process' places, the key's limit.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::Utc;
use gateway_actors::in_flight::InFlightPermit;
use gateway_actors::rate_limit::{RateRefusal, RateSnapshot};
use gateway_actors::virtual_key::{KeyRefusal, VirtualKey};

use crate::auth::presented_key;
use crate::error::{ApiError, Code};
use crate::reply::Marks;
use crate::state::Shared;

/// A request that may go on.
pub struct Admitted {
    /// Its virtual key.
    pub key: Arc<VirtualKey>,
    /// Its place among the requests under way.
    pub permit: InFlightPermit,
}

/// Checks whatever can be told from the head of a request, and marks what the key's limit leaves. What is refused costs
/// no limit anything (E5).
///
/// # Errors
/// 401, 429 or 503.
pub fn admit(shared: &Shared, request: &HttpRequest, marks: &mut Marks) -> Result<Admitted, ApiError> {
    if let (Some(limiter), Some(address)) = (&shared.ip_limiter, client_address(shared, request)) {
        limiter.check(address).map_err(|refusal| ApiError {
            retry_after: Some(refusal.retry_after),
            ..ApiError::new(Code::RateLimited, format!("Rate limit of {} requests per minute reached.", refusal.limit))
        })?;
    }
    let key = authorize(shared, request)?;
    let permit = shared.in_flight.try_acquire().ok_or_else(|| {
        ApiError::new(Code::Overloaded, "The gateway has as many requests under way as it takes: try again shortly.")
    })?;
    if let Some(limiter) = key.rate_limiter() {
        match limiter.check() {
            Ok(rate) => marks.rate = Some(rate),
            Err(refusal) => {
                let RateRefusal { limit, reset, retry_after } = refusal;
                marks.rate = Some(RateSnapshot { limit, remaining: 0, reset });
                let message = format!("Rate limit of {limit} requests per minute reached for this key.");
                return Err(ApiError { retry_after: Some(retry_after), ..ApiError::new(Code::RateLimited, message) });
            }
        }
    }
    Ok(Admitted { key, permit })
}

/// The key of a request, if it is known and in force.
///
/// # Errors
/// 401.
pub fn authorize(shared: &Shared, request: &HttpRequest) -> Result<Arc<VirtualKey>, ApiError> {
    let Some(presented) = presented_key(request.headers()) else {
        let message = "No API key: send your virtual key as 'Authorization: Bearer vk-…'.";
        return Err(ApiError::new(Code::MissingKey, message));
    };
    let Some(key) = shared.keys.load().find(presented) else {
        return Err(ApiError::new(Code::InvalidKey, "Incorrect API key: this gateway knows no such virtual key."));
    };
    match key.authorize(Utc::now()) {
        Ok(()) => Ok(key),
        Err(KeyRefusal::Revoked) => Err(ApiError::new(Code::RevokedKey, "This virtual key has been revoked.")),
        Err(KeyRefusal::Expired) => Err(ApiError::new(Code::ExpiredKey, "This virtual key has expired.")),
    }
}

/// The client's own address, behind proxies that are trusted.
fn client_address(shared: &Shared, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let forwarded = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    Some(shared.proxies.client_ip(peer, forwarded))
}
