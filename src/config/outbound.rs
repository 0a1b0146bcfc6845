//! `[proxy]`, and the environment variables that mean the same.

use std::collections::HashMap;
use std::fmt;

use gateway_actors::providers::upstream::{NoProxy, Proxy, ProxyRules};
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
/// lower case first. `ALL_PROXY` and `NO_PROXY` are written for other programs too, so that what cannot be used of them is
/// ignored with a warning.
pub(super) fn rules(
    settings: &ProxySettings,
    environment: &HashMap<String, String>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> ProxyRules {
    let variable = |name: &'static str| {
        let lower = name.to_ascii_lowercase();
        let set = |name: &str| environment.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        set(&lower).or_else(|| set(name)).map(|text| (name, text))
    };
    let usable = |(name, text): (&str, &str)| match text.parse::<Proxy>() {
        Ok(proxy) => Some(proxy),
        Err(why) => {
            warnings.push(format!("{name} is ignored: it {why}"));
            None
        }
    };
    let all = variable("ALL_PROXY").and_then(usable);
    let section = (!settings.url.is_empty()).then_some(("proxy.url", settings.url.as_str()));
    let mut proxy = |source: Option<(&str, &str)>| {
        let (name, text) = source?;
        text.parse::<Proxy>().inspect_err(|why| problems.push(Problem::new(name, *why))).ok()
    };
    let https = proxy(section.or_else(|| variable("HTTPS_PROXY"))).or_else(|| all.clone());
    let http = proxy(variable("HTTP_PROXY")).or(all);
    // It matters only where there is a proxy.
    let no_proxy = variable("NO_PROXY").filter(|_| https.is_some() || http.is_some()).map_or("", |(_, text)| text);
    let mut except = Vec::new();
    for (at, entry) in settings.no_proxy.iter().enumerate() {
        match entry.parse::<NoProxy>() {
            Ok(entry) => except.push(entry),
            Err(why) => problems.push(Problem::new(format!("proxy.no_proxy[{at}]"), why)),
        }
    }
    if settings.no_proxy.is_empty() {
        for entry in no_proxy.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.parse::<NoProxy>() {
                Ok(entry) => except.push(entry),
                Err(why) => warnings.push(format!("an entry of NO_PROXY is ignored: {why}")),
            }
        }
    }
    ProxyRules { https, http, except }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: ProxySettings, variables: &[(&str, &str)]) -> (ProxyRules, Vec<String>) {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut problems = Vec::new();
        let rules = rules(&settings, &environment, &mut problems, &mut Vec::new());
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

    /// K22: what other programs understand of the environment stops no start.
    #[test]
    fn k22_variables_of_other_programs_stop_no_start() {
        let variables = [
            ("ALL_PROXY", "socks5://user:canary@x:1080"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "localhost,[::1],[::1]:8080,10.*,192.168.*,http://host,a*b,<local>,host:http"),
        ];
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let rules = rules(&ProxySettings::default(), &environment, &mut problems, &mut warnings);
        assert_eq!(problems.len(), 0, "{problems:?}");
        assert_eq!((places(&rules), rules.except.len()), ((at("proxy"), None), 7));
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].starts_with("ALL_PROXY is ignored: it must be") && !warnings[0].contains("canary"));
        assert!(warnings[1].starts_with("an entry of NO_PROXY is ignored: 'a*b'"), "{warnings:?}");
    }
}
