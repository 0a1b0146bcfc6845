//! Trace and request ids.

use actix_web::http::header::{HeaderMap, HeaderName};

static TRACE_ID: HeaderName = HeaderName::from_static("x-portkey-trace-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The caller's trace id (`x-portkey-trace-id`, else the one inside W3C's `traceparent`), or a new one.
pub fn trace_id(headers: &HeaderMap) -> String {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let own = text(&TRACE_ID).filter(|id| !id.is_empty() && id.len() <= 200);
    own.or_else(|| text(&TRACEPARENT).and_then(w3c_trace_id)).map_or_else(new_id, str::to_owned)
}

/// The trace id of `version-traceid-parentid-flags` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn w3c_trace_id(traceparent: &str) -> Option<&str> {
    let id = traceparent.split('-').nth(1)?;
    let valid = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
    valid.then_some(id)
}

/// A new random id: 32 hexadecimal digits.
pub fn new_id() -> String {
    const_hex::encode(rand::random::<u128>().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_callers_trace_id_is_kept() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect::<HeaderMap>()
        };
        let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&headers(&[("x-portkey-trace-id", "abc-123"), parent])), "abc-123");
        assert_eq!(trace_id(&headers(&[parent])), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace_id(&headers(&[("traceparent", "junk")])).len(), 32);
    }
}
