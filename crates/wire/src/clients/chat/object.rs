//! JSON objects written field by field, so that what is JSON text already keeps its bytes.

use std::ops::Range;

use serde::Serialize;

use crate::json_object::json_string;

/// An object under way.
#[derive(Debug)]
pub(crate) struct Object {
    text: String,
    /// Where the names stand in the text, with their quotes.
    names: Vec<Range<usize>>,
}

impl Default for Object {
    fn default() -> Self {
        Self { text: "{".to_owned(), names: Vec::new() }
    }
}

impl Object {
    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether it has a field of that name.
    pub fn has(&self, name: &str) -> bool {
        let name = json_string(name);
        self.names.iter().any(|range| self.text.get(range.clone()) == Some(name.as_str()))
    }

    /// Adds a value.
    pub fn set(&mut self, name: &str, value: impl Serialize) {
        // Texts, numbers and trees always serialise.
        self.raw(name, &serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned()));
    }

    /// Adds a value that is there.
    pub fn set_some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Adds a JSON text.
    pub fn raw(&mut self, name: &str, json: &str) {
        if !self.is_empty() {
            self.text.push(',');
        }
        let start = self.text.len();
        self.text.push_str(&json_string(name));
        self.names.push(start..self.text.len());
        self.text.push(':');
        self.text.push_str(json);
    }

    /// Adds an array of JSON texts.
    pub fn list(&mut self, name: &str, items: &[String]) {
        self.raw(name, &array(items));
    }

    /// The JSON text.
    pub fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// An array of JSON texts.
pub(crate) fn array(items: &[String]) -> String {
    let mut out = String::with_capacity(items.iter().map(|item| item.len() + 1).sum::<usize>() + 2);
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(item);
    }
    out.push(']');
    out
}
