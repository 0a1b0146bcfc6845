//! What a request's headers ask for, beside its key and its routing config.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use gateway_actors::cache::wish::CacheHeaders;
use serde_json::{Map, Value};

use crate::cache_headers;
use crate::completion::field;
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
        if !headers.keys().any(|name| name.as_str().starts_with("x-portkey-") || name == CACHE_CONTROL) {
            return Ok(Self::default());
        }
        Ok(Self {
            metadata: metadata(headers)?,
            request_timeout: request_timeout(headers)?,
            provider: text(headers, "x-portkey-provider"),
            strict: flag(headers, "x-portkey-strict-open-ai-compliance"),
            cache: cache_headers::read(headers)?,
        })
    }
}

/// The trimmed text of a header that is there and not empty.
pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A header that says `true` or `false`.
pub fn flag(headers: &HeaderMap, name: &str) -> Option<bool> {
    match headers.get(name)?.to_str().ok()?.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn metadata(headers: &HeaderMap) -> Result<Map<String, Value>, ApiError> {
    let Some(header) = headers.get("x-portkey-metadata") else { return Ok(Map::new()) };
    serde_json::from_slice(header.as_bytes()).map_err(|_| ApiError {
        param: Some("x-portkey-metadata".to_owned()),
        ..ApiError::new(Code::InvalidRequest, "The header 'x-portkey-metadata' must be a JSON object.")
    })
}

fn request_timeout(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let name = "x-portkey-request-timeout";
    let Some(value) = text(headers, name) else { return Ok(None) };
    match value.parse::<u64>() {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(field(name, "The header 'x-portkey-request-timeout' must be a number of milliseconds.")),
    }
}
