//! Errors of OpenAI and of those who almost speak its format.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::ErrorBody;
use crate::wire::sse;

/// The longest message that is passed on, in characters: some vendors answer with whole HTML pages.
const LONGEST_MESSAGE: usize = 2_000;

/// The error that a non-2xx answer carries, whatever its form.
pub fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let mut error = error_text(body);
    if error.kind.is_empty() {
        error.kind = kind_of(status).to_owned();
    }
    if error.message.is_empty() {
        error.message = format!("The provider answered with status {status}.");
    }
    error
}

/// The error in a JSON text (`{"error": …}`, the inner object, or a bare string); the kind may be empty.
pub fn error_text(text: &[u8]) -> ErrorBody {
    let Ok(value) = serde_json::from_slice::<Value>(text) else {
        let message = String::from_utf8_lossy(text).trim().chars().take(LONGEST_MESSAGE).collect();
        return ErrorBody { message, kind: String::new(), param: None, code: None };
    };
    let value = match value.get("error") {
        Some(inner) if !inner.is_null() => inner,
        _ => &value,
    };
    let word = |name: &str| match value.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let message = match value {
        Value::String(text) => text.clone(),
        _ => word("message").or_else(|| word("detail")).unwrap_or_else(|| value.to_string()),
    };
    ErrorBody {
        message: message.chars().take(LONGEST_MESSAGE).collect(),
        kind: word("type").unwrap_or_default(),
        param: word("param"),
        code: word("code"),
    }
}

/// OpenAI's error type for a status.
fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        408 | 504 => "timeout_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The SSE event that ends a stream which broke after its first content (D1): OpenAI's clients raise it.
pub fn error_event(error: &ErrorBody) -> Bytes {
    let body = serde_json::json!({ "error": error });
    sse::frame(body.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_error_gives_its_message() {
        let cases = [
            (r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#, "m"),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"message":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            ("m", "m"),
        ];
        for (body, message) in cases {
            assert_eq!(error_body(500, body.as_bytes()).message, message, "{body}");
        }
        assert_eq!(error_body(502, b"").message, "The provider answered with status 502.");
        assert_eq!(error_body(429, b"slow").kind, "rate_limit_error");
    }
}
