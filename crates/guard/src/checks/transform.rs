//! Checks that change a text: `regexReplace` and `addPrefix`.

use regex::Regex;
use serde_json::json;

use super::open_start::OpenStart;
use super::params::{Params, bad};
use super::{BadCheck, Outcome, patterns};

/// What replaces a match where the configuration says nothing.
const DEFAULT_REPLACEMENT: &str = "[REDACTED]";
/// Roles that a prefix may be for.
const ROLES: [&str; 5] = ["user", "system", "assistant", "developer", "tool"];

/// `regexReplace`: all matches of a regular expression are replaced.
#[derive(Clone, Debug)]
pub struct RegexReplace {
    pub(super) regex: Regex,
    pub(super) replacement: String,
    fails_on_detection: bool,
    /// The most bytes that a match has, if there is a bound and no match is empty.
    max_match_bytes: Option<usize>,
    pub(super) open_start: Option<OpenStart>,
}

/// `addPrefix`: a text in front of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddPrefix {
    /// The text.
    pub prefix: String,
    /// The role of the first message that gets it.
    pub role: String,
    /// Whether it goes into that message, and not into one of its own before it.
    pub add_to_existing: bool,
    /// Whether it is only for requests without a message of that role.
    pub only_if_empty: bool,
}

impl RegexReplace {
    /// The most bytes that a match may have on a stream.
    pub const MAX_STREAM_MATCH_BYTES: usize = 256;

    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        let rule = params.required_text("rule")?;
        let regex = patterns::compile(rule, "rule")?;
        let replacement = params.text("redactText")?.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_REPLACEMENT);
        let parsed = regex_syntax::parse(rule).map_err(|_| bad("rule", "Not a regular expression."))?;
        let is_never_empty = parsed.properties().minimum_len().is_some_and(|bytes| bytes > 0);
        let max_match_bytes = parsed.properties().maximum_len().filter(|_| is_never_empty);
        let fails_on_detection = params.flag("failOnDetection")?;
        let replacement = from_javascript(replacement);
        Ok(Self { regex, replacement, fails_on_detection, max_match_bytes, open_start: OpenStart::new(rule) })
    }

    /// Whether it may run on a stream: no match is empty or longer than [`Self::MAX_STREAM_MATCH_BYTES`].
    pub fn is_bounded(&self) -> bool {
        self.max_match_bytes.is_some_and(|bytes| bytes <= Self::MAX_STREAM_MATCH_BYTES)
    }

    /// Whether a match fails the check, beside being replaced.
    pub fn fails_on_detection(&self) -> bool {
        self.fails_on_detection
    }

    /// The most bytes that a match has, if there is a bound.
    pub(super) fn max_match_bytes(&self) -> Option<usize> {
        self.max_match_bytes
    }

    /// A whole text with its matches replaced.
    pub fn replace(&self, text: &str) -> String {
        self.regex.replace_all(text, self.replacement.as_str()).into_owned()
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let matches = self.regex.find_iter(text).count();
        let explanation = format!("The pattern matched {matches} times, and the matches were replaced.");
        let details = json!({"regexPattern": self.regex.as_str(), "matchCount": matches});
        let mut outcome = Outcome::new(matches == 0 || !self.fails_on_detection, explanation, details);
        outcome.transformed = (matches > 0).then(|| self.replace(text));
        outcome
    }
}

impl AddPrefix {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        let role = params.text("applyToRole")?.unwrap_or("user");
        if !ROLES.contains(&role) {
            return Err(bad("applyToRole", format!("Must be one of: {}.", ROLES.join(", "))));
        }
        Ok(Self {
            prefix: params.required_text("prefix")?.to_owned(),
            role: role.to_owned(),
            add_to_existing: params.flag_or("addToExisting", true)?,
            only_if_empty: params.flag("onlyIfEmpty")?,
        })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let details = json!({
            "prefix": self.prefix,
            "applyToRole": self.role,
            "addToExisting": self.add_to_existing,
            "onlyIfEmpty": self.only_if_empty,
        });
        let mut outcome = Outcome::new(true, "The prefix stands before the text.", details);
        outcome.transformed = Some(format!("{}{text}", self.prefix));
        outcome
    }
}

/// A replacement in JavaScript's notation (`$1`, `$&`, `$<name>`, `$$`) in that of the regex engine.
fn from_javascript(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let name = after.strip_prefix('<').and_then(|after| after.split_once('>'));
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push_str("$$");
            after
        } else if let Some(after) = after.strip_prefix('&') {
            out.push_str("${0}");
            after
        } else if let Some((name, after)) = name {
            out.push_str(&format!("${{{name}}}"));
            after
        } else if let Some((number, after)) = after.split_at_checked(digits).filter(|_| digits > 0) {
            out.push_str(&format!("${{{}}}", number.trim_start_matches('0')));
            after
        } else {
            out.push_str("$$");
            after
        };
    }
    out.push_str(rest);
    out
}
