//! Reading a config's fields, and collecting everything that is wrong or odd in them.

use serde_json::{Map, Value};

use super::ConfigError;

/// What reading a config has found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub errors: Vec<ConfigError>,
    pub warnings: Vec<String>,
    pub unsupported: Vec<String>,
    pub credentials: Vec<String>,
    pub custom_hosts: Vec<String>,
    pub targets: usize,
}

impl Findings {
    pub fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError { path: path.into(), message: message.into() });
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// An object of a config, with its keys in snake case, and its place.
pub(super) struct Fields<'a> {
    pub path: String,
    fields: Map<String, Value>,
    known: &'a [&'a str],
}

impl<'a> Fields<'a> {
    /// The fields of an object; keys that are not `known` are warned about.
    pub fn new(path: &str, object: &Map<String, Value>, known: &'a [&'a str], found: &mut Findings) -> Self {
        let mut fields = Map::new();
        for (key, value) in object {
            let name = snake_case(key);
            if !known.contains(&name.as_str()) {
                let hint = closest(&name, known).map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
                found.warn(format!("unknown key '{}'{hint}", join(path, key)));
            }
            fields.insert(name, value.clone());
        }
        Self { path: path.to_owned(), fields, known }
    }

    /// The place of a field.
    pub fn at(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// A field's value; null counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        debug_assert!(self.known.contains(&name), "{name} is read but not known");
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field read by `read`; where it does not fit, `expected` says what would.
    pub fn read<'v, T>(
        &'v self,
        name: &str,
        expected: &str,
        found: &mut Findings,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let result = read(value);
        if result.is_none() {
            found.error(self.at(name), format!("must be {expected}"));
        }
        result
    }

    pub fn text(&self, name: &str, found: &mut Findings) -> Option<String> {
        self.read(name, "a non-empty string", found, |value| value.as_str().filter(|text| !text.is_empty()))
            .map(str::to_owned)
    }

    pub fn flag(&self, name: &str, found: &mut Findings) -> Option<bool> {
        self.read(name, "true or false", found, Value::as_bool)
    }

    pub fn object(&self, name: &str, found: &mut Findings) -> Option<&Map<String, Value>> {
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

    /// HTTP statuses; numeric texts are understood too.
    pub fn statuses(&self, name: &str, found: &mut Findings) -> Option<Vec<u16>> {
        self.read(name, "an array of HTTP statuses", found, |value| {
            let status = |item: &Value| u16::try_from(whole(item)?).ok().filter(|code| (100..600).contains(code));
            value.as_array()?.iter().map(status).collect()
        })
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A place inside a place.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `onStatusCodes` as `on_status_codes`.
fn snake_case(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// A known key that differs from `name` by little.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|key| (distance(name, key), *key)).min()?;
    (near.0 <= 2).then_some(near.1)
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
