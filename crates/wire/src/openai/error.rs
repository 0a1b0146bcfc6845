//! Errors of OpenAI and of those who almost speak its format.

mod message;

use bytes::Bytes;
use serde_json::{Map, Value};

use self::message::{message_of, page};
use crate::error_body::{ErrorBody, VendorErrorFields};
use crate::sse;

/// The longest message that is passed on, in characters: some vendors answer with whole pages.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// The most that is kept of a vendor's other fields, in bytes of JSON.
const MAX_FIELDS_BYTES: usize = 8 << 10;

/// The fields that have a place of their own in OpenAI's shape.
const OWN: [&str; 4] = ["message", "type", "param", "code"];

/// What stands beside an error and tells nothing of it: parts of an answer, and of an envelope.
const BESIDE: [&str; 8] = ["object", "created", "model", "id", "choices", "usage", "success", "data"];

/// The error that a non-2xx answer carries, whatever its form.
pub fn error_body(status: u16, body: &[u8]) -> ErrorBody {
    let mut error = match page(body) {
        None => error_text(body),
        // A page of a proxy on the way; its markup helps nobody.
        Some(title) => {
            let about = if title.is_empty() { ".".to_owned() } else { format!(": {title}") };
            let message = format!("The provider answered with status {status} and a page instead of JSON{about}");
            ErrorBody { message: shortened(&message), ..ErrorBody::default() }
        }
    };
    if error.kind.is_empty() {
        error.kind = kind_of(status).to_owned();
    }
    if error.message.is_empty() && status >= 300 {
        error.message = format!("The provider answered with status {status}.");
    }
    error
}

/// The error in a JSON text (`{"error": …}`, the inner object, a list of one, or a bare string); the kind and the message
/// may be empty.
pub fn error_text(text: &[u8]) -> ErrorBody {
    let text = text.strip_prefix(sse::BOM).unwrap_or(text);
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Array(items)) => error_value(items.into_iter().next().unwrap_or_default()),
        Ok(value) => error_value(value),
        Err(_) => ErrorBody { message: shortened(String::from_utf8_lossy(text).trim()), ..ErrorBody::default() },
    }
}

/// Whether an object in an answer's place is an error though it has no `error`: it has a word of one, and nothing of an
/// answer.
pub fn is_bare_error(object: &Map<String, Value>) -> bool {
    let has = |name: &&str| object.get(*name).is_some_and(|value| !value.is_null());
    let is_answer = ["choices", "data", "usage", "content"].iter().any(has);
    !is_answer
        && (object.get("object").is_some_and(|kind| kind == "error") || ["message", "detail", "msg"].iter().any(has))
}

fn error_value(value: Value) -> ErrorBody {
    let Value::Object(mut outer) = value else {
        return ErrorBody { message: shortened(&message_of(&value).unwrap_or_default()), ..ErrorBody::default() };
    };
    let inner = match outer.get_mut("error").map(Value::take) {
        Some(Value::Object(inner)) => {
            outer.remove("error");
            inner
        }
        Some(error) => {
            outer.insert("error".to_owned(), error);
            std::mem::take(&mut outer)
        }
        None => std::mem::take(&mut outer),
    };
    let word = |name: &str| match inner.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (kind, param, code) = (word("type").unwrap_or_default(), word("param"), word("code"));
    let whole = Value::Object(inner);
    let message = message_of(&whole).or_else(|| message_of(&Value::Object(outer.clone())));
    let message =
        message.unwrap_or_else(|| if whole == Value::Object(Map::new()) { String::new() } else { whole.to_string() });
    let vendor_fields = vendor_fields(&whole, outer, &message);
    ErrorBody { message: shortened(&message), kind, param, code, vendor_fields }
}

/// The other fields of an error, and what stands beside it, as far as there is room.
fn vendor_fields(inner: &Value, outer: Map<String, Value>, message: &str) -> Option<Box<VendorErrorFields>> {
    let mut fields = Map::new();
    let mut room = MAX_FIELDS_BYTES;
    let inner = inner.as_object().cloned().unwrap_or_default();
    for (name, value) in inner.into_iter().chain(outer) {
        let is_known = OWN.contains(&name.as_str()) || BESIDE.contains(&name.as_str()) || fields.contains_key(&name);
        if is_known || value.is_null() || value == *message {
            continue;
        }
        let size = name.len() + value.to_string().len() + 4;
        if size <= room {
            room -= size;
            fields.insert(name, value);
        }
    }
    (!fields.is_empty()).then(|| Box::new(VendorErrorFields { fields, should_retry: None }))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).collect()
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
    sse::frame(error_json(error).to_string().as_bytes())
}

