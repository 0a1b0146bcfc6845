//! Which virtual key a request brings.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

use super::request_headers::text_of;
use crate::error::ApiError;

/// The headers that can carry a key, the preferred first: Portkey's SDKs send a useless `Authorization` beside theirs.
static KEY_HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-portkey-virtual-key"),
    HeaderName::from_static("x-portkey-api-key"),
    HeaderName::from_static("x-api-key"),
    AUTHORIZATION,
    // Azure's, and Google's; they may be there for another purpose beside a key.
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Whether a header can carry a key.
pub fn can_carry_key(name: &HeaderName) -> bool {
    KEY_HEADERS.contains(name)
}

/// The key text of a request, from the first header that carries one.
///
/// # Errors
/// 400 where such a header cannot be read, or is there twice with different values: the next one may carry another key.
pub fn presented_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    for name in &KEY_HEADERS {
        let value = text_of(headers, name)?;
        let key = if *name == AUTHORIZATION { value.and_then(bearer) } else { value };
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The token of `Bearer TOKEN`; the scheme is case-insensitive (RFC 9110, 11.1).
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn key_of(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let pairs = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        presented_key(&pairs.collect()).unwrap().map(str::to_owned)
    }

    #[test]
    fn portkeys_headers_come_first() {
        assert_eq!(key_of(&[("authorization", "Bearer vk-a")]).as_deref(), Some("vk-a"));
        assert_eq!(key_of(&[("authorization", "bearer  vk-a")]).as_deref(), Some("vk-a"));
        assert_eq!(key_of(&[("authorization", "Bearer x"), ("x-portkey-api-key", "vk-b")]).as_deref(), Some("vk-b"));
        assert_eq!(key_of(&[("x-api-key", "vk-c"), ("x-portkey-virtual-key", "vk-d")]).as_deref(), Some("vk-d"));
        assert_eq!(key_of(&[("authorization", "Basic abc")]), None);
        assert_eq!(key_of(&[("x-api-key", " ")]), None);
        assert_eq!(key_of(&[("api-key", "vk-e")]).as_deref(), Some("vk-e"));
        assert_eq!(key_of(&[("x-goog-api-key", "c"), ("authorization", "Bearer vk-f")]).as_deref(), Some("vk-f"));
    }
}
