//! Edits of a JSON text in place, so that all else keeps its bytes.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

/// Pieces of a text that are to be replaced.
#[derive(Debug, Default)]
pub(super) struct Splices(Vec<(Range<usize>, Cow<'static, str>)>);

impl Splices {
    /// Replaces a value that was read from `text`.
    pub fn replace(&mut self, text: &[u8], value: &RawValue, by: impl Into<Cow<'static, str>>) {
        let start = place(text, value);
        self.0.push((start..start + value.get().len(), by.into()));
    }

    /// Adds a field, `"name":value`, at the front of a filled object that was read from `text`.
    pub fn prepend(&mut self, text: &[u8], object: &RawValue, field: String) {
        let at = place(text, object) + 1;
        self.0.push((at..at, Cow::Owned(field + ",")));
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The edited text.
    pub fn apply(mut self, text: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(range, _)| range.start);
        let added: usize = self.0.iter().map(|(_, by)| by.len()).sum();
        let mut out = Vec::with_capacity(text.len() + added);
        let mut from = 0;
        for (range, by) in &self.0 {
            out.extend_from_slice(text.get(from..range.start).unwrap_or_default());
            out.extend_from_slice(by.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        out
    }
}

/// Where a value stands in the text that it borrows from.
fn place(text: &[u8], value: &RawValue) -> usize {
    (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Reads a field that is there as its text, be it null.
pub(super) fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
