//! What a request's headers say of the cache.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use gateway_actors::cache::policy::CacheHeaders;
use gateway_actors::routing::{CacheMode, MAX_AGE_SECONDS};

use super::inference::field;
use super::request_headers::{flag, text};
use crate::error::ApiError;

/// The longest namespace, in characters.
const MAX_NAMESPACE_CHARS: usize = 200;

/// Reads the headers.
///
/// # Errors
/// 400 where one of them cannot be read, or asks for what this gateway does not do.
pub fn read(headers: &HeaderMap) -> Result<CacheHeaders, ApiError> {
    let mut read = CacheHeaders {
        mode: match text(headers, "x-portkey-cache")? {
            None => None,
            Some("simple") => Some(CacheMode::Simple),
            Some("semantic") => Some(CacheMode::Semantic),
            Some(_) => {
                return Err(field("x-portkey-cache", "The header 'x-portkey-cache' must be 'simple' or 'semantic'."));
            }
        },
        ttl: seconds(headers, "x-portkey-cache-ttl")?,
        namespace: text(headers, "x-portkey-cache-namespace")?.map(str::to_owned),
        refresh: flag(headers, "x-portkey-cache-force-refresh")? == Some(true),
        off: flag(headers, "x-portkey-debug")? == Some(false),
        freshness: None,
    };
    if read.namespace.as_ref().is_some_and(|namespace| namespace.chars().count() > MAX_NAMESPACE_CHARS) {
        let name = "x-portkey-cache-namespace";
        return Err(field(
            name,
            &format!("The header '{name}' must not be longer than {MAX_NAMESPACE_CHARS} characters."),
        ));
    }
    for line in headers.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok()) {
        for directive in line.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
            match directive.split_once('=') {
                None if directive == "no-store" => read.off = true,
                None if directive == "no-cache" => read.refresh = true,
                // What cannot be read does not count (RFC 9111, 4.2.1): the answer is then as stale as can be.
                Some(("max-age", age)) => read.freshness = Some(Duration::from_secs(age.parse().unwrap_or(0))),
                _ => {}
            }
        }
    }
    Ok(read)
}

fn seconds(headers: &HeaderMap, name: &str) -> Result<Option<Duration>, ApiError> {
    let Some(value) = text(headers, name)? else { return Ok(None) };
    match value.parse::<u64>() {
        Ok(seconds) if (1..=MAX_AGE_SECONDS).contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(field(name, &format!("The header '{name}' must be a number of seconds from 1 to {MAX_AGE_SECONDS}."))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read_of(headers: &[(&'static str, &'static str)]) -> Result<CacheHeaders, ApiError> {
        let pairs = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        read(&pairs.collect())
    }

    #[test]
    fn the_headers_are_read() {
        assert_eq!(read_of(&[]).unwrap(), CacheHeaders::default());
        let asked = [
            ("x-portkey-cache", "simple"),
            ("x-portkey-cache-ttl", "60"),
            ("x-portkey-cache-namespace", "ann"),
            ("cache-control", "no-transform, Max-Age=30"),
        ];
        let headers = CacheHeaders {
            mode: Some(CacheMode::Simple),
            ttl: Some(Duration::from_secs(60)),
            namespace: Some("ann".to_owned()),
            freshness: Some(Duration::from_secs(30)),
            ..CacheHeaders::default()
        };
        assert_eq!(read_of(&asked).unwrap(), headers);
        assert!(read_of(&[("cache-control", "no-store")]).unwrap().off);
        assert!(read_of(&[("x-portkey-debug", "false")]).unwrap().off);
        assert!(read_of(&[("cache-control", "no-cache")]).unwrap().refresh);
        assert!(read_of(&[("x-portkey-cache-force-refresh", "True")]).unwrap().refresh);
        for wrong in [("x-portkey-cache", "fuzzy"), ("x-portkey-cache-ttl", "soon"), ("x-portkey-cache-ttl", "7776001")]
        {
            assert!(read_of(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
