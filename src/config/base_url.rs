//! Whether a provider's base URL is one, told before the first request meets it.

use actix_web::http::Uri;
use gateway_wire::Dialect;

/// Ends of addresses of single endpoints, which a base URL must not have.
const ENDPOINTS: [&str; 7] =
    ["/chat/completions", "/completions", "/embeddings", "/messages", "/responses", "/api/chat", "/api/embed"];

/// What is wrong with a base URL, if anything; the text never quotes it, since it may hold a password (H1).
pub(super) fn problem(base_url: &str) -> Option<String> {
    if !is_http_url(base_url) {
        return Some("must be an http or https URL, such as https://api.example.com/v1".to_owned());
    }
    if base_url.contains('#') {
        return Some("must not have a fragment (#…)".to_owned());
    }
    let path = base_url.split('?').next().unwrap_or_default().trim_end_matches('/');
    let endpoint = ENDPOINTS.iter().find(|endpoint| path.ends_with(*endpoint))?;
    Some(format!("must end before {endpoint}: the gateway adds the endpoint's path itself"))
}

/// What an operator should know of a base URL that works, if anything.
pub(super) fn warning(dialect: Dialect, base_url: &str) -> Option<String> {
    let version = dialect.version_suffix(base_url)?;
    Some(format!("ends with {version}, which this dialect adds itself: the gateway removes it"))
}

/// Whether a text is an http or https URL with a host and a port that can be.
pub(super) fn is_http_url(text: &str) -> bool {
    // A fragment is no part of what `Uri` reads.
    let uri = text.split('#').next().unwrap_or_default().parse::<Uri>();
    uri.is_ok_and(|uri| {
        let port_is_fine = uri.authority().is_some_and(|authority| {
            let after_host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
            let port = after_host.rsplit_once(']').map_or(after_host, |(_, rest)| rest).rsplit_once(':');
            port.is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
        });
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && port_is_fine
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F02: each mistake that a base URL can hold is told, and what works is taken.
    #[test]
    fn f02_mistakes_of_a_base_url_are_told() {
        for fine in [
            "http://h:8000/v1",
            "https://h/openai/deployments/x?api-version=2024-10-21",
            "http://[::1]:11434",
            "http://user:pass@h:1/v1",
        ] {
            assert_eq!(problem(fine), None, "{fine}");
        }
        for wrong in [
            "h/v1",
            "ftp://h/v1",
            "http://h:99999/v1",
            "http://h:/v1",
            "http://h/v1#x",
            "http://h/v1/chat/completions",
            "http://h/v1/messages/?beta=true",
        ] {
            assert!(problem(wrong).is_some_and(|text| !text.contains("h/v1")), "{wrong}");
        }
    }
}
