//! `[proxy]`, and the environment variables that mean the same.

use std::collections::HashMap;
use std::fmt;

use gateway_actors::upstream::{NoProxy, Proxy, ProxyRules};
use serde::{Deserialize, Serialize};

use super::Problem;

/// `[proxy]`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// `http://USER:PASSWORD@HOST:PORT` or `https://…`, for `https://` addresses; empty for what `HTTPS_PROXY` says.
    pub url: String,
    /// Hosts, domains and networks that are reached without a proxy; empty for what `NO_PROXY` says.
    pub no_proxy: Vec<String>,
}

impl fmt::Debug for ProxySettings {
    /// Tells whether there is one; the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings").field("is_set", &!self.url.is_empty()).finish_non_exhaustive()
    }
}

/// The proxies in force: the section wins over `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, which are read in
/// lower case first.
pub(super) fn rules(
    settings: &ProxySettings,
    environment: &HashMap<String, String>,
    problems: &mut Vec<Problem>,
) -> ProxyRules {
    let variable = |name: &'static str| {
        let lower = name.to_ascii_lowercase();
        let set = |name: &str| environment.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        set(&lower).or_else(|| set(name)).map(|text| (name, text))
    };
    let all = variable("ALL_PROXY");
    let section = (!settings.url.is_empty()).then_some(("proxy.url", settings.url.as_str()));
    let mut proxy = |source: Option<(&str, &str)>| {
        let (name, text) = source?;
        Proxy::parse(text).inspect_err(|why| problems.push(Problem::new(name, *why))).ok()
    };
    let https = proxy(section.or_else(|| variable("HTTPS_PROXY")).or(all));
    let http = proxy(variable("HTTP_PROXY").or(all));
    // Written for other programs too, it matters only where there is a proxy.
    let no_proxy = variable("NO_PROXY").filter(|_| https.is_some() || http.is_some()).map_or("", |(_, text)| text);
    let entries: Vec<(String, &str)> = match settings.no_proxy.as_slice() {
        [] => {
            let entries = no_proxy.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
            entries.map(|entry| ("NO_PROXY".to_owned(), entry)).collect()
        }
        own => own.iter().enumerate().map(|(at, entry)| (format!("proxy.no_proxy[{at}]"), entry.as_str())).collect(),
    };
    let except = entries.into_iter().filter_map(|(name, entry)| {
        NoProxy::parse(entry).inspect_err(|why| problems.push(Problem::new(name, why.clone()))).ok()
    });
    ProxyRules { https, http, except: except.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: ProxySettings, variables: &[(&str, &str)]) -> (ProxyRules, Vec<String>) {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut problems = Vec::new();
        let rules = rules(&settings, &environment, &mut problems);
        (rules, problems.iter().map(ToString::to_string).collect())
    }

    fn places(rules: &ProxyRules) -> (Option<String>, Option<String>) {
        (rules.https.as_ref().map(Proxy::place), rules.http.as_ref().map(Proxy::place))
    }

    fn at(host: &str) -> Option<String> {
        Some(format!("http://{host}:3128"))
    }

    /// K22: which proxy is in force.
    #[test]
    fn k22_the_section_wins_over_the_environment() {
        let section = ProxySettings { url: "http://section:3128".to_owned(), no_proxy: vec![".corp".to_owned()] };
        let none = ProxySettings::default;
        let set = [("HTTPS_PROXY", "http://upper:3128"), ("https_proxy", "lower:3128"), ("NO_PROXY", "a, b c,")];
        assert_eq!(places(&read(none(), &set).0), (at("lower"), None));
        assert_eq!(read(none(), &set).0.except.len(), 3);
        assert_eq!(places(&read(section.clone(), &set).0), (at("section"), None));
        assert_eq!(read(section.clone(), &set).0.except.len(), 1);
        assert_eq!(places(&read(none(), &[("ALL_PROXY", "http://all:3128")]).0), (at("all"), at("all")));
        let both = [("all_proxy", "http://all:3128"), ("HTTP_PROXY", "http://plain:3128"), ("HTTPS_PROXY", "")];
        assert_eq!(places(&read(none(), &both).0), (at("all"), at("plain")));
        assert_eq!(places(&read(section, &[("HTTP_PROXY", "http://plain:3128")]).0), (at("section"), at("plain")));
    }

    /// K22, H1: a wrong proxy is told by the name of what sets it, without its password.
    #[test]
    fn k22_a_wrong_proxy_is_told_without_its_password() {
        let section = ProxySettings { url: "ftp://user:canary@x".to_owned(), no_proxy: vec!["10.0.0.0/99".to_owned()] };
        let (_, problems) = read(section, &[("http_proxy", "socks5://user:canary@x:1080")]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("proxy.url: must be"), "{problems:?}");
        assert!(problems[1].starts_with("HTTP_PROXY: must be"), "{problems:?}");
        assert!(problems[2].starts_with("proxy.no_proxy[0]: "), "{problems:?}");
        assert!(!problems.concat().contains("canary"));
    }
}
