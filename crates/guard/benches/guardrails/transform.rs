//! Ways in which the same text is written.

use std::ops::Range;

use gateway_guard::pii::PiiKind;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_canonical;

use crate::corpus::Line;

/// A way to write a text.
pub type Transform = fn(char, usize) -> String;

/// All ways, by name.
pub const TRANSFORMS: [(&str, Transform); 8] = [
    ("as written", |char, _| char.to_string()),
    ("lower case", |char, _| char.to_lowercase().collect()),
    ("upper case", |char, _| char.to_uppercase().collect()),
    ("no diacritics", |char, _| plain(char).to_string()),
    ("NFD", |char, _| std::iter::once(char).nfd().collect()),
    ("NBSP", |char, _| if char == ' ' { "\u{a0}".into() } else { char.to_string() }),
    ("full width", |char, _| wide(char).to_string()),
    ("zero width", |char, index| if index % 3 == 1 { format!("{char}\u{200b}") } else { char.to_string() }),
];

/// A line written in a way, with its marks where they now are.
pub fn apply(line: &Line, transform: Transform) -> Line {
    let mut text = String::new();
    let mut places = vec![0; line.text.len() + 1];
    for (index, (at, char)) in line.text.char_indices().enumerate() {
        places[at] = text.len();
        text.push_str(&transform(char, index));
    }
    places[line.text.len()] = text.len();
    let end = |range: &Range<usize>| text[..places[range.end]].trim_end_matches('\u{200b}').len();
    let gold: Vec<(PiiKind, Range<usize>)> =
        line.gold.iter().map(|(kind, range)| (*kind, places[range.start]..end(range))).collect();
    Line { text, gold }
}

fn plain(char: char) -> char {
    match char {
        'đ' => 'd',
        'Đ' => 'D',
        _ => {
            let mut base = None;
            decompose_canonical(char, |part| base = base.or(Some(part)));
            base.unwrap_or(char)
        }
    }
}

/// Digits and letters as wide as an ideograph.
fn wide(char: char) -> char {
    if char.is_ascii_alphanumeric() { char::from_u32(char as u32 + 0xfee0).unwrap_or(char) } else { char }
}
