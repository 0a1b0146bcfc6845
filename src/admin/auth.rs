//! The admin token.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use gateway_actors::keys::virtual_key::KeyHash;

use super::AdminError;
use crate::api::admit::limit_admin_attempts;
use crate::server::state::Worker;

/// What the admin token is compared with, given to the app as `web::Data<AdminAuth>`.
#[derive(Clone, Debug)]
pub struct AdminAuth {
    /// SHA-256 of the token; its comparison takes the same time whatever was presented.
    pub token_sha256: KeyHash,
}

impl AdminAuth {
    fn accepts(&self, request: &ServiceRequest) -> bool {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = header.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && KeyHash::digest(token.trim()) == self.token_sha256
    }
}

/// Lets a request through that brings the admin token, and answers 401 to every other.
pub(super) async fn require_admin_token<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // Without anything to compare with, nobody is let in.
    let accepted = request.app_data::<web::Data<AdminAuth>>().is_some_and(|auth| auth.accepts(&request));
    if !accepted {
        // Who guesses the token is held to limits of its address.
        let worker = request.app_data::<web::Data<Worker>>();
        let limited = worker.and_then(|worker| limit_admin_attempts(&worker.shared, request.request()).err());
        let unauthorized = || AdminError::unauthorized().error_response();
        let refusal = limited.map_or_else(unauthorized, |error| error.response());
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}
