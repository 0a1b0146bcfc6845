//! Which proxy leads where.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::address::Origin;
use super::proxy::Proxy;

/// The proxies of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRules {
    /// For `https://` origins.
    pub https: Option<Proxy>,
    /// For `http://` origins.
    pub http: Option<Proxy>,
    /// What is reached without them.
    pub except: Vec<NoProxy>,
}

impl ProxyRules {
    /// The proxy that leads to an origin; none where the way is direct.
    pub(super) fn to(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.tls { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.except.iter().any(|except| except.covers(&origin.host, origin.port)))
    }
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoProxy {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Everything,
    /// A domain, and what is below it.
    Domain(String),
    /// Only what is below a domain.
    Below(String),
    /// The addresses of a network.
    Network(IpNet),
}

/// Reads an entry: `*`, `example.com`, `.example.com`, `10.0.0.0/8`, `10.*`, `::1`, `[::1]`, each with `:PORT` where
/// only that is meant. Of a whole address, such as `http://example.com/`, the host and port count.
impl FromStr for NoProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' must be a host, domain, address or network");
        let lower = text.trim().to_ascii_lowercase();
        let entry = match lower.split_once("://") {
            Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
            None => lower.as_str(),
        };
        if let Some(network) = network(entry) {
            return Ok(Self { place: network, port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !entry.ends_with(']') => (host, Some(port.parse().map_err(|_| wrong())?)),
            _ => (entry, None),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let place = match bare.trim_end_matches('.') {
            "*" => Place::Everything,
            name => match (network(name), name.strip_prefix("*.").or_else(|| name.strip_prefix('.'))) {
                (Some(network), _) => network,
                (None, Some(domain)) => Place::Below(domain.to_owned()),
                (None, None) => Place::Domain(name.to_owned()),
            },
        };
        match &place {
            Place::Domain(name) | Place::Below(name) if name.is_empty() || name.contains([' ', '/', '*', '@']) => {
                Err(wrong())
            }
            _ => Ok(Self { place, port }),
        }
    }
}

impl NoProxy {
    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match &self.place {
            Place::Everything => true,
            Place::Domain(domain) => host == *domain || is_below(domain),
            Place::Below(domain) => is_below(domain),
            Place::Network(network) => host.parse::<IpAddr>().is_ok_and(|address| network.contains(&address)),
        }
    }
}

fn network(text: &str) -> Option<Place> {
    if let Some(beginning) = text.strip_suffix(".*") {
        return beginning_of_address(beginning);
    }
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| alone()).ok().map(Place::Network)
}

/// The network of `10`, `192.168` or `192.168.*`, which stand for all addresses that begin so.
fn beginning_of_address(text: &str) -> Option<Place> {
    let known: Vec<&str> = text.trim_end_matches(".*").split('.').collect();
    let mut octets = [0; 4];
    for (at, part) in known.iter().enumerate() {
        *octets.get_mut(at)? = part.parse::<u8>().ok()?;
    }
    let bits = u8::try_from(known.len() * 8).ok().filter(|bits| *bits < 32)?;
    IpNet::new(IpAddr::from(octets), bits).ok().map(Place::Network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_direct(list: &str, address: &str) -> bool {
        let except = list.split(',').map(|entry| entry.parse::<NoProxy>().unwrap()).collect();
        let proxy = "http://proxy:3128".parse::<Proxy>().ok();
        let rules = ProxyRules { https: proxy.clone(), http: proxy, except };
        rules.to(&Origin::split(address).unwrap().0).is_none()
    }

    /// K22, N01: what `NO_PROXY` covers, and what it does not.
    #[test]
    fn k22_what_no_proxy_covers() {
        for (list, covered, not_covered) in [
            (
                "example.com",
                &["https://example.com", "https://a.b.example.com:81", "http://EXAMPLE.com"][..],
                &["https://notexample.com", "https://example.com.evil.org"][..],
            ),
            (".example.com", &["https://a.example.com"], &["https://example.com", "https://aexample.com"]),
            ("*.example.com", &["https://a.example.com"], &["https://example.com"]),
            ("10.0.0.0/8", &["http://10.1.2.3:8000"], &["http://11.0.0.1", "https://ten.example"]),
            ("192.168.1.7", &["http://192.168.1.7", "http://192.168.1.7:81"], &["http://192.168.1.70"]),
            ("fd00::/8,::1", &["http://[fd12::1]:8000", "http://[::1]"], &["http://[fe80::1]"]),
            ("[::1]:8000", &["http://[::1]:8000"], &["http://[::1]:8001"]),
            ("vllm.corp:8000", &["http://vllm.corp:8000", "http://a.vllm.corp:8000"], &["http://vllm.corp"]),
            (
                "localhost, 127.0.0.0/8 ,.svc",
                &["http://localhost:1", "http://127.0.0.2", "http://a.b.svc"],
                &["https://a"],
            ),
            ("[::1]", &["http://[::1]", "http://[::1]:8001"], &["http://[::2]"]),
            ("10.*", &["http://10.1.2.3"], &["http://11.0.0.1", "https://ten.example"]),
            ("192.168.*:81,172.16.*.*", &["http://192.168.7.7:81", "http://172.16.1.1"], &["http://192.168.7.7"]),
            ("http://host", &["http://host", "https://a.host:81"], &["http://other"]),
            ("https://host:81/v1/", &["http://host:81"], &["http://host"]),
            ("http://[::1]:81/", &["http://[::1]:81"], &["http://[::1]"]),
            ("*", &["https://anything.example", "http://10.0.0.1"], &[]),
            ("example.com.", &["https://example.com"], &["https://example.org"]),
        ] {
            covered.iter().for_each(|address| assert!(is_direct(list, address), "{list} covers {address}"));
            not_covered.iter().for_each(|address| assert!(!is_direct(list, address), "{list}: {address}"));
        }
        for wrong in [
            "",
            "a b",
            "10.0.0.0/33",
            "host:port",
            "user@host",
            "a*b",
            "a.*",
            "1.2.3.4.*",
            "10.*.1",
            "http://",
            "[::1]x",
        ] {
            assert!(wrong.parse::<NoProxy>().is_err(), "{wrong}");
        }
    }
}
