//! What a client is told of a failed attempt.

use std::time::Duration;

use gateway_wire::ErrorBody;
use serde_json::{Map, Value};

use crate::failure::{ConnectCause, FailureKind};
use crate::secret::Secret;

/// A provider's error without the credential that it got, which some repeat (H1), and with a message and a type.
pub fn redacted(mut error: ErrorBody, credential: Option<&Secret>) -> ErrorBody {
    if let Some(credential) = credential.map(Secret::expose).filter(|text| !text.is_empty()) {
        let hide = |text: &mut String| *text = text.replace(credential, "***");
        hide(&mut error.message);
        hide(&mut error.kind);
        error.code.as_mut().map(hide);
        error.param.as_mut().map(hide);
        if let Some(vendor_fields) = &mut error.vendor_fields {
            hide_in(&mut vendor_fields.fields, credential);
        }
    }
    if error.message.is_empty() {
        "The provider told an error without a message.".clone_into(&mut error.message);
    }
    if error.kind.is_empty() {
        error.kind = "api_error".to_owned();
    }
    error
}

fn hide_in(fields: &mut Map<String, Value>, credential: &str) {
    fields.retain(|name, _| !name.contains(credential));
    fields.values_mut().for_each(|value| hide_in_value(value, credential));
}

fn hide_in_value(value: &mut Value, credential: &str) {
    match value {
        Value::String(text) if text.contains(credential) => *text = text.replace(credential, "***"),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in_value(item, credential)),
        Value::Object(fields) => hide_in(fields, credential),
        _ => {}
    }
}

/// What a client is told of a failure that came without a message of the provider's.
pub fn explain(kind: FailureKind, provider: &str, request_timeout: Option<Duration>) -> ErrorBody {
    let limit = request_timeout.unwrap_or_default().as_millis();
    let (message, code) = match kind {
        FailureKind::RequestTimeout => {
            (format!("Request exceeded the timeout sent in the request: {limit}ms"), "request_timeout")
        }
        FailureKind::Connect(cause) => not_connected(cause, provider),
        FailureKind::ConnectTimeout => {
            (format!("The provider '{provider}' could not be reached in time."), "provider_unreachable")
        }
        FailureKind::FirstByteTimeout => {
            (format!("The provider '{provider}' did not begin its answer in time."), "provider_timeout")
        }
        FailureKind::TotalTimeout => {
            (format!("The provider '{provider}' did not complete its answer in time."), "provider_timeout")
        }
        FailureKind::IdleTimeout => {
            (format!("The provider '{provider}' fell silent in the middle of its answer."), "provider_timeout")
        }
        FailureKind::Broken => (format!("The provider '{provider}' broke off its answer."), "provider_broken"),
        FailureKind::CircuitOpen => {
            (format!("The provider '{provider}' is failing and is left alone for a while."), "circuit_open")
        }
        FailureKind::Saturated => (
            format!("The provider '{provider}' has as many requests under way as it is allowed."),
            "provider_saturated",
        ),
        FailureKind::NotReady => (format!("The provider '{provider}' cannot be used."), "provider_not_ready"),
        FailureKind::OverBudget => ("The budget is used up.".to_owned(), "budget_exceeded"),
        FailureKind::BudgetUnknown => {
            ("The budget cannot be looked up at the moment: try again shortly.".to_owned(), "budget_unknown")
        }
        FailureKind::Status(status) => (format!("The provider '{provider}' answered with {status}."), "provider_error"),
    };
    let kind = match (kind, kind.status()) {
        (FailureKind::OverBudget, _) => "insufficient_quota",
        // Nobody knows whether the quota is insufficient; like a limit, it is worth a second try.
        (FailureKind::BudgetUnknown, _) => "rate_limit_error",
        (_, 408 | 504) => "timeout_error",
        _ => "api_error",
    };
    ErrorBody::new(kind, code, message)
}

/// The message and code of a connection that does not stand.
fn not_connected(cause: ConnectCause, provider: &str) -> (String, &'static str) {
    use ConnectCause::{
        ClosedBeforeAnswer, Dns, NoRoute, Other, OutOfDescriptors, OutOfMemory, OutOfPorts, ProxyAuth, ProxyRefused,
        ProxyUnreachable, Refused, Tls, TlsCertificate, TlsVersion,
    };
    let (why, code) = match cause {
        Dns => ("its name has no address", "provider_unreachable"),
        Refused => ("the connection is refused", "provider_unreachable"),
        NoRoute => ("no way leads there", "provider_unreachable"),
        TlsCertificate => ("its certificate is not trusted", "tls_certificate"),
        TlsVersion => ("no TLS version or cipher is known to both sides", "tls_version"),
        Tls => ("TLS failed", "provider_unreachable"),
        ProxyRefused => ("the proxy refuses to connect there", "proxy_refused"),
        ProxyAuth => ("the proxy asks for another credential", "proxy_auth"),
        ProxyUnreachable => ("the proxy does not answer", "proxy_unreachable"),
        ClosedBeforeAnswer => {
            let message = format!("The provider '{provider}' closed the connection before it answered.");
            return (message, "provider_unreachable");
        }
        OutOfDescriptors | OutOfPorts | OutOfMemory => {
            return (
                "The gateway has no resources left for another connection: try again shortly.".to_owned(),
                "overloaded",
            );
        }
        Other => return (format!("The provider '{provider}' cannot be reached."), "provider_unreachable"),
    };
    (format!("The provider '{provider}' cannot be reached: {why}."), code)
}
