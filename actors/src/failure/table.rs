//! The one table of failures: what each means to a client, to the metrics, to the chain of targets and to the breaker.

use std::time::Duration;

use super::{Code, ConnectCause, FailureKind};

/// When to come back to what passes soon, where nobody knows better.
const SOON: Option<Duration> = Some(Duration::from_secs(1));

/// One row: a failure, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The status that a client sees when the failure is final, and that `on_status_codes` compares.
    pub status: u16,
    /// OpenAI's `type`.
    pub error_type: &'static str,
    /// The `code`.
    pub code: &'static str,
    /// A bounded word for metric labels and log fields.
    pub label: &'static str,
    /// What a client is told where the provider told nothing; `{provider}`, `{limit}` and `{status}` stand for values.
    pub message: &'static str,
    /// Whether the provider is to blame, so that its breaker counts the failure (E1: client errors never do).
    pub blames_provider: bool,
    /// Whether nobody could have been served, so that no key's own questions can be the reason (J 3).
    pub is_outage: bool,
    /// Whether the attempt was made. Otherwise the target is as if it were not in the list: whatever the rules say, the
    /// next one is asked.
    pub was_sent: bool,
    /// When to come back, where the failure itself does not say.
    pub retry_after: Option<Duration>,
    /// Whether the gateway may try again by itself, where the rules name no status.
    pub is_retried: bool,
    /// Whether the client is to try again, where that is sure.
    pub client_retries: Option<bool>,
}

/// A row by its status, type and code; what follows in a row differs from that of a failure that the gateway answers.
const fn row(status: u16, error_type: &'static str, code: &'static str) -> FailureRow {
    FailureRow {
        status,
        error_type,
        code,
        label: code,
        message: "",
        blames_provider: false,
        is_outage: false,
        was_sent: true,
        retry_after: None,
        is_retried: true,
        client_retries: None,
    }
}

