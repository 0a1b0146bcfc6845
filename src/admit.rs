//! Admission: the key and the process' places before a body is read, the limits of the key and the address after it.

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

/// Checks whatever can be told from the head of a request, and takes its place in the process. What is refused after
/// this for another reason costs no limit anything (E5): the limits are checked last, by [`count`].
///
/// # Errors
/// 401, 429 or 503.
pub fn admit(shared: &Shared, request: &HttpRequest) -> Result<Admitted, ApiError> {
    // Who guesses keys is limited too.
    let key = authorize(shared, request).map_err(|error| limit_address(shared, request).err().unwrap_or(error))?;
    let permit = shared.in_flight.try_acquire().ok_or_else(|| {
        ApiError::new(Code::Overloaded, "The gateway has as many requests under way as it takes: try again shortly.")
    })?;
    Ok(Admitted { key, permit })
}

/// Counts a request that is about to be routed, and marks what the key's limit leaves. The key's limit comes first: a
/// client that is held to it must not use up what others at its address have.
///
/// # Errors
/// 429.
pub fn count(shared: &Shared, request: &HttpRequest, key: &VirtualKey, marks: &mut Marks) -> Result<(), ApiError> {
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
    limit_address(shared, request)
}

/// Counts a request of a client address that has a limit.
///
/// # Errors
/// 429.
pub fn limit_address(shared: &Shared, request: &HttpRequest) -> Result<(), ApiError> {
    let (Some(limiter), Some(address)) = (&shared.ip_limiter, client_address(shared, request)) else { return Ok(()) };
    limiter.check(address).map(drop).map_err(|refusal| ApiError {
        retry_after: Some(refusal.retry_after),
        ..ApiError::new(Code::RateLimited, format!("Rate limit of {} requests per minute reached.", refusal.limit))
    })
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
    // Proxies may add a line of their own instead of adding to the last one; all of them are one list (RFC 9110, 5.3).
    let lines = request.headers().get_all("x-forwarded-for");
    // A line that cannot be read must not give its place to the one before it, which the client may have written.
    let lines: Vec<&str> = lines.map(|value| value.to_str().unwrap_or_default()).collect();
    Some(shared.proxies.client_ip(peer, &lines.join(",")))
}
