//! Failures, with codes by which clients know whether trying again can help.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::ErrorBody;

/// The error of a failed response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    /// The code.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// Codes that stand as they are.
const KNOWN: [&str; 9] = [
    "context_length_exceeded",
    "insufficient_quota",
    "invalid_prompt",
    "invalid_image",
    "previous_response_not_found",
    "rate_limit_exceeded",
    "server_error",
    "server_is_overloaded",
    "usage_not_included",
];

impl Failure {
    /// The failure that an error makes of a response.
    pub fn of(error: &ErrorBody) -> Self {
        Self { code: code(error).to_owned(), message: error.message.clone() }
    }
}

/// The code of an error. Codex stops at `context_length_exceeded`, `insufficient_quota` and `invalid_prompt`, waits at
/// `rate_limit_exceeded`, and repeats whole turns at any other, so that what no retry cures must be one of the first.
fn code(error: &ErrorBody) -> &str {
    let told = error.code.as_deref().unwrap_or_default();
    if is_too_long(error) {
        return "context_length_exceeded";
    }
    if KNOWN.contains(&told) {
        return told;
    }
    let never_again = error.vendor_fields.as_ref().is_some_and(|told| told.should_retry == Some(false));
    let is_spent = |word: &str| matches!(word, "insufficient_quota" | "budget_exceeded" | "billing_error");
    match error.kind.as_str() {
        kind if is_spent(kind) || is_spent(told) => "insufficient_quota",
        "rate_limit_error" | "rate_limit_exceeded" | "tokens" | "requests" if never_again => "insufficient_quota",
        "rate_limit_error" | "rate_limit_exceeded" | "tokens" | "requests" => "rate_limit_exceeded",
        "overloaded_error" => "server_is_overloaded",
        "invalid_request_error"
        | "authentication_error"
        | "permission_error"
        | "not_found_error"
        | "request_too_large" => "invalid_prompt",
        _ if never_again => "invalid_prompt",
        _ => "server_error",
    }
}

/// Whether the conversation is too long for the model, in the words of any vendor (J13).
fn is_too_long(error: &ErrorBody) -> bool {
    if error.code.as_deref() == Some("context_length_exceeded") {
        return true;
    }
    let words = error.message.to_ascii_lowercase();
    let is_request = matches!(error.kind.as_str(), "invalid_request_error" | "request_too_large" | "");
    let says =
        ["prompt is too long", "maximum context length", "context length exceeded", "exceeds the context window"];
    is_request && says.iter().any(|text| words.contains(text))
}

/// An error before the answer began.
pub(super) fn body(error: &ErrorBody) -> Bytes {
    let mut error = error.clone();
    if is_too_long(&error) {
        error.code = Some("context_length_exceeded".to_owned());
    } else if code(&error) == "insufficient_quota" {
        error.code = Some("insufficient_quota".to_owned());
    }
    Bytes::from(json!({"error": error}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VendorErrorFields;

    /// J3, J13: what no retry cures has a code at which Codex stops.
    #[test]
    fn j3_codes_tell_whether_to_try_again() {
        for (kind, code, message, expected) in [
            ("invalid_request_error", "context_length_exceeded", "m", "context_length_exceeded"),
            ("invalid_request_error", "", "prompt is too long: 9 tokens > 8 maximum", "context_length_exceeded"),
            ("invalid_request_error", "", "This model's maximum context length is 8", "context_length_exceeded"),
            ("insufficient_quota", "budget_exceeded", "m", "insufficient_quota"),
            ("rate_limit_error", "", "m", "rate_limit_exceeded"),
            ("invalid_request_error", "guardrail", "m", "invalid_prompt"),
            ("authentication_error", "invalid_api_key", "m", "invalid_prompt"),
            ("overloaded_error", "", "m", "server_is_overloaded"),
            ("api_error", "stream_cut", "m", "server_error"),
            ("timeout_error", "", "m", "server_error"),
        ] {
            assert_eq!(Failure::of(&ErrorBody::new(kind, code, message)).code, expected, "{kind} {code} {message}");
        }
        let told = VendorErrorFields { should_retry: Some(false), ..VendorErrorFields::default() };
        let error = ErrorBody { vendor_fields: Some(Box::new(told)), ..ErrorBody::new("rate_limit_error", "", "m") };
        assert_eq!(Failure::of(&error).code, "insufficient_quota");
    }

    #[test]
    fn an_error_has_all_four_keys() {
        let error = ErrorBody { message: "m".into(), kind: "t".into(), ..ErrorBody::default() };
        assert_eq!(body(&error), r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#);
        let spent = body(&ErrorBody::new("insufficient_quota", "budget_exceeded", "m"));
        let told = r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
        assert_eq!(spent, told);
    }
}
