//! Personal data in a text that comes in parts.

use std::ops::Range;

use crate::pii::scan::{Scan, Sink};
use crate::pii::{PiiKind, PiiKinds};

/// What is written in place of personal data.
pub trait Replacer {
    /// Writes what stands for `value`, and takes note of it. Of a secret, `value` is the part that made it certain.
    fn replace(&mut self, kind: PiiKind, value: &str, out: &mut String);
}

/// A text on its way: lets go of what can no longer be part of personal data, so that all that it lets go is the whole
/// text with its personal data replaced, however the text was cut.
pub struct TextGuard {
    kinds: PiiKinds,
    scan: Scan,
    pending: String,
    /// The byte of the text at which `pending` begins.
    position: usize,
    /// Whether the secret that the text may be in is to be replaced.
    is_wanted: bool,
}

impl TextGuard {
    /// A guard for one text; `cue` is the name of the field that it stands in, or empty.
    pub fn new(kinds: PiiKinds, cue: &str) -> Self {
        Self { kinds, scan: Scan::new(cue), pending: String::new(), position: 0, is_wanted: false }
    }

    /// Takes the next part, and writes what is free to go.
    pub fn push(&mut self, part: &str, replacer: &mut dyn Replacer, out: &mut String) {
        self.pending.push_str(part);
        let mut writer = Writer {
            pending: &self.pending,
            base: self.position,
            at: self.position,
            is_wanted: self.is_wanted,
            kinds: self.kinds,
            replacer,
            out,
        };
        let decided = self.scan.push(part, &mut writer);
        if !self.scan.is_in_secret() || !writer.is_wanted {
            writer.copy_to(decided);
        }
        self.is_wanted = writer.is_wanted;
        self.forget(writer.at);
    }

    /// Writes the rest; the text has ended.
    pub fn finish(&mut self, replacer: &mut dyn Replacer, out: &mut String) {
        let end = self.position + self.pending.len();
        let mut writer = Writer {
            pending: &self.pending,
            base: self.position,
            at: self.position,
            is_wanted: self.is_wanted,
            kinds: self.kinds,
            replacer,
            out,
        };
        self.scan.finish(&mut writer);
        writer.copy_to(end);
        self.forget(end);
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    fn forget(&mut self, at: usize) {
        self.pending.drain(..at - self.position);
        self.position = at;
    }
}

/// Writes a text with its personal data replaced.
struct Writer<'a> {
    pending: &'a str,
    /// The byte of the text at which `pending` begins.
    base: usize,
    /// The byte up to which all is written.
    at: usize,
    is_wanted: bool,
    kinds: PiiKinds,
    replacer: &'a mut dyn Replacer,
    out: &'a mut String,
}

impl Writer<'_> {
    fn copy_to(&mut self, end: usize) {
        let text = self.pending.get(self.at - self.base..end.saturating_sub(self.base)).unwrap_or_default();
        self.out.push_str(text);
        self.at = self.at.max(end);
    }
}

impl Sink for Writer<'_> {
    fn found(&mut self, kind: PiiKind, range: Range<usize>) {
        self.is_wanted = self.kinds.has(kind);
        if self.is_wanted {
            self.copy_to(range.start);
            let value = self.pending.get(self.at - self.base..range.end - self.base).unwrap_or_default();
            self.replacer.replace(kind, value, self.out);
            self.at = range.end;
        }
    }

    fn extended(&mut self, end: usize) {
        if self.is_wanted {
            self.at = self.at.max(end);
        }
    }
}
