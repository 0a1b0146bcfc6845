//! Reading a config's fields, and collecting everything that is wrong or odd in them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ConfigError;

/// Warnings travel in a response header, so that their number and length are bounded.
const MAX_WARNINGS: usize = 32;
const MAX_SHOWN_KEY: usize = 64;

/// Wrong letters that still make a key look like a known one.
const MAX_TYPOS: usize = 2;

/// What reading a config has found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub errors: Vec<ConfigError>,
    pub unsupported: Vec<String>,
    pub credentials: Vec<String>,
    pub custom_hosts: Vec<String>,
    /// Targets, conditions, terms of conditions and regular expressions so far, which are bounded for the whole config.
    pub targets: usize,
    pub conditions: usize,
    pub terms: usize,
    pub regexes: usize,
    /// What the regular expressions take, in bytes.
    pub regex_bytes: usize,
    warnings: Vec<String>,
    more_warnings: usize,
}

impl Findings {
    pub fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError { path: path.into(), message: message.into() });
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(text.into());
        } else {
            self.more_warnings += 1;
        }
    }

    /// The warnings, and how many were left out.
    pub fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if self.more_warnings > 0 {
            warnings.push(format!("and {} more warnings", self.more_warnings));
        }
        warnings
    }
}

/// An object of a config, with its keys in snake case, and its place.
pub(super) struct Fields<'a> {
    pub path: String,
    fields: Vec<(Cow<'a, str>, &'a Value)>,
    known: &'static [&'static [&'static str]],
}

impl<'a> Fields<'a> {
    /// The fields of an object; keys that are in none of the `known` lists are warned about.
    pub fn new(
        path: &str,
        object: &'a Map<String, Value>,
        known: &'static [&'static [&'static str]],
        found: &mut Findings,
    ) -> Self {
        let mut fields: Vec<(Cow<'a, str>, &'a Value)> = Vec::with_capacity(object.len());
        for (key, value) in object {
            let name = snake_case(key);
            if !known.iter().any(|list| list.contains(&name.as_ref())) {
                warn_unknown(&join(path, &shortened(key)), &name, known, found);
            }
            if fields.iter().any(|(other, _)| *other == name) {
                found.warn(format!("'{}' is given in two spellings, the last one counts", join(path, &shortened(key))));
            }
            fields.push((name, value));
        }
        Self { path: path.to_owned(), fields, known }
    }

    /// The place of a field.
    pub fn at(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// The names of all fields, in snake case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_ref())
    }

    /// Whether a field has a meaning here.
    pub fn knows(&self, name: &str) -> bool {
        self.known.iter().any(|list| list.contains(&name))
    }

    /// A field's value; null counts as absent.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        debug_assert!(self.known.iter().any(|list| list.contains(&name)), "{name} is read but not known");
        let (_, value) = self.fields.iter().rev().find(|(field, _)| field == name)?;
        Some(*value).filter(|value| !value.is_null())
    }

    /// A field read by `read`; where it does not fit, `expected` says what would.
    pub fn read<T>(
        &self,
        name: &str,
        expected: &str,
        found: &mut Findings,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let result = read(self.get(name)?);
        if result.is_none() {
            found.error(self.at(name), format!("must be {expected}"));
        }
        result
    }

    pub fn text(&self, name: &str, found: &mut Findings) -> Option<&'a str> {
        self.read(name, "a non-empty string", found, |value| value.as_str().filter(|text| !text.is_empty()))
    }

    /// Text that will be the value of an HTTP header.
    pub fn header_value(&self, name: &str, found: &mut Findings) -> Option<&'a str> {
        self.read(name, "a non-empty string of visible ASCII", found, |value| {
            value.as_str().filter(|text| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        })
    }

    pub fn flag(&self, name: &str, found: &mut Findings) -> Option<bool> {
        self.read(name, "true or false", found, Value::as_bool)
    }

    pub fn object(&self, name: &str, found: &mut Findings) -> Option<&'a Map<String, Value>> {
        self.read(name, "an object", found, Value::as_object)
    }

    pub fn texts(&self, name: &str, found: &mut Findings) -> Option<Vec<String>> {
        self.read(name, "an array of strings", found, |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    /// A whole number within bounds; numeric text is understood too.
    pub fn number(&self, name: &str, least: u64, most: u64, found: &mut Findings) -> Option<u64> {
        let expected = format!("a whole number from {least} to {most}");
        self.read(name, &expected, found, |value| whole(value).filter(|number| (least..=most).contains(number)))
    }

    /// A number within bounds.
    pub fn fraction(&self, name: &str, least: f64, most: f64, found: &mut Findings) -> Option<f64> {
        let expected = format!("a number from {least} to {most}");
        self.read(name, &expected, found, |value| value.as_f64().filter(|number| (least..=most).contains(number)))
    }

    /// HTTP statuses; numeric texts are understood too.
    pub fn statuses(&self, name: &str, found: &mut Findings) -> Option<Vec<u16>> {
        self.read(name, "an array of HTTP statuses", found, |value| {
            let status = |item: &Value| u16::try_from(whole(item)?).ok().filter(|code| (100..600).contains(code));
            value.as_array()?.iter().map(status).collect()
        })
    }
}

/// `5`, `5.0` and `"5"`.
fn whole(value: &Value) -> Option<u64> {
    let of_float = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=1e15).contains(number));
    value.as_u64().or_else(|| of_float().map(|number| number as u64)).or_else(|| value.as_str()?.trim().parse().ok())
}

/// A place inside a place.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `onStatusCodes` as `on_status_codes`.
pub(super) fn snake_case(key: &str) -> Cow<'_, str> {
    if !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    Cow::Owned(name)
}

fn shortened(key: &str) -> Cow<'_, str> {
    match key.char_indices().nth(MAX_SHOWN_KEY) {
        None => Cow::Borrowed(key),
        Some((end, _)) => Cow::Owned(format!("{}…", key.get(..end).unwrap_or_default())),
    }
}

fn warn_unknown(place: &str, name: &str, known: &'static [&'static [&'static str]], found: &mut Findings) {
    // Looking for a near key costs time, and a client may send thousands of unknown ones.
    let hint = if found.warnings.len() < MAX_WARNINGS { closest(name, known) } else { None };
    let hint = hint.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
    found.warn(format!("unknown key '{place}'{hint}"));
}

/// A known key that differs from `name` by little.
fn closest(name: &str, known: &'static [&'static [&'static str]]) -> Option<&'static str> {
    let similar = known.iter().copied().flatten().filter(|key| key.len().abs_diff(name.len()) <= MAX_TYPOS);
    let near = similar.map(|key| (distance(name, key), *key)).min()?;
    (near.0 <= MAX_TYPOS).then_some(near.1)
}

/// Levenshtein's distance, by one row of its table.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX - 1);
            let change = at(&row, j) + usize::from(x != *y);
            next.push(change.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
