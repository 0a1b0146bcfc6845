//! Admission: the key and its limits before a body is read, the process' places and the address after it.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use gateway_actors::keys::virtual_key::{KeyRefusal, VirtualKey};
use gateway_actors::limits::admission::{Admission, OverLimit, Pending};
use gateway_actors::limits::in_flight::InFlightPermit;
use gateway_actors::limits::limit_table::ScopeLimits;
use gateway_actors::scope::{Scope, ScopeKind};
use gateway_actors::usage::expected_tokens::expected_tokens;
use gateway_wire::Endpoint;
use gateway_wire::json_object::JsonObject;

use super::body_budget::BodyShare;
use super::key_header::presented_key;
use super::reply::ResponseMeta;
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// A request that may send its body.
pub struct AdmittedRequest {
    /// Its virtual key.
    pub key: Arc<VirtualKey>,
    /// Its places in the limits of its key, user and team, which come back unless it is counted (E5).
    pub pending: Pending,
}

/// What a request holds until its answer has ended, on whatever ending.
pub struct Permit {
    _in_flight: InFlightPermit,
    _body: BodyShare,
    admission: Admission,
}

impl Permit {
    /// A place among the requests under way, the bytes of its body, and its places in the limits of a key, user and team.
    pub fn new(in_flight: InFlightPermit, body: BodyShare, admission: Admission) -> Self {
        Self { _in_flight: in_flight, _body: body, admission }
    }

    /// Ends a request that reached no provider: it costs no limit anything (E5).
    pub fn undo(self) {
        self.admission.undo();
    }
}

/// Checks whatever can be told from the head of a request: who is over a limit of its own sends no body at all, and one
/// that is slow with it takes only its own key's places (J 8).
///
/// # Errors
/// 401, 429 or 503.
pub async fn admit(
    shared: &AppState,
    request: &HttpRequest,
    now: DateTime<Utc>,
    meta: &mut ResponseMeta,
) -> Result<AdmittedRequest, ApiError> {
    // Who guesses keys is limited too.
    let key = authorize(shared, request, now).map_err(|error| limit_address(shared, request).err().unwrap_or(error))?;
    if shared.in_flight.is_full() {
        return Err(overloaded());
    }
    let limited = limits_of(shared, &key);
    if limited.is_empty() {
        return Ok(AdmittedRequest { key, pending: Pending::default() });
    }
    let asked = shared.rate_limiter.admit(limited);
    let admitted = match shared.rate_limiter.redis_limiter {
        // Boxed: without a fleet nothing is waited for, and each request would carry room for it along.
        Some(_) => Box::pin(asked).await,
        None => asked.now_or_never().unwrap_or_else(|| Ok(Pending::default())),
    };
    Ok(AdmittedRequest { key, pending: admitted.map_err(|over| over_limit(*over, meta))? })
}

/// Takes the request's place in the process, now that its body is here.
///
/// # Errors
/// 503.
pub fn take_place(shared: &AppState) -> Result<InFlightPermit, ApiError> {
    shared.in_flight.try_acquire().ok_or_else(overloaded)
}

/// Counts a request that is about to be routed, and marks what its limits leave. The limits of its key, user and team
/// come first: a client that is held to them must not use up what others at its address have.
///
/// # Errors
/// 429.
pub async fn count(
    shared: &AppState,
    request: &HttpRequest,
    pending: Pending,
    question: (&JsonObject, Endpoint),
    meta: &mut ResponseMeta,
) -> Result<Admission, ApiError> {
    let expected = || expected_tokens(question.0, question.1, shared.config.limits.expected_output_tokens);
    count_tokens_of(shared, request, pending, expected, meta).await
}

/// The same for a request of which the caller knows the tokens.
///
/// # Errors
/// 429.
pub async fn count_tokens_of(
    shared: &AppState,
    request: &HttpRequest,
    mut pending: Pending,
    expected: impl FnOnce() -> u64,
    meta: &mut ResponseMeta,
) -> Result<Admission, ApiError> {
    if pending.counts_tokens() {
        let tokens = expected();
        let asked = shared.rate_limiter.take_tokens(&mut pending, tokens);
        let taken = match shared.rate_limiter.redis_limiter {
            Some(_) => Box::pin(asked).await,
            None => asked.now_or_never().unwrap_or(Ok(())),
        };
        taken.map_err(|over| over_limit(*over, meta))?;
    }
    meta.remaining = pending.remaining();
    limit_address(shared, request)?;
    Ok(pending.count())
}

