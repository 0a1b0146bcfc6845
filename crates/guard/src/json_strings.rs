//! Personal data in the strings and numbers of a JSON text that comes in parts: the arguments of tool calls.

mod lexer;
#[cfg(test)]
mod tests;

use crate::pii::{self, PiiKind, PiiKinds};
use crate::stream::{Replacer, TextGuard};
use lexer::{Lexer, Piece};

/// Numbers with fewer digits are nobody's.
const MIN_DIGITS: usize = 6;

/// A JSON text on its way, with the names of its fields as cues. What is no object and no list is taken
/// as plain text.
pub struct ArgumentsGuard {
    kinds: PiiKinds,
    lexer: Lexer,
    /// The guard of the string, or of the plain text, that is open.
    guard: Option<TextGuard>,
    number: String,
    clear: String,
}

impl ArgumentsGuard {
    /// A guard for one JSON text.
    pub fn new(kinds: PiiKinds) -> Self {
        Self { kinds, lexer: Lexer::default(), guard: None, number: String::new(), clear: String::new() }
    }

    /// Takes the next part, and writes what is free to go.
    pub fn push(&mut self, part: &str, replacer: &mut dyn Replacer, out: &mut String) {
        let mut lexer = std::mem::take(&mut self.lexer);
        lexer.push(part, |piece, key| self.take(piece, key, replacer, out));
        self.lexer = lexer;
    }

    /// Writes the rest; the text has ended.
    pub fn finish(&mut self, replacer: &mut dyn Replacer, out: &mut String) {
        let mut lexer = std::mem::take(&mut self.lexer);
        lexer.finish(|piece, key| self.take(piece, key, replacer, out));
        let is_text = lexer.is_text();
        self.end_guard(is_text, replacer, out);
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.guard.as_ref().map_or(0, TextGuard::held) + self.number.len() + self.lexer.held()
    }

    fn take(&mut self, piece: Piece<'_>, key: &str, replacer: &mut dyn Replacer, out: &mut String) {
        match piece {
            Piece::Structure(char) => out.push(char),
            Piece::StringStart => {
                out.push('"');
                self.guard = Some(TextGuard::new(self.kinds, key));
            }
            Piece::StringPart(text) => {
                if let Some(guard) = &mut self.guard {
                    guard.push(text, replacer, &mut self.clear);
                }
                self.write_escaped(out);
            }
            Piece::StringEnd => {
                self.end_guard(false, replacer, out);
                out.push('"');
            }
            Piece::Number(char) => self.number.push(char),
            Piece::NumberEnd => self.end_number(key, replacer, out),
            Piece::NumberIsText => {
                let begun = std::mem::take(&mut self.number);
                self.guard.get_or_insert_with(|| TextGuard::new(self.kinds, key)).push(&begun, replacer, out);
            }
            Piece::Text(text) => {
                self.guard.get_or_insert_with(|| TextGuard::new(self.kinds, key)).push(text, replacer, out);
            }
        }
    }

    fn end_guard(&mut self, is_text: bool, replacer: &mut dyn Replacer, out: &mut String) {
        let Some(mut guard) = self.guard.take() else { return };
        if is_text {
            return guard.finish(replacer, out);
        }
        guard.finish(replacer, &mut self.clear);
        self.write_escaped(out);
    }

    /// A number that is personal data becomes a string.
    fn end_number(&mut self, key: &str, replacer: &mut dyn Replacer, out: &mut String) {
        let number = std::mem::take(&mut self.number);
        let (value, spaces) = number.split_at_checked(number.trim_end().len()).unwrap_or((&number, ""));
        match kind_of_number(value, self.kinds, key) {
            Some(kind) => {
                out.push('"');
                replacer.replace(kind, value, &mut self.clear);
                self.write_escaped(out);
                out.push('"');
            }
            None => out.push_str(value),
        }
        out.push_str(spaces);
    }

    fn write_escaped(&mut self, out: &mut String) {
        for char in self.clear.drain(..) {
            match char {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", char as u32)),
                _ => out.push(char),
            }
        }
    }
}

/// A whole JSON text with its personal data replaced.
pub fn redact_json(text: &str, kinds: PiiKinds, replacer: &mut dyn Replacer) -> String {
    let mut out = String::with_capacity(text.len());
    let mut guard = ArgumentsGuard::new(kinds);
    guard.push(text, replacer, &mut out);
    guard.finish(replacer, &mut out);
    out
}

/// What a bare number is. JSON drops zeros on the left; a phone without its zero needs the name of its field.
fn kind_of_number(number: &str, kinds: PiiKinds, key: &str) -> Option<PiiKind> {
    // A sign or an empty fraction makes it no other number.
    let number = number.strip_prefix('-').unwrap_or(number);
    let number = number
        .split_once('.')
        .filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'))
        .map_or(number, |(whole, _)| whole);
    if number.len() < MIN_DIGITS || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = |number: &str| {
        let finding = pii::find(number, kinds, key).into_iter().next()?;
        (finding.range == (0..number.len())).then_some(finding.kind)
    };
    whole(number).or_else(|| whole(&format!("0{number}")).filter(|kind| *kind != PiiKind::Phone))
}
