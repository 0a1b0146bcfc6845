//! Admission: the key and the process' places before a body is read, the limits of the key and the address after it.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::Utc;
use futures_util::FutureExt;
use gateway_actors::attempt::Endpoint;
use gateway_actors::budget::scope::{Scope, ScopeKind};
use gateway_actors::in_flight::InFlightPermit;
use gateway_actors::limits::admission::Admission;
use gateway_actors::limits::book::Limited;
use gateway_actors::limits::expected::expected_tokens;
use gateway_actors::virtual_key::{KeyRefusal, VirtualKey};
use gateway_actors::wire::json_object::JsonObject;

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

/// What a request holds until its answer has ended, on whatever ending.
pub struct Permit {
    _in_flight: InFlightPermit,
    admission: Admission,
}

impl Permit {
    /// A place among the requests under way, and those in the limits of a key, user and team.
    pub fn new(in_flight: InFlightPermit, admission: Admission) -> Self {
        Self { _in_flight: in_flight, admission }
    }

    /// Ends a request that reached no provider: it costs no limit anything (E5).
    pub fn undo(self) {
        self.admission.undo();
    }
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

/// Counts a request that is about to be routed, and marks what its limits leave. The limits of its key, user and team
/// come first: a client that is held to them must not use up what others at its address have.
///
/// # Errors
/// 429.
pub async fn count(
    shared: &Shared,
    request: &HttpRequest,
    key: &VirtualKey,
    question: (&JsonObject, Endpoint),
    marks: &mut Marks,
) -> Result<Admission, ApiError> {
    let limited = limits_of(shared, key);
    if limited.is_empty() {
        return limit_address(shared, request).map(|()| Admission::default());
    }
    let expected = || expected_tokens(question.0, question.1, shared.config.limits.expected_output_tokens);
    let counts_tokens = limited.iter().any(|limited| limited.limits.tokens_per_minute.is_some());
    let asked = shared.doorkeeper.admit(limited, if counts_tokens { expected() } else { 0 });
    let admitted = match shared.doorkeeper.keeper {
        // Boxed: without a fleet nothing is waited for, and each request would carry room for it along.
        Some(_) => Box::pin(asked).await,
        None => asked.now_or_never().unwrap_or_else(|| Ok(Admission::default())),
    };
    let admission = admitted.map_err(|over| {
        marks.left = over.left;
        let message = over.to_string();
        ApiError { retry_after: Some(over.retry_after), ..ApiError::new(Code::RateLimited, message) }
    })?;
    marks.left = admission.left;
    match limit_address(shared, request) {
        Ok(()) => Ok(admission),
        Err(error) => {
            admission.undo();
            Err(error)
        }
    }
}

/// The limits that a request of this key counts in.
fn limits_of(shared: &Shared, key: &VirtualKey) -> Vec<Limited> {
    let book = shared.limits.load();
    let mut limited: Vec<Limited> = key.limited().into_iter().collect();
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
pub fn limit_address(shared: &Shared, request: &HttpRequest) -> Result<(), ApiError> {
    let (Some(limiter), Some(address)) = (&shared.ip_limiter, client_address(shared, request)) else { return Ok(()) };
    let limit = shared.config.server.ip_rate_limit_per_minute;
    limiter.check(address).map_err(|wait| ApiError {
        retry_after: Some(wait),
        ..ApiError::new(Code::RateLimited, format!("Rate limit of {limit} requests per minute reached."))
    })
}

/// The key of a request, if it is known and in force.
///
/// # Errors
/// 401.
pub fn authorize(shared: &Shared, request: &HttpRequest) -> Result<Arc<VirtualKey>, ApiError> {
    let Some(presented) = presented_key(request.headers())? else {
        let message = "No API key: send your virtual key as 'Authorization: Bearer vk-…'.";
        return Err(ApiError::new(Code::MissingKey, message));
    };
    let Some((key, hash)) = shared.keys.load().find(presented) else {
        return Err(ApiError::new(Code::InvalidKey, "Incorrect API key: this gateway knows no such virtual key."));
    };
    match key.authorize(hash, Utc::now()) {
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
fn client_address(shared: &Shared, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    // Proxies may add a line of their own instead of adding to the last one; all of them are one list (RFC 9110, 5.3).
    let lines = request.headers().get_all("x-forwarded-for");
    // A line that cannot be read must not give its place to the one before it, which the client may have written.
    let lines: Vec<&str> = lines.map(|value| value.to_str().unwrap_or_default()).collect();
    Some(shared.proxies.client_ip(peer, &lines.join(",")))
}
