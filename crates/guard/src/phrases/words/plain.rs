//! Pieces of one word in Latin letters, as most are, which need none of Unicode's tables.

use std::sync::LazyLock;

use unicode_normalization::{IsNormalized, is_nfkc_quick};

const FIRST: u32 = 0xc0;
const LAST: u32 = 0x24f;
const MORE_FIRST: u32 = 0x1e00;
const MORE_LAST: u32 = 0x1eff;

/// Letters in lower case; nothing for those that are written otherwise when they are normalised.
static LETTERS: LazyLock<Vec<Option<char>>> = LazyLock::new(|| {
    (FIRST..=LAST).chain(MORE_FIRST..=MORE_LAST).map(|code| char::from_u32(code).and_then(lowered)).collect()
});

/// Writes the only word of a piece, of two letters at least and perhaps with signs around it, and tells whether the piece
/// ends a sentence; nothing where the piece is anything else.
pub(super) fn word(piece: &str, word: &mut String) -> Option<bool> {
    let inner = piece.trim_start_matches(['(', '"']).trim_end_matches(|sign: char| ",.:;?!)\"".contains(sign));
    word.clear();
    let mut count = 0;
    for letter in inner.chars() {
        word.push(letter_of(letter)?);
        count += 1;
    }
    let tail = piece.trim_end_matches(['"', ')']);
    (count >= 2).then(|| tail.ends_with(['.', '!', '?', ';']))
}

fn letter_of(letter: char) -> Option<char> {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric().then(|| letter.to_ascii_lowercase());
    }
    let index = match u32::from(letter) {
        code @ FIRST..=LAST => code - FIRST,
        code @ MORE_FIRST..=MORE_LAST => code - MORE_FIRST + LAST - FIRST + 1,
        _ => return None,
    };
    LETTERS.get(index as usize).copied().flatten()
}

/// A letter in lower case, by Unicode's tables.
fn lowered(letter: char) -> Option<char> {
    let mut lower = letter.to_lowercase();
    let first = lower.next().filter(|_| lower.next().is_none())?;
    let is_normal = is_nfkc_quick(std::iter::once(letter)) == IsNormalized::Yes;
    (is_normal && letter.is_alphabetic()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super as reader;
    use super::*;

    /// The short way gives what the long one does, for every letter of the table and signs around words.
    #[test]
    fn a_plain_piece_reads_as_any_other() {
        let letters = ('\0'..='\u{1fff}').filter(|letter| !letter.is_whitespace());
        let pieces =
            letters.flat_map(|letter| [format!("a{letter}"), format!("{letter}b."), format!("(x{letter}y)?\"")]);
        for piece in pieces.chain(["\"Xin", "chào!\")", "A1;", "(a)", "...", "Đường,"].map(str::to_owned)) {
            let mut short = String::new();
            let Some(ends) = word(&piece, &mut short) else { continue };
            let mut folded = Vec::new();
            reader::fold(&piece, &mut folded);
            let mut long = String::new();
            let rest = reader::next_word(&folded, &mut long);
            assert_eq!((short, ends), (long.clone(), reader::ends_sentence(&folded)), "of {piece:?}");
            assert_eq!(rest.and_then(|rest| reader::next_word(rest, &mut long)), None, "of {piece:?}");
        }
    }
}
