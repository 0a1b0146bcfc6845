//! The words that may be a name, and how many of them are.

use crate::pii::lexicon::{self, Cue, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;
use crate::pii::{normal, syllable};

/// The longest name, in syllables.
const MAX_SYLLABLES: usize = 5;

/// The words of a name that may begin at a place.
pub(super) struct Candidate<'a> {
    pub(super) words: Vec<&'a Token>,
    /// Signs around it tell where it ends: capitals between small letters.
    pub(super) is_delimited: bool,
    /// Its last word is one letter.
    pub(super) has_initial: bool,
    /// A sign or the end of a line follows its last word.
    pub(super) is_closed: bool,
    /// "thị" or "văn" as they are spelt follow its first word.
    pub(super) is_marked: bool,
    /// Words before it announce a name: words without diacritics may stand for any spelling.
    pub(super) is_announced: bool,
}

impl<'a> Candidate<'a> {
    /// The words that may be a name.
    pub(super) fn collect(view: &View<'a>, place: usize, is_announced: bool) -> Option<Self> {
        let first = view.word(place)?;
        let mut words = vec![first];
        let mut has_initial = false;
        let (mut is_open, mut is_closed) = (false, true);
        let mut index = place;
        while words.len() < MAX_SYLLABLES + 1 && !has_initial {
            let is_space =
                view.get(index + 1).is_some_and(|token| token.kind == Kind::Space && token.chars <= 2 && !token.is_tab);
            let Some(word) = is_space.then(|| view.word(index + 2)).flatten() else { break };
            is_closed = false;
            if !fits(first, word, words.len()) || view.number(index + 3).is_some() {
                is_open = word.case == first.case && first.case != Case::Title;
                break;
            }
            let is_last = !view.is_space(index + 3) || view.word(index + 4).is_none();
            let is_whole = word.case == Case::Title && words.len() >= 2 && !view.is_symbol(index + 3, ':');
            let is_after_strong = word.case == Case::Title && words.len() > 1 && view.has(index, flags::MIDDLE_STRONG);
            let is_given = is_last && (is_whole || word.word.has_exact(flags::GIVEN)) || is_after_strong;
            if is_stop(word) && !is_given || begins_phrase(view, index + 2) {
                is_open = true;
                break;
            }
            has_initial = word.chars == 1 && !is_vowel_name(first, word) && !is_hmong(view, first, word, index + 4);
            if !has_initial && !is_syllable(view, word) {
                is_open = true;
                break;
            }
            words.push(word);
            is_closed = true;
            index += 2;
        }
        if words.len() > MAX_SYLLABLES {
            words.pop();
            is_open = true;
        }
        let is_delimited = match first.case {
            Case::Title => !is_open || words.len() <= 4,
            Case::Upper => !is_open && !first.is_upper_text,
            _ => false,
        };
        let middle = words.get(1).map_or("", |word| view.text(word));
        let is_marked = ["thị", "văn", "Thị", "Văn", "THỊ", "VĂN"].contains(&middle);
        (words.len() > 1).then_some(Self { words, is_delimited, has_initial, is_closed, is_marked, is_announced })
    }

    /// How many words the name has.
    pub(super) fn count(&self) -> Option<usize> {
        if self.has_initial || self.is_delimited {
            return Some(self.words.len());
        }
        let has = |index: usize, flags: u32| self.words.get(index).is_some_and(|token| self.known(token, flags));
        let inner = if self.is_announced { flags::MIDDLE | flags::GIVEN } else { flags::MIDDLE };
        let is_inner = |count: usize| (1..count - 1).all(|index| has(index, inner));
        let may_end = |count: usize| count <= self.words.len() && is_inner(count) && has(count - 1, flags::GIVEN);
        let all = self.words.len();
        if self.is_closed && may_end(all) {
            return Some(all);
        }
        if may_end(4) && (has(3, flags::GIVEN_LONE) || has(1, flags::MIDDLE_STRONG) || !may_end(3)) {
            return Some(4);
        }
        if self.is_marked {
            return [3, 5].into_iter().find(|count| may_end(*count)).or_else(|| self.count_after_mark());
        }
        [3, 5, 2].into_iter().find(|count| may_end(*count))
    }

