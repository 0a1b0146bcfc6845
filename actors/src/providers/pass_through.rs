//! Which of a provider's own paths clients may use as they are.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::pattern::matches_pattern;

/// The methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// One line of a provider's list of open paths: an item of `providers.NAME.pass_through`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PassThroughRule {
    /// A pattern (`*` stands for any text) of paths below the provider's base URL.
    pub path: String,
    /// The methods that it opens.
    pub methods: Vec<String>,
    /// Whether such requests cost nothing and ask no model, so that no budget and no list of models concerns them.
    #[serde(default)]
    pub free: bool,
}

impl PassThroughRule {
    /// What is wrong with the rule, if anything.
    pub fn problem(&self) -> Option<String> {
        if !self.path.starts_with('/') {
            return Some(format!("the path '{}' must begin with a slash", self.path));
        }
        if self.methods.is_empty() {
            return Some(format!("'{}' needs methods, such as [\"GET\"]", self.path));
        }
        let odd = self.methods.iter().find(|method| !METHODS.contains(&method.as_str()))?;
        Some(format!("the method '{odd}' must be one of {}", METHODS.join(", ")))
    }

    /// Whether the rule opens a path that [`plain_path`] has read.
    pub fn opens(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|name| name == method) && matches_pattern(&self.path, path)
    }
}

/// A path without its percent-encoding, where it can mean only one place whoever reads it.
///
/// None where a part is empty, `.` or `..`, or where decoding gives a separator, a percent sign or a control character:
/// servers differ in what they make of such.
pub fn plain_path(raw: &str) -> Option<String> {
    let rest = raw.strip_prefix('/')?;
    let mut plain = String::with_capacity(raw.len());
    for part in rest.split('/') {
        let part: Cow<'_, str> = percent_decode_str(part).decode_utf8().ok()?;
        let is_odd = |c: char| matches!(c, '/' | '\\' | '%' | '?' | '#' | ';') || c.is_control();
        if part.is_empty() || part == "." || part == ".." || part.contains(is_odd) {
            return None;
        }
        plain.push('/');
        plain.push_str(&part);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H2: a path that could leave the open ones on its way is none.
    #[test]
    fn h2_only_a_plain_path_is_read() {
        assert_eq!(plain_path("/files/file-1").as_deref(), Some("/files/file-1"));
        assert_eq!(plain_path("/models/a%3Ab%20c").as_deref(), Some("/models/a:b c"));
        for odd in [
            "",
            "files",
            "/",
            "//host/x",
            "/files/",
            "/files//x",
            "/files/../x",
            "/files/./x",
            "/files/%2e%2E/x",
            "/files/.%2e/x",
            "/files%2f..%2fx",
            "/files/..%5cx",
            "/files/%252e%252e/x",
            "/files/..;/x",
            "/files/%00",
            "/files/%ff",
            "/files/x%3Fy",
            "/files/x%0d%0ay",
        ] {
            assert_eq!(plain_path(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_rule_opens_its_methods_and_paths() {
        let rule: PassThroughRule = toml::from_str("path = '/files/*'\nmethods = ['GET', 'DELETE']").unwrap();
        assert_eq!((rule.problem(), rule.free), (None, false));
        assert!(rule.opens("GET", "/files/x") && rule.opens("DELETE", "/files/x/content"));
        assert!(!rule.opens("POST", "/files/x") && !rule.opens("GET", "/files") && !rule.opens("GET", "/filesystem"));
        for text in ["path = 'files'\nmethods = ['GET']", "path = '/f'\nmethods = []", "path = '/f'\nmethods = ['get']"]
        {
            assert!(toml::from_str::<PassThroughRule>(text).unwrap().problem().is_some(), "{text}");
        }
    }
}
