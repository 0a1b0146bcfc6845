//! Errors: <https://docs.anthropic.com/en/api/errors>.

use crate::{ErrorBody, openai};

/// The error of a non-2xx answer in OpenAI's shape; Anthropic's own type is the code where OpenAI has no word for it.
pub(super) fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let kind = openai::error_text(body).kind;
    let mut error = openai::error_body(status, body);
    let message = error.message.as_str();
    let (mapped, code) = match kind.as_str() {
        // No type was told, so none is added.
        "" | "error" => return error,
        "invalid_request_error" if message.starts_with("prompt is too long") => {
            (kind.as_str(), "context_length_exceeded")
        }
        "not_found_error" if message.starts_with("model:") => ("invalid_request_error", "model_not_found"),
        "not_found_error" | "request_too_large" => ("invalid_request_error", kind.as_str()),
        "billing_error" => ("insufficient_quota", "insufficient_quota"),
        "overloaded_error" => ("api_error", kind.as_str()),
        _ => (kind.as_str(), kind.as_str()),
    };
    error.code.get_or_insert_with(|| code.to_owned());
    error.kind = mapped.to_owned();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_counterpart() {
        let cases = [
            ("invalid_request_error", "bad", "invalid_request_error", "invalid_request_error"),
            (
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
                "invalid_request_error",
                "context_length_exceeded",
            ),
            ("authentication_error", "invalid x-api-key", "authentication_error", "authentication_error"),
            ("permission_error", "no", "permission_error", "permission_error"),
            ("billing_error", "no credit", "insufficient_quota", "insufficient_quota"),
            ("not_found_error", "model: claude-0", "invalid_request_error", "model_not_found"),
            ("not_found_error", "nothing here", "invalid_request_error", "not_found_error"),
            ("request_too_large", "big", "invalid_request_error", "request_too_large"),
            ("rate_limit_error", "slow down", "rate_limit_error", "rate_limit_error"),
            ("api_error", "oh", "api_error", "api_error"),
            ("timeout_error", "late", "timeout_error", "timeout_error"),
            ("overloaded_error", "Overloaded", "api_error", "overloaded_error"),
        ];
        for (kind, message, mapped, code) in cases {
            let body = serde_json::json!({"type": "error", "error": {"type": kind, "message": message},
                "request_id": "req_1"});
            let error = error_body(400, body.to_string().as_bytes());
            assert_eq!((error.message.as_str(), error.kind.as_str()), (message, mapped), "{kind}");
            assert_eq!(error.code.as_deref(), Some(code), "{kind}");
            assert_eq!(
                error.vendor_fields.map(|vendor_fields| vendor_fields.fields["request_id"].clone()),
                Some("req_1".into()),
                "{kind}"
            );
        }
    }

    #[test]
    fn what_is_not_anthropics_is_told_all_the_same() {
        let error = error_body(502, b"<html><head><title>502 Bad Gateway</title></head><body>x</body></html>");
        let expected = "The provider answered with status 502 and a page instead of JSON: 502 Bad Gateway";
        assert_eq!((error.message.as_str(), error.kind.as_str()), (expected, "api_error"));
        assert_eq!(error_body(429, b"").kind, "rate_limit_error");
        assert_eq!(error_body(503, b"no healthy upstream").message, "no healthy upstream");
    }
}
