//! Personal data in a text that comes in parts.

use crate::pii::{PiiKind, PiiKinds};

/// What is written in place of personal data.
pub trait Replacer {
    /// Writes what stands for `value`, and takes note of it.
    fn replace(&mut self, kind: PiiKind, value: &str, out: &mut String);
}

/// A text on its way: lets go of what can no longer be part of personal data, so that all that it lets go is the whole
/// text with its personal data replaced, however the text was cut.
pub struct TextGuard {
    kinds: PiiKinds,
    pending: String,
}

impl TextGuard {
    /// A guard for one text; `cue` is the name of the field that it stands in, or empty.
    pub fn new(kinds: PiiKinds, cue: &str) -> Self {
        let _ = cue;
        Self { kinds, pending: String::new() }
    }

    /// Takes the next part, and writes what is free to go.
    pub fn push(&mut self, part: &str, replacer: &mut dyn Replacer, out: &mut String) {
        let _ = (self.kinds, replacer);
        out.push_str(part);
    }

    /// Writes the rest; the text has ended.
    pub fn finish(&mut self, replacer: &mut dyn Replacer, out: &mut String) {
        let _ = replacer;
        out.push_str(&std::mem::take(&mut self.pending));
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.pending.len()
    }
}
