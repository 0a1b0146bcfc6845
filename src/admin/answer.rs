//! What the admin API answers when it refuses.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use gateway_actors::db::StoreError;
use gateway_actors::keys::registry::KeyError;
use gateway_actors::runtime::mailbox::{AskError, AskErrorKind};

use crate::error::{ApiError, Code, status_code};

/// A refused admin request. Its text never repeats a value of the request, which may be a credential (H1).
#[derive(Debug)]
pub(super) struct AdminError(Box<ApiError>);

impl AdminError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(ApiError::new(code, message)))
    }

    /// 400 about the body as a whole.
    pub(super) fn bad_json(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidJson, message)
    }

    /// 400 about one field; `problem` continues the sentence that its name begins.
    pub(super) fn bad_field(field: &str, problem: impl fmt::Display) -> Self {
        let error = ApiError::new(Code::InvalidRequest, format!("{field} {problem}."));
        Self(Box::new(ApiError { param: Some(field.to_owned()), ..error }))
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        Self::new(Code::InvalidKey, "The admin API needs the admin token: Authorization: Bearer ADMIN_TOKEN.")
    }

    /// 404 about a virtual key.
    pub(super) fn no_such_key() -> Self {
        Self::new(Code::NotFound, "The virtual key does not exist.")
    }

    /// 503: what Redis holds was not forgotten.
    pub(super) fn redis_away() -> Self {
        Self::new(
            Code::StoreUnavailable,
            "Redis is unavailable: the answers were removed in this process, not in Redis. Try again.",
        )
    }

    /// 400: a rule of the tables.
    fn refused_by_database() -> Self {
        let message = "The database refuses a value, and nothing was changed; the gateway's log tells why.";
        Self::new(Code::InvalidRequest, message)
    }

    /// 413.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("The body must not be longer than {limit} bytes."))
    }
}

impl From<AskError> for AdminError {
    fn from(error: AskError) -> Self {
        let actor = error.actor.replace('_', " ");
        let message = match error.kind {
            AskErrorKind::Full => format!("The {actor} is busy and nothing was changed: try again."),
            AskErrorKind::Timeout => format!(
                "The {actor} did not answer in time: where this was a change, look whether it was made before trying again."
            ),
            AskErrorKind::Closed => format!("The {actor} has stopped: restart the gateway."),
        };
        Self::new(Code::Overloaded, message)
    }
}

impl From<KeyError> for AdminError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound => Self::no_such_key(),
            KeyError::CredentialWithoutProvider => {
                Self::bad_field("provider", "is needed where there is a real_api_key")
            }
            KeyError::CredentialOfAnotherProvider => Self::bad_field(
                "real_api_key",
                "must be sent when provider changes, as the stored one belongs to the former provider; null removes it",
            ),
            KeyError::ChangedMeanwhile => Self::new(
                Code::Conflict,
                "Another process has changed the key's provider or credential meanwhile: look at the key and try again.",
            ),
            KeyError::Store(error) if error.is_refusal() => Self::refused_by_database(),
            KeyError::Store(_) | KeyError::NoArbiter => {
                Self::new(Code::StoreUnavailable, "The database did not take the change; the gateway's log tells why.")
            }
            KeyError::Unreadable { .. }
            | KeyError::Credential { .. }
            | KeyError::MasterKey(_)
            | KeyError::Random(_) => {
                Self::new(Code::Internal, "The key could not be read or sealed; the gateway's log tells why.")
            }
        }
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        log::error!("admin: {error}");
        if error.is_refusal() {
            return Self::refused_by_database();
        }
        Self::new(Code::StoreUnavailable, "The database failed; the gateway's log tells why.")
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        status_code(self.0.code.row().status)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.response();
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An admin that is not answered learns whom it was that did not answer.
    #[test]
    fn an_error_names_the_actor_that_was_asked() {
        let text = |kind| AdminError::from(AskError { actor: "budget_ledger".into(), kind }).to_string();
        assert_eq!(text(AskErrorKind::Full), "The budget ledger is busy and nothing was changed: try again.");
        assert!(text(AskErrorKind::Timeout).starts_with("The budget ledger did not answer in time"));
        assert_eq!(text(AskErrorKind::Closed), "The budget ledger has stopped: restart the gateway.");
    }
}