    /// A surname, "thị" or "văn" as they are spelt, and any given name: "nguyễn thị chắt".
    fn count_after_mark(&self) -> Option<usize> {
        let [first, middle, given, rest @ ..] = self.words.as_slice() else { return None };
        let is_strong = first.word.has_exact(flags::ANY_SURNAME);
        let is_compound = lexicon::lexicon().is_no_person(&[middle.word, given.word]);
        let is_longer = rest.first().is_some_and(|last| last.word.has_exact(flags::GIVEN_LONE));
        (is_strong && !is_compound && !is_stop(given) && given.chars > 1).then_some(if is_longer { 4 } else { 3 })
    }

    /// Whether a word has a flag; small letters in a text with diacritics only as they are spelt.
    pub(super) fn known(&self, token: &Token, flags: u32) -> bool {
        if self.is_announced { token.word.has(flags) } else { known(token, flags) }
    }
}

/// Whether a word has a flag; in a text with diacritics, only as it is spelt.
pub(super) fn known(token: &Token, flags: u32) -> bool {
    if token.is_accented_text && token.case == Case::Lower {
        token.word.has_exact(flags)
    } else {
        token.word.has(flags)
    }
}

/// Whether a word may go on a name that begins with another.
fn fits(first: &Token, word: &Token, position: usize) -> bool {
    match first.case {
        Case::Title if word.case == Case::Lower => position == 1 && word.word.has_exact(flags::MIDDLE_STRONG),
        Case::Title => word.case == Case::Title,
        Case::Upper => word.case == Case::Upper || word.chars == 1 && word.case == Case::Title,
        Case::Lower => word.case == Case::Lower,
        Case::Mixed => false,
    }
}

/// Whether a word and the next one say what follows: "Sinh ngày", "Liên hệ".
fn begins_phrase(view: &View<'_>, index: usize) -> bool {
    view.is_space(index + 1)
        && view
            .word(index + 2)
            .is_some_and(|next| next.cue != Cue::None && next.cue_tokens == 3 && next.cue != Cue::Plain)
}

/// Whether a word is never part of a name; a text without diacritics has the benefit of the doubt.
pub(super) fn is_stop(word: &Token) -> bool {
    let is_name = word.word.has(flags::GIVEN | flags::MIDDLE);
    let is_capital = word.case == Case::Title || word.case == Case::Upper && !word.is_upper_text;
    if word.is_ascii && !word.is_accented_text {
        word.word.has(flags::STOP) && !is_name
    } else {
        word.word.has_exact(flags::STOP) && !(is_capital && word.word.has_exact(flags::GIVEN))
    }
}

/// The middle name of the Hmong: Giàng A Páo.
fn is_hmong(view: &View<'_>, first: &Token, word: &Token, next: usize) -> bool {
    let is_middle = word.is_ascii
        && view.is_space(next - 1)
        && view.word(next).is_some_and(|last| last.case == first.case && last.chars > 1);
    is_middle && first.word.has_exact(flags::SURNAME_RARE)
}

/// A given name of one vowel, which is no initial: Lê Ý, Trần Thị Á.
fn is_vowel_name(first: &Token, word: &Token) -> bool {
    !word.is_ascii && first.case != Case::Mixed && !word.word.has_exact(flags::INITIAL)
}

/// Whether a word is a syllable of Vietnamese.
fn is_syllable(view: &View<'_>, word: &Token) -> bool {
    if word.word.has(flags::GIVEN | flags::MIDDLE | flags::ANY_SURNAME) {
        return true;
    }
    let folded: String = view.text(word).chars().map(normal::lower).map(normal::fold).collect();
    syllable::is_syllable(&folded)
}

/// A surname that is no English word, when it stands without diacritics.
pub(super) fn is_distinct(first: &Token) -> bool {
    first.chars >= 4 && first.word.has(flags::SURNAME | flags::DISTINCT)
}
