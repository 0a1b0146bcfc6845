//! Brings the ways to write a character to one: composed letters, plain spaces, dashes and digits, nothing invisible.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

use crate::pii::latin;

/// Marks on one letter that still belong to it; more are nobody's spelling.
const MAX_MARKS: usize = 8;

/// Stands for every character that no reader sees.
pub(crate) const INVISIBLE: char = '\u{200b}';

/// A normal character, and the bytes of the original that it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormalChar {
    pub(crate) char: char,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Normalises a text that comes in parts.
#[derive(Default)]
pub(crate) struct Normalizer {
    /// The last letter: marks may follow.
    last: Option<NormalChar>,
    marks: Vec<char>,
    position: usize,
}

impl Normalizer {
    /// Takes the next part; `emit` gets the characters that are complete.
    pub(crate) fn push(&mut self, part: &str, mut emit: impl FnMut(NormalChar)) {
        for char in part.chars() {
            let start = self.position;
            self.position += char.len_utf8();
            if char.is_ascii() || latin::is_letter(char) {
                self.flush(&mut emit);
                self.last = Some(NormalChar { char, start, end: self.position });
            } else {
                self.take(char, start, &mut emit);
            }
        }
    }

    /// Emits the last character.
    pub(crate) fn flush(&mut self, emit: &mut impl FnMut(NormalChar)) {
        let Some(last) = self.last.take() else { return };
        if self.marks.is_empty() {
            return emit(last);
        }
        let letters = std::iter::once(last.char).chain(self.marks.drain(..));
        if let Some(char) = letters.nfc().next() {
            emit(NormalChar { char, ..last });
        }
    }

    /// The bytes taken so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Where the character begins that is not emitted yet.
    pub(crate) fn open(&self) -> Option<usize> {
        self.last.map(|last| last.start)
    }

    fn take(&mut self, char: char, start: usize, emit: &mut impl FnMut(NormalChar)) {
        if is_invisible(char) {
            self.flush(emit);
            return emit(NormalChar { char: INVISIBLE, start, end: self.position });
        }
        if canonical_combining_class(char) != 0 {
            if let Some(last) = &mut self.last
                && self.marks.len() < MAX_MARKS
            {
                last.end = self.position;
                self.marks.push(char);
                return;
            }
            return;
        }
        self.flush(emit);
        self.last = Some(NormalChar { char: simple(char), start, end: self.position });
    }
}

/// Characters that no reader sees.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The plain character that one stands for.
fn simple(char: char) -> char {
    match char {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        '\u{660}'..='\u{669}' => digit(char, '\u{660}'),
        '\u{6f0}'..='\u{6f9}' => digit(char, '\u{6f0}'),
        '\u{966}'..='\u{96f}' => digit(char, '\u{966}'),
        _ if char >= '\u{2100}' => compatible(char),
        _ => char,
    }
}

fn digit(char: char, zero: char) -> char {
    char::from_digit(char as u32 - zero as u32, 10).unwrap_or(char)
}

/// The compatible form (full width, mathematical) where it is one character.
fn compatible(char: char) -> char {
    let mut chars = std::iter::once(char).nfkc();
    match (chars.next(), chars.next()) {
        (Some(simple), None) => simple,
        _ => char,
    }
}

/// The letter without its marks, in lower case.
pub(crate) fn fold(lower: char) -> char {
    if lower.is_ascii() { lower } else { latin::fold(lower).unwrap_or_else(|| folded(lower)) }
}

/// The same, from Unicode's tables.
pub(crate) fn folded(lower: char) -> char {
    if lower == 'đ' {
        return 'd';
    }
    let mut base = None;
    decompose_canonical(lower, |part| base = base.or(Some(part)));
    base.unwrap_or(lower)
}

/// A letter in lower case, and that without its marks.
pub(crate) fn lower_and_folded(char: char) -> (char, char) {
    latin::lower_and_folded(char).unwrap_or_else(|| {
        let lower = lower(char);
        (lower, fold(lower))
    })
}

/// A character in lower case.
pub(crate) fn lower(char: char) -> char {
    if char.is_ascii() { char.to_ascii_lowercase() } else { latin::lower(char).unwrap_or_else(|| lowered(char)) }
}

/// The same, from Unicode's tables.
pub(crate) fn lowered(char: char) -> char {
    char.to_lowercase().next().unwrap_or(char)
}
