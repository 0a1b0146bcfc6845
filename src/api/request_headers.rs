//! What a request's headers ask for, beside its key and its routing config.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use gateway_actors::cache::policy::CacheHeaders;
use gateway_wire::names;
use serde_json::{Map, Value};

use super::cache_headers;
use super::inference::field;
use crate::error::{ApiError, Code};

/// What was asked for.
#[derive(Debug, Default)]
pub struct ClientHeaders {
    /// `x-portkey-metadata`, a JSON object.
    pub metadata: Map<String, Value>,
    /// `x-portkey-request-timeout`, in milliseconds.
    pub request_timeout: Option<Duration>,
    /// `x-portkey-provider`.
    pub provider: Option<String>,
    /// `x-portkey-strict-open-ai-compliance`.
    pub strict: Option<bool>,
    /// What they say of the cache.
    pub cache: CacheHeaders,
}

impl ClientHeaders {
    /// Reads the headers.
    ///
    /// # Errors
    /// 400 where one of them cannot be read, or asks for what this gateway does not do.
    pub fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        // Most requests ask for nothing, and each look costs.
        if !headers.keys().any(|name| is_own(name.as_str()) || name == CACHE_CONTROL) {
            return Ok(Self::default());
        }
        for name in headers.keys().filter(|name| is_own(name.as_str())) {
            text(headers, name.as_str())?;
        }
        refuse_default_guardrails(headers)?;
        Ok(Self {
            metadata: metadata(headers)?,
            request_timeout: request_timeout(headers)?,
            provider: text(headers, "x-portkey-provider")?.map(str::to_owned),
            strict: flag(headers, "x-portkey-strict-open-ai-compliance")?,
            cache: cache_headers::read(headers)?,
        })
    }
}

/// Refuses Portkey's headers of guardrails, so that nobody takes a request for guarded that is not.
///
/// # Errors
/// 400 where one of them asks for something.
pub fn refuse_default_guardrails(headers: &HeaderMap) -> Result<(), ApiError> {
    for name in ["x-portkey-default-input-guardrails", "x-portkey-default-output-guardrails"] {
        if text(headers, name)?.is_some_and(|value| !matches!(value.trim(), "" | "[]")) {
            let message = format!("'{name}' is not supported: put the guardrails into 'x-portkey-config'.");
            return Err(ApiError { param: Some(name.to_owned()), ..ApiError::new(Code::NotSupported, message) });
        }
    }
    Ok(())
}

/// Whether a header is addressed to the gateway itself.
pub fn is_own(name: &str) -> bool {
    name.starts_with("x-portkey-") || name.starts_with("x-gateway-")
}

/// The trimmed text of a header that is there and not empty. One that cannot be read must not count as absent: what it
/// asks for, such as a namespace of its own, would be left undone.
///
/// # Errors
/// 400 where it is not UTF-8, or is there twice with different values.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    one(headers.get_all(name), name)
}

/// The same by a name that need not be read first, which every request would pay for.
///
/// # Errors
/// As [`text`].
pub fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    one(headers.get_all(name), name.as_str())
}

fn one<'a>(values: impl Iterator<Item = &'a HeaderValue>, name: &str) -> Result<Option<&'a str>, ApiError> {
    let mut found: Option<&str> = None;
    for value in values {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            return Err(field(name, &format!("The header '{name}' must be UTF-8.")));
        };
        let value = value.trim();
        if found.is_some_and(|found| found != value) {
            return Err(field(name, &format!("The header '{name}' is there twice with different values: send one.")));
        }
        found = Some(value);
    }
    Ok(found.filter(|text| !text.is_empty()))
}

/// A header that says `true` or `false`.
///
/// # Errors
/// 400 where it says anything else.
pub fn flag(headers: &HeaderMap, name: &str) -> Result<Option<bool>, ApiError> {
    match text(headers, name)? {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(field(name, &format!("The header '{name}' must be true or false."))),
    }
}

fn metadata(headers: &HeaderMap) -> Result<Map<String, Value>, ApiError> {
    let name = "x-portkey-metadata";
    let Some(json) = text(headers, name)? else { return Ok(Map::new()) };
    let metadata = serde_json::from_str(json)
        .map_err(|_| field(name, "The header 'x-portkey-metadata' must be a JSON object."))?;
    names::check_doubled(json.as_bytes())
        .map_err(|bad| field(name, &format!("The header 'x-portkey-metadata' is wrong: {}", bad.message)))?;
    Ok(metadata)
}

fn request_timeout(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let name = "x-portkey-request-timeout";
    let Some(value) = text(headers, name)? else { return Ok(None) };
    match value.parse::<u64>() {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(field(name, "The header 'x-portkey-request-timeout' must be a number of milliseconds.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    /// C01: whatever the header, one that cannot be read is refused by its name.
    #[test]
    fn a_header_that_cannot_be_read_is_refused() {
        for (name, value) in [
            ("x-portkey-cache-namespace", &b"kh\xe1ch"[..]),
            ("x-portkey-provider", b"open\xffai"),
            ("x-portkey-cache-force-refresh", b"yes"),
            ("x-portkey-debug", b"0"),
            ("x-portkey-strict-open-ai-compliance", b"maybe"),
            ("x-portkey-request-timeout", b"-5"),
            ("x-portkey-request-timeout", b"99999999999999999999999"),
            ("x-portkey-cache-ttl", b"1e3"),
            ("x-portkey-metadata", b"{\"a\":1,\"a\":2}"),
            ("x-portkey-metadata", b"[1]"),
            ("x-gateway-anything", b"\xc3"),
        ] {
            let error = ClientHeaders::read(&headers(&[(name, value)])).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(name), "{}", error.message);
        }
    }

    /// A second line with another value leaves open which one counts.
    #[test]
    fn a_doubled_header_must_say_the_same() {
        let name = "x-portkey-cache-namespace";
        assert!(ClientHeaders::read(&headers(&[(name, b"a"), (name, b"b")])).is_err());
        let read = ClientHeaders::read(&headers(&[(name, b" a"), (name, b"a")])).unwrap();
        assert_eq!(read.cache.namespace.as_deref(), Some("a"));
    }

    #[test]
    fn letters_beyond_ascii_are_read() {
        let read = ClientHeaders::read(&headers(&[("x-portkey-cache-namespace", "khách-đỏ".as_bytes())])).unwrap();
        assert_eq!(read.cache.namespace.as_deref(), Some("khách-đỏ"));
    }
}
