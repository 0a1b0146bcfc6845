//! Latin letters with accents, which Vietnamese is full of: what Unicode's tables say about them, looked up once.

use std::sync::LazyLock;

use crate::pii::normal::{self, folded, lowered};

const FIRST: u32 = 0xc0;
const LAST: u32 = 0x24f;
const MORE_FIRST: u32 = 0x1e00;
const MORE_LAST: u32 = 0x1eff;

/// Each letter in lower case, and that without its marks.
static LETTERS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let letters = (FIRST..=LAST).chain(MORE_FIRST..=MORE_LAST).filter_map(char::from_u32);
    letters.map(|letter| (lowered(letter), folded(letter))).collect()
});

/// Whether a character is such a letter; the signs between them are none.
pub(crate) fn is_letter(char: char) -> bool {
    matches!(char, '\u{c0}'..='\u{24f}' if !matches!(char, '×' | '÷')) || matches!(char, '\u{1e00}'..='\u{1eff}')
}

/// The letter in lower case.
pub(crate) fn lower(char: char) -> Option<char> {
    entry(char).map(|(lower, _)| *lower)
}

/// The letter without its marks.
pub(crate) fn fold(char: char) -> Option<char> {
    entry(char).map(|(_, folded)| *folded)
}

/// The letter in lower case, and that without its marks.
pub(crate) fn lower_and_folded(char: char) -> Option<(char, char)> {
    let (lower, folded) = *entry(char)?;
    Some((lower, if lower == char { folded } else { normal::fold(lower) }))
}

fn entry(char: char) -> Option<&'static (char, char)> {
    let index = match u32::from(char) {
        code @ FIRST..=LAST => code - FIRST,
        code @ MORE_FIRST..=MORE_LAST => code - MORE_FIRST + LAST - FIRST + 1,
        _ => return None,
    };
    LETTERS.get(index as usize)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::char::canonical_combining_class;

    use super::*;

    #[test]
    fn the_table_says_what_unicode_says() {
        let letters = ('\0'..='\u{ffff}').filter(|char| is_letter(*char)).collect::<Vec<_>>();
        assert_eq!(letters.len(), 398 + 256);
        for char in letters {
            assert!(char.is_alphabetic() && canonical_combining_class(char) == 0, "{char:?}");
            assert_eq!((lower(char), fold(char)), (Some(lowered(char)), Some(folded(char))));
            assert_eq!(lower_and_folded(char), Some((lowered(char), normal::fold(lowered(char)))));
        }
        assert_eq!(
            (lower('Ặ'), fold('ặ'), fold('đ'), lower('×'), lower('a')),
            (Some('ặ'), Some('a'), Some('d'), Some('×'), None)
        );
    }
}