/// `{"error": …}`; the results of guardrails stand beside it, where Portkey's clients look for them.
pub fn error_json(error: &ErrorBody) -> Value {
    let mut told = serde_json::json!({ "error": error });
    let inner = told.get_mut("error").and_then(Value::as_object_mut);
    let results = inner.and_then(|inner| inner.shift_remove("hook_results"));
    if let (Some(results), Some(told)) = (results, told.as_object_mut()) {
        told.insert("hook_results".to_owned(), results);
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// errors: the best message of every shape that vendors and their proxies are known to use.
    #[test]
    fn every_form_of_error_gives_its_message() {
        let cases = [
            (r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#, "m"),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"message":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"{"error":"Bad Request","message":"m"}"#, "m"),
            (r#"{"error":"invalid_request","error_description":"m"}"#, "m"),
            (r#"{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}"#, "m"),
            (r#"[{"error":{"message":"m"}}]"#, "m"),
            (r#"{"errors":[{"message":"m"},{"message":"n"}]}"#, "m; n"),
            (r#"{"errors":["m"]}"#, "m"),
            (r#"{"detail":[{"loc":["body","messages",0],"msg":"m","type":"missing"}]}"#, "body.messages.0: m"),
            (r#"{"detail":{"error":{"message":"m"}}}"#, "m"),
            (r#"{"object":"error","message":"m","code":400}"#, "m"),
            (r#"{"error":{"error":{"message":"m"}}}"#, "m"),
            (r#"{"error":null,"msg":"m"}"#, "m"),
            (r#"{"Message":"m","__type":"ThrottlingException"}"#, "m"),
            (r#"{"code":"InvalidParameter","title":"m"}"#, "m"),
            (r#""m""#, "m"),
            ("\u{feff}{\"error\":\"m\"}", "m"),
            (" m\n", "m"),
            (
                "<html><head><title> 502\n Bad Gateway</title></head></html>",
                "The provider answered with status 500 and a page instead of JSON: 502 Bad Gateway",
            ),
            (
                "<?xml version='1.0'?><Error><Message>m</Message></Error>",
                "The provider answered with status 500 and a page instead of JSON: m",
            ),
            ("<html></html>", "The provider answered with status 500 and a page instead of JSON."),
            (r#"{"error":{"code":7}}"#, r#"{"code":7}"#),
            ("", "The provider answered with status 500."),
            ("{}", "The provider answered with status 500."),
            ("null", "The provider answered with status 500."),
            ("[]", "The provider answered with status 500."),
            (r#"{"error":{}}"#, "The provider answered with status 500."),
        ];
        for (body, message) in cases {
            assert_eq!(error_body(500, body.as_bytes()).message, message, "{body}");
        }
        assert_eq!(error_body(429, b"slow").kind, "rate_limit_error");
        let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "ỳ".repeat(5_000));
        assert_eq!(error_body(500, long.as_bytes()).message.chars().count(), MAX_MESSAGE_CHARS);
    }

    /// errors: what else a vendor tells stays with the error, within bounds.
    #[test]
    fn an_error_keeps_its_other_fields() {
        let fields = |body: &Value| {
            let error = error_body(400, body.to_string().as_bytes());
            let mut vendor_fields = serde_json::to_value(&error).unwrap();
            OWN.iter().for_each(|name| _ = vendor_fields.as_object_mut().unwrap().remove(*name));
            vendor_fields
        };
        let azure = json!({"content_filter_result": {"hate": {"filtered": true, "severity": "high"}}, "code": "R"});
        let body = json!({"error": {"message": "m", "code": "content_filter", "param": "prompt", "status": 400, "innererror": azure}});
        assert_eq!(fields(&body), json!({"status": 400, "innererror": azure}));
        let claude =
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}, "request_id": "req_1"});
        assert_eq!(fields(&claude), json!({"request_id": "req_1"}));
        let router =
            json!({"error": {"message": "m", "code": 429, "metadata": {"provider_name": "x"}}, "user_id": "u"});
        assert_eq!(fields(&router), json!({"metadata": {"provider_name": "x"}, "user_id": "u"}));
        let chunk = json!({"id": "gen-1", "object": "chat.completion.chunk", "choices": [], "error": {"message": "m", "x": null}});
        assert_eq!(fields(&chunk), json!({}));
        assert_eq!(fields(&json!({"detail": "m", "request_id": "r"})), json!({"request_id": "r"}));
        let huge = json!({"error": {"message": "m", "dump": "x".repeat(MAX_FIELDS_BYTES), "hint": "h"}});
        assert_eq!(fields(&huge), json!({"hint": "h"}));
    }
}
