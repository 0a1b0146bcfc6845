//! Reads words out of a text that comes in parts, in a form that disguises do not change.
//!
//! The words depend on the text alone and not on how it was cut: characters gather up to the next white space (or
//! [`MAX_PIECE_CHARS`]), and each such piece is normalised as a whole.

mod plain;

use std::ops::Range;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Characters after which a piece without white space is cut.
const MAX_PIECE_CHARS: usize = 64;
/// Letters that stand apart and make one word, from which on they do; and the longest such word.
const MIN_SPELLED: usize = 3;
const MAX_SPELLED: usize = 24;

/// What the reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A word in lower case, and where the piece that it stands in begins and ends in the text.
    Word { word: &'a str, start: usize, end: usize },
    /// The end of a sentence.
    Break,
}

/// A letter that stands alone and may belong to a spelled-out word.
struct Letter {
    letter: char,
    start: usize,
    end: usize,
    ends_sentence: bool,
}

/// The state between two parts.
#[derive(Default)]
pub(crate) struct WordReader {
    piece: String,
    piece_chars: usize,
    /// Bytes read so far.
    read: usize,
    letters: Vec<Letter>,
    folded: Vec<char>,
    word: String,
}

impl WordReader {
    /// Reads the next part.
    pub(crate) fn push(&mut self, part: &str, found: &mut dyn FnMut(Token<'_>)) {
        let mut from = 0;
        for (at, character) in part.char_indices() {
            let next = at + character.len_utf8();
            if character.is_whitespace() {
                self.gather(part, from..at);
                if self.piece.is_empty() && self.letters.len() >= MIN_SPELLED {
                    // More than one space parts words whose letters stand apart.
                    self.end_letters(found);
                }
                self.end_piece(found);
                self.read += next - at;
                from = next;
                continue;
            }
            self.piece_chars += 1;
            if self.piece_chars == MAX_PIECE_CHARS {
                self.gather(part, from..next);
                self.end_piece(found);
                from = next;
            }
        }
        self.gather(part, from..part.len());
    }

    fn gather(&mut self, part: &str, range: Range<usize>) {
        let more = part.get(range).unwrap_or_default();
        self.piece.push_str(more);
        self.read += more.len();
    }

    /// Reads what is left; the text has ended.
    pub(crate) fn finish(&mut self, found: &mut dyn FnMut(Token<'_>)) {
        self.end_piece(found);
        self.end_letters(found);
    }

    /// Where the text begins that has not become words yet.
    pub(crate) fn open(&self) -> usize {
        self.letters.first().map_or(self.read - self.piece.len(), |letter| letter.start)
    }

    fn end_piece(&mut self, found: &mut dyn FnMut(Token<'_>)) {
        if self.piece.is_empty() {
            return;
        }
        let (start, end) = (self.read - self.piece.len(), self.read);
        if let Some(ends_sentence) = plain::word(&self.piece, &mut self.word) {
            self.piece.clear();
            self.piece_chars = 0;
            self.end_letters(found);
            found(Token::Word { word: &self.word, start, end });
            if ends_sentence {
                found(Token::Break);
            }
            return;
        }
        let mut folded = std::mem::take(&mut self.folded);
        fold(&self.piece, &mut folded);
        self.piece.clear();
        self.piece_chars = 0;
        let ends_sentence = ends_sentence(&folded);
        let mut word = std::mem::take(&mut self.word);
        let mut rest = &folded[..];
        let mut count = 0;
        while let Some(after) = next_word(rest, &mut word) {
            rest = after;
            count += 1;
            let mut letters = word.chars();
            let single = letters.next().filter(|_| letters.next().is_none());
            match single {
                Some(letter) if count == 1 && is_blank(rest) => {
                    self.letters.push(Letter { letter, start, end, ends_sentence });
                    if self.letters.len() >= MAX_SPELLED {
                        self.end_letters(found);
                    }
                }
                _ => {
                    self.end_letters(found);
                    found(Token::Word { word: &word, start, end });
                }
            }
        }
        match self.letters.last_mut() {
            Some(letter) => letter.ends_sentence |= ends_sentence,
            None if ends_sentence => found(Token::Break),
            None => {}
        }
        self.folded = folded;
        self.word = word;
    }

    /// Lets go of the letters that stood alone: as one word if they are many, else each for itself.
    fn end_letters(&mut self, found: &mut dyn FnMut(Token<'_>)) {
        if self.letters.is_empty() {
            return;
        }
        let letters = std::mem::take(&mut self.letters);
        let (Some(first), Some(last)) = (letters.first(), letters.last()) else { return };
        if letters.len() >= MIN_SPELLED {
            let word: String = letters.iter().map(|letter| letter.letter).collect();
            found(Token::Word { word: &word, start: first.start, end: last.end });
            if last.ends_sentence {
                found(Token::Break);
            }
            return;
        }
        for Letter { letter, start, end, ends_sentence } in letters {
            found(Token::Word { word: letter.encode_utf8(&mut [0; 4]), start, end });
            if ends_sentence {
                found(Token::Break);
            }
        }
    }
}

/// The words of a short text, as the reader sees them.
pub(crate) fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut found = |token: Token<'_>| {
        if let Token::Word { word, .. } = token {
            words.push(word.to_owned());
        }
    };
    let mut reader = WordReader::default();
    reader.push(text, &mut found);
    reader.finish(&mut found);
    words
}

/// Compatibility forms composed, lower case, without what has no width.
fn fold(piece: &str, folded: &mut Vec<char>) {
    folded.clear();
    if piece.is_ascii() {
        folded.extend(piece.chars().map(|character| character.to_ascii_lowercase()));
        return;
    }
    let shown = piece.chars().filter(|&character| !is_zero_width(character));
    if is_nfkc_quick(shown.clone()) == IsNormalized::Yes {
        folded.extend(shown.flat_map(char::to_lowercase));
    } else {
        folded.extend(shown.nfkc().flat_map(char::to_lowercase));
    }
    let is_foreign = |character: &char| ('\u{370}'..'\u{530}').contains(character);
    if folded.iter().any(is_foreign) && folded.iter().any(char::is_ascii_alphabetic) {
        for character in folded.iter_mut() {
            *character = latin_lookalike(*character);
        }
    }
}

fn is_zero_width(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The Latin letter that a Cyrillic or Greek one looks like; such letters stand in a Latin word to disguise it.
fn latin_lookalike(character: char) -> char {
    match character {
        'а' | 'α' => 'a',
        'е' | 'ε' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' | 'υ' => 'y',
        'х' | 'χ' => 'x',
        'і' | 'ι' => 'i',
        'ѕ' => 's',
        'к' | 'κ' => 'k',
        'т' | 'τ' => 't',
        'ь' => 'b',
        other => other,
    }
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '’' | '‘' | 'ʼ' | '´')
}

/// Whether a piece ends a sentence, behind closing quotes and brackets.
fn ends_sentence(piece: &[char]) -> bool {
    let last =
        piece.iter().rev().find(|&&last| !matches!(last, '"' | '”' | '»' | ')' | ']' | '*') && !is_apostrophe(last));
    matches!(last, Some('.' | '!' | '?' | ';' | '…' | '。'))
}

fn is_blank(rest: &[char]) -> bool {
    !rest.iter().any(|character| character.is_alphanumeric())
}

/// Writes the next word of a piece and gives what stands behind it. Letters that signs keep apart (`đ.ị.t`) are one
/// word.
fn next_word<'a>(piece: &'a [char], word: &mut String) -> Option<&'a [char]> {
    let (first, mut rest) = next_run(piece)?;
    word.clear();
    word.extend(first.iter().filter_map(|&character| letter_of(character)));
    if is_single(first) {
        while let Some((next, after)) = next_run(rest).filter(|(next, _)| is_single(next)) {
            word.extend(next);
            rest = after;
        }
    }
    Some(rest)
}

