//! Errors of the Messages API.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ErrorBody;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Inner<'a>,
    request_id: &'a str,
    /// What came of the guardrails that denied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_results: Option<&'a Value>,
}

#[derive(Serialize)]
struct Inner<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, Value>>,
}

/// An error with what stands around it.
pub(super) fn body<'a>(status: u16, error: &'a ErrorBody, request_id: &'a str) -> Body<'a> {
    let beside = |name: &str| error.vendor_fields.as_ref()?.fields.get(name);
    let told = || beside("details").map(Cow::Borrowed);
    let inner =
        Inner { kind: error_type(status, error), message: message(error), details: thread(error).or_else(told) };
    Body { kind: "error", error: inner, request_id, hook_results: beside("hook_results") }
}

/// Anthropic's word for an error; in a stream, where the status is 200, it is found by the error's own class.
pub fn error_type(status: u16, error: &ErrorBody) -> &'static str {
    match status {
        402 => "billing_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        500..=599 => "api_error",
        _ => class(error),
    }
}

fn class(error: &ErrorBody) -> &'static str {
    match error.code.as_deref().unwrap_or_default() {
        "overloaded_error" | "server_is_overloaded" | "overloaded" => return "overloaded_error",
        "model_not_found" | "not_found_error" => return "not_found_error",
        "request_too_large" => return "request_too_large",
        _ => {}
    }
    match error.kind.as_str() {
        "invalid_request_error" | "hooks_failed" => "invalid_request_error",
        "authentication_error" => "authentication_error",
        "permission_error" => "permission_error",
        "not_found_error" => "not_found_error",
        "rate_limit_error" | "insufficient_quota" | "requests" | "tokens" => "rate_limit_error",
        "timeout_error" => "timeout_error",
        "overloaded_error" => "overloaded_error",
        _ => "api_error",
    }
}

/// The message; that of a prompt which is too long in Anthropic's own words, by which clients begin to compact (J13).
fn message(error: &ErrorBody) -> Cow<'_, str> {
    let text = error.message.as_str();
    if error.code.as_deref() != Some("context_length_exceeded") || text.starts_with("prompt is too long") {
        return Cow::Borrowed(text);
    }
    let (tokens, most) = match numbers(text)[..] {
        [a, b] => (a.max(b), a.min(b)),
        // One that tells the parts of the sum (input and bound on the answer) beside it: the sum is the greatest.
        [first, ref rest @ ..] if !rest.is_empty() => (rest.iter().copied().fold(first, u64::max), first),
        _ => return Cow::Owned(format!("prompt is too long: {text}")),
    };
    if tokens <= most {
        return Cow::Owned(format!("prompt is too long: {text}"));
    }
    Cow::Owned(format!("prompt is too long: {tokens} tokens > {most} maximum"))
}

/// The numbers of a text that can count tokens: those that stand apart, of three digits or more.
fn numbers(text: &str) -> Vec<u64> {
    let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | ',');
    let words = text.split(|char: char| !is_word(char)).map(|word| word.trim_matches(['.', ',', '-']));
    let digits = words.map(|word| word.replace(',', "")).filter(|word| word.len() >= 3);
    digits.filter_map(|word| word.parse().ok()).collect()
}

/// What makes the clients that ask for a thread repeat the request without it.
fn thread(error: &ErrorBody) -> Option<Cow<'_, Value>> {
    (error.param.as_deref() == Some("thread"))
        .then(|| Cow::Owned(json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, error: &ErrorBody) -> Value {
        serde_json::to_value(body(status, error, "req_1")).unwrap()
    }

    #[test]
    fn every_status_has_its_type() {
        let cases = [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (408, "timeout_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (446, "invalid_request_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ];
        for (status, kind) in cases {
            let body = told(status, &ErrorBody::new("whatever", "code", "m"));
            let expected = json!({"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "req_1"});
            assert_eq!(body, expected, "{status}");
        }
    }

    /// In a stream the status is 200, so that the class tells.
    #[test]
    fn a_class_has_its_type() {
        let cases = [
            ("api_error", "overloaded_error", "overloaded_error"),
            ("server_error", "server_is_overloaded", "overloaded_error"),
            ("invalid_request_error", "model_not_found", "not_found_error"),
            ("insufficient_quota", "insufficient_quota", "rate_limit_error"),
            ("rate_limit_error", "rate_limit_exceeded", "rate_limit_error"),
            ("timeout_error", "x", "timeout_error"),
            ("api_error", "stream_cut", "api_error"),
            ("strange", "x", "api_error"),
        ];
        for (kind, code, expected) in cases {
            assert_eq!(error_type(200, &ErrorBody::new(kind, code, "m")), expected, "{kind} {code}");
        }
    }

    /// J13: an overflow of the context is told in the words that start a compaction, with the vendor's numbers.
    #[test]
    fn j13_an_overflow_is_told_in_anthropics_words() {
        let cases = [
            (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130123 tokens.",
                "prompt is too long: 130123 tokens > 128000 maximum",
            ),
            (
                "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion).",
                "prompt is too long: 9000 tokens > 8192 maximum",
            ),
            ("Input of 210,000 tokens exceeds 200,000.", "prompt is too long: 210000 tokens > 200000 maximum"),
            ("prompt is too long: 5 tokens > 4 maximum", "prompt is too long: 5 tokens > 4 maximum"),
            ("Too long for gpt-4.1-2025", "prompt is too long: Too long for gpt-4.1-2025"),
        ];
        for (text, expected) in cases {
            let error = ErrorBody::new("invalid_request_error", "context_length_exceeded", text);
            assert_eq!(told(400, &error)["error"]["message"], expected);
        }
    }

    /// A client that asked for a thread learns in which words to ask again.
    #[test]
    fn a_thread_is_refused_with_its_code() {
        let error = ErrorBody {
            param: Some("thread".to_owned()),
            ..ErrorBody::new("invalid_request_error", "invalid_value", "no threads")
        };
        let details = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
        assert_eq!(told(400, &error)["error"]["details"], details);
    }
}