impl FailureRow {
    const fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    const fn message(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    const fn blames_provider(self) -> Self {
        Self { blames_provider: true, ..self }
    }

    const fn outage(self) -> Self {
        Self { is_outage: true, ..self }
    }

    const fn unsent(self) -> Self {
        Self { was_sent: false, ..self }
    }

    const fn passes_soon(self) -> Self {
        Self { retry_after: SOON, ..self }
    }

    const fn not_retried(self) -> Self {
        Self { is_retried: false, ..self }
    }

    const fn client_retries(self, again: bool) -> Self {
        Self { client_retries: Some(again), ..self }
    }
}

impl FailureKind {
    /// The failure's row.
    #[rustfmt::skip]
    pub const fn row(self) -> FailureRow {
        match self {
            Self::Status(status) => of_status(status),
            Self::Connect(cause) => cause.row(),
            Self::ConnectTimeout => row(504, "timeout_error", "provider_unreachable")
                .label("connect_timeout").blames_provider().outage()
                .message("The provider '{provider}' could not be reached in time."),
            Self::FirstByteTimeout => row(504, "timeout_error", "provider_timeout")
                .label("first_byte_timeout").blames_provider().outage()
                .message("The provider '{provider}' did not begin its answer in time."),
            // The deadline may be the client's own, and is a limit that was asked for.
            Self::RequestTimeout => row(408, "timeout_error", "request_timeout").not_retried()
                .message("Request exceeded the timeout sent in the request: {limit}ms"),
            // Another try would be made, and billed, all over again.
            Self::TotalTimeout => row(504, "timeout_error", "provider_timeout")
                .label("total_timeout").blames_provider().not_retried().client_retries(false)
                .message("The provider '{provider}' did not complete its answer in time."),
            Self::IdleTimeout => row(504, "timeout_error", "provider_timeout")
                .label("idle_timeout").blames_provider().outage()
                .message("The provider '{provider}' fell silent in the middle of its answer."),
            Self::Broken => row(502, "api_error", "provider_broken").label("broken").blames_provider()
                .message("The provider '{provider}' broke off its answer."),
            Self::CircuitOpen => row(503, "api_error", "circuit_open").unsent().passes_soon()
                .message("The provider '{provider}' is failing and is left alone for a while."),
            Self::Saturated => row(503, "api_error", "provider_saturated").label("saturated").unsent().passes_soon()
                .message("The provider '{provider}' has as many requests under way as it is allowed."),
            Self::NotReady => row(503, "api_error", "provider_not_ready").label("not_ready").unsent()
                .message("The provider '{provider}' cannot be used."),
            // Portkey's status and class.
            Self::Denied => row(446, "hooks_failed", "hooks_failed").label("denied").not_retried().client_retries(false)
                .message("A guardrail denied the request or its answer."),
            Self::OverBudget => row(429, "insufficient_quota", "budget_exceeded")
                .label("over_budget").unsent().client_retries(false)
                .message("The budget is used up."),
            // Nobody knows whether the quota is insufficient; like a limit, it is worth a second try.
            Self::BudgetUnknown => row(429, "rate_limit_error", "budget_unknown")
                .unsent().passes_soon().client_retries(true)
                .message("The budget cannot be looked up at the moment: try again shortly."),
        }
    }
}

/// An answer of the provider's. A 429 speaks of one credential's quota, and a provider has many: its wait and retries are
/// answer enough.
const fn of_status(status: u16) -> FailureRow {
    let row = match status {
        408 | 504 => row(status, "timeout_error", "provider_error"),
        _ => row(status, "api_error", "provider_error"),
    };
    let row = row.message("The provider '{provider}' answered with {status}.");
    match status {
        429 => row.label("rate_limit"),
        500.. => row.label("server_error").blames_provider(),
        _ => row.label("client_error"),
    }
}

impl ConnectCause {
    /// The row of a connection that does not stand for this cause.
    #[rustfmt::skip]
    pub const fn row(self) -> FailureRow {
        let lost = row(503, "api_error", "provider_unreachable").blames_provider().outage();
        match self {
            Self::Dns => lost.label("dns")
                .message("The provider '{provider}' cannot be reached: its name has no address."),
            Self::Refused => lost.label("refused")
                .message("The provider '{provider}' cannot be reached: the connection is refused."),
            Self::NoRoute => lost.label("no_route")
                .message("The provider '{provider}' cannot be reached: no way leads there."),
            Self::TlsCertificate => row(503, "api_error", "tls_certificate").blames_provider().outage()
                .message("The provider '{provider}' cannot be reached: its certificate is not trusted."),
            Self::TlsVersion => row(503, "api_error", "tls_version").blames_provider().outage()
                .message("The provider '{provider}' cannot be reached: no TLS version or cipher is known to both sides."),
            Self::Tls => lost.label("tls")
                .message("The provider '{provider}' cannot be reached: TLS failed."),
            Self::ProxyRefused => row(503, "api_error", "proxy_refused").blames_provider().outage()
                .message("The provider '{provider}' cannot be reached: the proxy refuses to connect there."),
            Self::ProxyAuth => row(503, "api_error", "proxy_auth").blames_provider().outage()
                .message("The provider '{provider}' cannot be reached: the proxy asks for another credential."),
            Self::ProxyUnreachable => row(503, "api_error", "proxy_unreachable").blames_provider().outage()
                .message("The provider '{provider}' cannot be reached: the proxy does not answer."),
            // A provider that falls over one key's question closes the connection too.
            Self::ClosedBeforeAnswer => row(503, "api_error", "provider_unreachable")
                .label("closed_before_answer").blames_provider()
                .message("The provider '{provider}' closed the connection before it answered."),
            Self::OutOfDescriptors => own_want().label("out_of_descriptors"),
            Self::OutOfPorts => own_want().label("out_of_ports"),
            Self::OutOfMemory => own_want().label("out_of_memory"),
            Self::Other => lost.label("connect").message("The provider '{provider}' cannot be reached."),
        }
    }
}

/// What this machine lacks is no provider's fault.
const fn own_want() -> FailureRow {
    let message = "The gateway has no resources left for another connection: try again shortly.";
    row(503, "api_error", "overloaded").unsent().outage().message(message)
}

impl Code {
    /// The error's row.
    pub const fn row(self) -> FailureRow {
        match self {
            Self::InvalidJson => row(400, "invalid_request_error", "invalid_json"),
            Self::InvalidRequest => row(400, "invalid_request_error", "invalid_request"),
            Self::InvalidConfig => row(400, "invalid_request_error", "invalid_config"),
            Self::NoTarget => row(400, "invalid_request_error", "no_target"),
            Self::NotSupported => row(400, "invalid_request_error", "not_supported"),
            Self::MissingKey => row(401, "authentication_error", "missing_api_key"),
            Self::InvalidKey => row(401, "authentication_error", "invalid_api_key"),
            Self::RevokedKey => row(401, "authentication_error", "revoked_api_key"),
            Self::ExpiredKey => row(401, "authentication_error", "expired_api_key"),
            Self::Forbidden => row(403, "permission_error", "not_allowed"),
            Self::ModelNotFound => row(404, "invalid_request_error", "model_not_found"),
            Self::ResponseNotFound => row(404, "invalid_request_error", "response_not_found"),
            Self::PreviousResponseNotFound => row(400, "invalid_request_error", "previous_response_not_found"),
            Self::NotFound => row(404, "invalid_request_error", "not_found"),
            Self::MethodNotAllowed => row(405, "invalid_request_error", "method_not_allowed"),
            Self::Conflict => row(409, "invalid_request_error", "conflict"),
            Self::RequestTimeout => row(408, "timeout_error", "request_timeout"),
            Self::BodyTooLarge => row(413, "invalid_request_error", "body_too_large"),
            Self::UnsupportedEncoding => row(415, "invalid_request_error", "unsupported_content_encoding"),
            Self::RateLimited => row(429, "rate_limit_error", "rate_limit_exceeded"),
            Self::Overloaded => row(503, "api_error", "overloaded").passes_soon(),
            Self::StoreUnavailable => row(503, "api_error", "store_unavailable").passes_soon(),
            Self::Internal => row(500, "api_error", "internal_error"),
        }
    }
}

/// Every failure of an attempt; a provider's statuses by one of each class.
pub const ATTEMPT_FAILURES: [FailureKind; 29] = [
    FailureKind::Status(400),
    FailureKind::Status(429),
    FailureKind::Status(500),
    FailureKind::Connect(ConnectCause::Dns),
    FailureKind::Connect(ConnectCause::Refused),
    FailureKind::Connect(ConnectCause::NoRoute),
    FailureKind::Connect(ConnectCause::TlsCertificate),
    FailureKind::Connect(ConnectCause::TlsVersion),
    FailureKind::Connect(ConnectCause::Tls),
    FailureKind::Connect(ConnectCause::ProxyRefused),
    FailureKind::Connect(ConnectCause::ProxyAuth),
    FailureKind::Connect(ConnectCause::ProxyUnreachable),
    FailureKind::Connect(ConnectCause::ClosedBeforeAnswer),
    FailureKind::Connect(ConnectCause::OutOfDescriptors),
    FailureKind::Connect(ConnectCause::OutOfPorts),
    FailureKind::Connect(ConnectCause::OutOfMemory),
    FailureKind::Connect(ConnectCause::Other),
    FailureKind::ConnectTimeout,
    FailureKind::FirstByteTimeout,
    FailureKind::RequestTimeout,
    FailureKind::TotalTimeout,
    FailureKind::IdleTimeout,
    FailureKind::Broken,
    FailureKind::CircuitOpen,
    FailureKind::Saturated,
    FailureKind::NotReady,
    FailureKind::Denied,
    FailureKind::OverBudget,
    FailureKind::BudgetUnknown,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::message::explain;

    /// What is final is told in a sentence, with every value in its place; nobody is to blame for what was not sent.
    #[test]
    fn every_failure_of_an_attempt_can_be_told() {
        for kind in ATTEMPT_FAILURES {
            let (row, error) = (kind.row(), explain(kind, "acme", Some(Duration::from_millis(250))));
            assert!(!error.message.is_empty() && !error.message.contains(['{', '}']), "{kind:?}: {}", error.message);
            assert_eq!((error.kind.as_str(), error.code.as_deref()), (row.error_type, Some(row.code)), "{kind:?}");
            assert!(row.was_sent || !row.blames_provider, "{kind:?}");
        }
        assert!(explain(FailureKind::Status(418), "acme", None).message.ends_with("'acme' answered with 418."));
        let late = explain(FailureKind::RequestTimeout, "acme", Some(Duration::from_millis(250)));
        assert!(late.message.ends_with(": 250ms"), "{}", late.message);
    }
}