fn over_limit(over: OverLimit, meta: &mut ResponseMeta) -> ApiError {
    meta.remaining = over.remaining;
    let message = over.to_string();
    ApiError { retry_after: Some(over.retry_after), ..ApiError::new(Code::RateLimited, message) }
}

fn overloaded() -> ApiError {
    let message = "The gateway has as many requests under way as it takes: try again shortly.";
    ApiError::new(Code::Overloaded, message)
}

/// The limits that a request of this key counts in.
fn limits_of(shared: &AppState, key: &VirtualKey) -> Vec<ScopeLimits> {
    let book = shared.limits.load();
    let mut limited: Vec<ScopeLimits> = key.limited().into_iter().collect();
    if !book.is_empty() {
        let owners = [(ScopeKind::User, &key.user_id), (ScopeKind::Team, &key.team_id)];
        let owners = owners.into_iter().filter_map(|(kind, id)| Some(Scope::new(kind, id.as_deref()?)));
        limited.extend(owners.filter_map(|owner| book.get(&owner).cloned()));
    }
    limited
}

/// Counts a request of a client address that has a limit.
///
/// # Errors
/// 429.
pub fn limit_address(shared: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    let Some(limiter) = &shared.ip_limiter else { return Ok(()) };
    let Some(address) = client_address(shared, request) else { return Ok(()) };
    let limit = shared.config.server.ip_rate_limit_per_minute;
    limiter.check(address).map_err(|wait| ApiError {
        retry_after: Some(wait),
        ..ApiError::new(Code::RateLimited, format!("Rate limit of {limit} requests per minute reached."))
    })
}

/// Counts a wrong admin token of a client address.
///
/// # Errors
/// 429.
pub fn limit_admin_attempts(shared: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    limit_address(shared, request)?;
    let (Some(limiter), Some(address)) = (&shared.admin_attempts, client_address(shared, request)) else {
        return Ok(());
    };
    limiter.check(address).map_err(|wait| {
        let message = "Too many wrong admin tokens came from this address: try again later.";
        ApiError { retry_after: Some(wait), ..ApiError::new(Code::RateLimited, message) }
    })
}

/// The key of a request, if it is known and in force.
///
/// # Errors
/// 401.
pub fn authorize(shared: &AppState, request: &HttpRequest, now: DateTime<Utc>) -> Result<Arc<VirtualKey>, ApiError> {
    let Some(presented) = presented_key(request.headers())? else {
        let message = "No API key: send your virtual key as 'Authorization: Bearer vk-…'.";
        return Err(ApiError::new(Code::MissingKey, message));
    };
    let Some((key, hash)) = shared.keys.load().find(presented) else {
        return Err(ApiError::new(Code::InvalidKey, "Incorrect API key: the virtual key does not exist."));
    };
    match key.authorize(hash, now) {
        Ok(()) => Ok(key),
        Err(KeyRefusal::Revoked) => Err(ApiError::new(Code::RevokedKey, "This virtual key has been revoked.")),
        Err(KeyRefusal::Expired) => Err(ApiError::new(Code::ExpiredKey, "This virtual key has expired.")),
        Err(KeyRefusal::Reissued) => {
            let message = "This virtual key was reissued and its grace period is over: use the new one.";
            Err(ApiError::new(Code::ExpiredKey, message))
        }
    }
}

/// The client's own address, behind proxies that are trusted.
fn client_address(shared: &AppState, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    // Proxies may add a line of their own instead of adding to the last one; all of them are one list (RFC 9110, 5.3).
    let lines = request.headers().get_all("x-forwarded-for");
    // A line that cannot be read must not give its place to the one before it, which the client may have written.
    let lines: Vec<&str> = lines.map(|value| value.to_str().unwrap_or_default()).collect();
    Some(shared.proxies.client_ip(peer, &lines.join(",")))
}