fn is_single(run: &[char]) -> bool {
    run.len() == 1
}

fn letter_of(character: char) -> Option<char> {
    match character {
        '@' => Some('a'),
        '$' => Some('s'),
        '!' => Some('i'),
        other if is_apostrophe(other) => None,
        other => Some(other),
    }
}

/// The next run of letters and digits, with the signs inside it that disguise a letter.
fn next_run(piece: &[char]) -> Option<(&[char], &[char])> {
    let begin = (0..piece.len()).find(|&at| starts_run(piece, at))?;
    let end = (begin + 1..piece.len()).find(|&at| !continues_run(piece, at)).unwrap_or(piece.len());
    Some((&piece[begin..end], &piece[end..]))
}

fn starts_run(piece: &[char], at: usize) -> bool {
    let next_is_letter = || piece.get(at + 1).is_some_and(|next| next.is_alphabetic());
    piece.get(at).is_some_and(|&first| first.is_alphanumeric() || (matches!(first, '@' | '$') && next_is_letter()))
}

fn continues_run(piece: &[char], at: usize) -> bool {
    let Some(&sign) = piece.get(at) else { return false };
    if sign.is_alphanumeric() {
        return true;
    }
    let mut behind = piece.iter().skip(at + 1);
    match sign {
        '*' => behind.find(|&&next| next != '*').is_some_and(|next| next.is_alphanumeric()),
        '@' | '$' | '!' => behind.next().is_some_and(|next| next.is_alphabetic()),
        other => is_apostrophe(other) && behind.next().is_some_and(|next| next.is_alphabetic()),
    }
}
