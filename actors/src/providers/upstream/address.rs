//! Where a request goes: an origin, and what stands behind it.

use http::HeaderValue;
use http::uri::{PathAndQuery, Scheme, Uri};

/// A scheme, host and port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Whether the way is encrypted.
    pub(super) tls: bool,
    /// A name, or an address without its brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// What the `host` header says.
    pub(super) header: HeaderValue,
}

/// An address that paths are appended to.
#[derive(Debug)]
pub(super) struct Address {
    path: String,
    query: Option<String>,
}

impl Origin {
    /// A whole address as its origin and the rest of it.
    pub(super) fn split(text: &str) -> Option<(Self, Address)> {
        let uri: Uri = text.split('#').next()?.parse().ok()?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?;
        let (header, port) = match uri.port_u16() {
            Some(port) => (format!("{host}:{port}"), port),
            None => (host.to_owned(), if tls { 443 } else { 80 }),
        };
        let header = HeaderValue::from_str(&header).ok()?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = Address { path: uri.path().to_owned(), query: uri.query().map(str::to_owned) };
        Some((Self { tls, host: bare, port, header }, address))
    }

    /// The host and port, as a proxy is asked for them.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Address {
    /// What is asked for where `path` is appended: it goes before the query, if there is one.
    pub(super) fn join(&self, path: &str) -> Option<PathAndQuery> {
        let base = if path.is_empty() { self.path.as_str() } else { self.path.trim_end_matches('/') };
        let joined = match &self.query {
            None => [base, path].concat(),
            Some(query) => match path.split_once('?') {
                Some((path, own)) => [base, path, "?", own, "&", query].concat(),
                None => [base, path, "?", query].concat(),
            },
        };
        PathAndQuery::try_from(joined).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        Origin::split(base).unwrap().1.join(path).unwrap().to_string()
    }

    /// F02: a path goes before the query of a base address.
    #[test]
    fn f02_a_path_goes_before_the_query() {
        let azure = "https://x.example/v1?api-version=2024-10-21";
        assert_eq!(joined(azure, "/chat/completions"), "/v1/chat/completions?api-version=2024-10-21");
        assert_eq!(joined(azure, "/embeddings?beta=1"), "/v1/embeddings?beta=1&api-version=2024-10-21");
        assert_eq!(joined("https://x.example/v1/?a=b", "/c"), "/v1/c?a=b");
        assert_eq!(joined("https://x.example?a=b", "/c"), "/c?a=b");
        assert_eq!(joined("https://x.example/v1#part", "/c"), "/v1/c");
        assert_eq!(joined("http://x.example/v1/", "/c"), "/v1/c");
        assert_eq!(joined("http://x.example", "/c"), "/c");
        assert_eq!(joined("http://x.example/hook/?token=1", ""), "/hook/?token=1", "a whole address stays as it is");
        assert_eq!(joined("http://x.example", ""), "/");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |text: &str| {
            let origin = Origin::split(text).unwrap().0;
            (origin.authority(), origin.header.to_str().unwrap().to_owned())
        };
        assert_eq!(of("https://x.example/v1"), ("x.example:443".to_owned(), "x.example".to_owned()));
        assert_eq!(of("http://x.example:81"), ("x.example:81".to_owned(), "x.example:81".to_owned()));
        assert_eq!(of("http://[::1]:8000/v1"), ("[::1]:8000".to_owned(), "[::1]:8000".to_owned()));
        assert_eq!(of("http://user:secret@x.example/"), ("x.example:80".to_owned(), "x.example".to_owned()));
        for text in ["x.example/v1", "ftp://x.example", "", "http://"] {
            assert!(Origin::split(text).is_none(), "{text}");
        }
    }
}
