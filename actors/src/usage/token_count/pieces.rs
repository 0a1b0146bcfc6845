//! Cutting a text into pieces whose tokens add up to those of the whole.

/// Characters of one kind that may stand in a row. The encoding's expression goes back over all of them, and gives up
/// after a million; no language writes words as long as this.
const MAX_RUN: usize = 8 << 10;

/// A text in pieces of at most so many bytes, cut where the encoding begins a new word anyway, and in the middle of a
/// word only where it is too long.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: &'a str,
    max_bytes: usize,
}

impl<'a> Pieces<'a> {
    /// Cuts `text`.
    pub fn new(text: &'a str, max_bytes: usize) -> Self {
        Self { rest: text, max_bytes: max_bytes.max(char::MAX.len_utf8()) }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (piece, rest) = self.rest.split_at_checked(first_cut(self.rest, self.max_bytes))?;
        self.rest = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

/// Where the first piece ends.
fn first_cut(text: &str, max_bytes: usize) -> usize {
    let (mut word, mut run) = (0, 0);
    let (mut kind, mut before) = (Kind::Other, None);
    for (at, letter) in text.char_indices() {
        if at + letter.len_utf8() > max_bytes {
            return if word > 0 { word } else { at };
        }
        let now = Kind::from_char(letter);
        if now != kind {
            (kind, run) = (now, at);
        } else if at - run >= MAX_RUN {
            return at;
        }
        if before.is_some_and(|before| begins_word(before, letter, now)) {
            word = at;
        }
        before = Some(letter);
    }
    text.len()
}

/// Whether the encoding always begins a new word here: a blank is never taken by what stands before it, and after the
/// end of a line only a slash is.
fn begins_word(before: char, letter: char, kind: Kind) -> bool {
    match letter {
        ' ' => !before.is_whitespace(),
        '/' => false,
        _ => before == '\n' && kind != Kind::Space,
    }
}

/// The kinds of characters of which the encoding makes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Space,
    Letter,
    Number,
    Other,
}

impl Kind {
    fn from_char(letter: char) -> Self {
        match letter {
            _ if letter.is_whitespace() => Self::Space,
            _ if letter.is_alphabetic() => Self::Letter,
            _ if letter.is_numeric() => Self::Number,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// H-1: nothing is lost between pieces, none is too large, and none holds a run that the expression chokes on.
        #[test]
        fn pieces_make_up_the_text(text in "[ a-z0-9\\n/é字\u{301}!]{0,300}", max in 1usize..64) {
            let pieces: Vec<_> = Pieces::new(&text, max).collect();
            prop_assert_eq!(&pieces.concat(), &text);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= max.max(4)));
        }
    }

    #[test]
    fn cuts_are_where_words_begin() {
        let cut = |text, max| Pieces::new(text, max).collect::<Vec<_>>();
        assert_eq!(cut("one two three", 9), ["one two", " three"]);
        assert_eq!(cut("one\ntwo", 5), ["one\n", "two"]);
        assert_eq!(cut("abcdefgh", 5), ["abcde", "fgh"]);
        assert_eq!(cut("字字字", 4), ["字", "字", "字"]);
        let long = "a".repeat(3 * MAX_RUN);
        assert!(Pieces::new(&long, usize::MAX).all(|piece| piece.len() <= MAX_RUN));
    }
}
