//! The words that detectors know: names, places, and phrases that announce personal data.

mod build;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use crate::pii::token::{Case, Kind, Token};

/// What a word can be.
pub(crate) mod flags {
    pub(crate) const SURNAME: u32 = 1;
    pub(crate) const SURNAME_FAIR: u32 = 1 << 1;
    pub(crate) const SURNAME_RARE: u32 = 1 << 2;
    pub(crate) const MIDDLE_STRONG: u32 = 1 << 3;
    pub(crate) const MIDDLE: u32 = 1 << 4;
    pub(crate) const GIVEN: u32 = 1 << 5;
    pub(crate) const GIVEN_LONE: u32 = 1 << 6;
    pub(crate) const ENGLISH_FIRST: u32 = 1 << 7;
    pub(crate) const ENGLISH_LAST: u32 = 1 << 8;
    pub(crate) const ENGLISH_COMMON: u32 = 1 << 9;
    pub(crate) const STOP: u32 = 1 << 10;
    pub(crate) const UNIT: u32 = 1 << 11;
    pub(crate) const STREET: u32 = 1 << 12;
    pub(crate) const ADMIN: u32 = 1 << 13;
    pub(crate) const ENGLISH_SUFFIX: u32 = 1 << 14;
    pub(crate) const ORGANISATION: u32 = 1 << 15;
    pub(crate) const MONTH: u32 = 1 << 16;
    pub(crate) const NOT_LONE: u32 = 1 << 17;
    /// Goes on what a street's word begins.
    pub(crate) const STREET_PART: u32 = 1 << 19;
    /// No English word without diacritics.
    pub(crate) const DISTINCT: u32 = 1 << 20;
    /// No part of an address in small letters.
    pub(crate) const BREAK: u32 = 1 << 21;
    /// A surname that is more often a verb.
    pub(crate) const ENGLISH_MODAL: u32 = 1 << 22;
    /// A letter that stands for a name.
    pub(crate) const INITIAL: u32 = 1 << 23;
    /// A title that persons of history have, too.
    pub(crate) const OLD_TITLE: u32 = 1 << 24;
    /// A given name that is a verb or a noun as well.
    pub(crate) const VERB: u32 = 1 << 25;
    /// A number after it is no house.
    pub(crate) const COUNTED: u32 = 1 << 18;
    /// Any surname of a Vietnamese.
    pub(crate) const ANY_SURNAME: u32 = SURNAME | SURNAME_FAIR | SURNAME_RARE;
}

/// Words of the longest name of a place or a person of history.
pub(crate) const MAX_TITLE_WORDS: usize = 5;
/// Tokens between two words of a phrase.
const MAX_GAP: usize = 3;
/// The form of a word that is spelt otherwise than all forms that are known.
const UNKNOWN_FORM: u8 = u8::MAX;

/// What is known of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// The spelling without diacritics; 0 is unknown.
    pub(crate) id: u32,
    form: u8,
    is_ascii: bool,
    exact: u32,
    folded: u32,
}

/// What a phrase announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cue {
    #[default]
    None,
    /// An identity card, old or new.
    Id,
    Tax,
    Bhxh,
    Bhyt,
    Passport,
    License,
    Phone,
    Plate,
    Bank,
    Card,
    Dob,
    Address,
    Ssn,
    Ip,
    Version,
    Name,
    Title,
    /// What follows is called after a person.
    Place,
    /// Nothing, though a part of the phrase would announce something.
    Plain,
    /// A number that is no personal data.
    Negative,
}

/// A word by its id and its form.
type Spelling = (u32, u8);
/// Names of several words, by the ids of their words.
type Titles = HashMap<[u32; MAX_TITLE_WORDS], Vec<Vec<Spelling>>, FixedState>;

/// A spelling without diacritics.
pub(crate) struct Entry {
    id: u32,
    forms: Vec<(Box<str>, u32)>,
    /// The flags of all forms.
    flags: u32,
    /// Phrases that end with this word, the longest first.
    phrases: Vec<Ending>,
}

/// A phrase by its last word.
struct Ending {
    /// The id of the word before the last one; 0 where there is none.
    before: u32,
    phrase: u32,
}

struct Phrase {
    words: Vec<Spelling>,
    cue: Cue,
}

/// A phrase in a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Announcement {
    pub(crate) cue: Cue,
    /// The tokens of the phrase.
    pub(crate) tokens: u8,
    /// A word of it is spelt without its diacritics.
    pub(crate) is_folded: bool,
}

/// All words and phrases.
pub(crate) struct Lexicon {
    entries: HashMap<Box<str>, Entry, FixedState>,
    phrases: Vec<Phrase>,
    /// Phrases by id of their last word.
    not_persons: Titles,
    compounds: Titles,
    areas: Titles,
}

/// The lexicon, built on first use.
pub(crate) fn lexicon() -> &'static Lexicon {
    static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::build);
    &LEXICON
}

impl Word {
    /// A word that no list has.
    pub(crate) fn unknown(is_ascii: bool) -> Self {
        Self { is_ascii, ..Self::default() }
    }

    /// Whether the word as it is spelt has one of some flags; without diacritics it may stand for any spelling.
    pub(crate) fn has(&self, flags: u32) -> bool {
        (if self.is_ascii { self.folded } else { self.exact }) & flags != 0
    }

    /// Whether exactly this spelling has one of some flags.
    pub(crate) fn has_exact(&self, flags: u32) -> bool {
        self.exact & flags != 0
    }

    /// Whether the word is one of a phrase; without diacritics it may stand for any spelling, if it `may_fold`.
    fn matches(&self, (id, form): Spelling, may_fold: bool) -> bool {
        self.id == id && (self.is_ascii && may_fold || self.form == form)
    }
}

impl Lexicon {
    /// The entry of a word in lower case and without diacritics.
    pub(crate) fn entry(&self, folded: &str) -> Option<&Entry> {
        self.entries.get(folded)
    }

    /// The longest phrase that ends with `last`, whose entry is given, after `before`.
    pub(crate) fn phrase(&self, entry: &Entry, last: &Token, before: &[Token]) -> Announcement {
        if entry.phrases.is_empty() {
            return Announcement::default();
        }
        let previous = id_before(before);
        let endings = entry.phrases.iter().filter(|ending| ending.before == 0 || ending.before == previous);
        let phrases = endings.filter_map(|ending| self.phrases.get(ending.phrase as usize));
        let announcements = phrases.filter_map(|phrase| {
            let (tokens, is_folded) = phrase.ends(last, before)?;
            Some(Announcement { cue: phrase.cue, tokens, is_folded })
        });
        // The longest; of two that are as long, the one that is spelt so, and the first.
        announcements.fold(Announcement::default(), |best, next| {
            let is_better =
                next.tokens > best.tokens || next.tokens == best.tokens && best.is_folded && !next.is_folded;
            if is_better { next } else { best }
        })
    }

    /// Whether some words are the name of a place, a brand or a person of history.
    pub(crate) fn is_no_person(&self, words: &[Word]) -> bool {
        contains(&self.not_persons, words)
    }

    /// Whether some words are a word of the language that begins like a name: "phạm vi", "lý do".
    pub(crate) fn is_compound(&self, words: &[Word]) -> bool {
        contains(&self.compounds, words)
    }

    /// Whether some words are a province, a city or a district.
    pub(crate) fn is_area(&self, words: &[Word]) -> bool {
        contains(&self.areas, words)
    }
}

impl Entry {
    /// What is known of a word in lower case, which has this entry without its diacritics.
    pub(crate) fn word(&self, lower: &str, is_ascii: bool) -> Word {
        let form = self.forms.iter().position(|(form, _)| **form == *lower);
        Word {
            id: self.id,
            form: form.and_then(|form| u8::try_from(form).ok()).unwrap_or(UNKNOWN_FORM),
            is_ascii,
            exact: form.and_then(|form| self.forms.get(form)).map_or(0, |(_, flags)| *flags),
            folded: self.flags,
        }
    }
}

impl Phrase {
    /// The tokens of the phrase where it ends with `last`.
    fn ends(&self, last: &Token, before: &[Token]) -> Option<(u8, bool)> {
        let (first, rest) = self.words.split_last()?;
        let may_fold = !last.is_accented_text;
        if !last.word.matches(*first, may_fold) {
            return None;
        }
        let mut position = before.len();
        let mut is_folded = last.word.form != first.1;
        let mut first_case = last.case;
        for word in rest.iter().rev() {
            let mut gap = 0;
            loop {
                position = position.checked_sub(1)?;
                let token = before.get(position)?;
                if token.kind == Kind::Word {
                    if !token.word.matches(*word, may_fold) {
                        return None;
                    }
                    is_folded |= token.word.form != word.1;
                    first_case = token.case;
                    break;
                }
                gap += 1;
                if !is_gap(token) || gap > MAX_GAP {
                    return None;
                }
            }
        }
        // Without diacritics, "co Phan" is a title and a surname, not a share.
        let is_name = is_folded && last.case == Case::Title && first_case == Case::Lower;
        (!is_name).then_some((u8::try_from(before.len() - position + 1).ok()?, is_folded))
    }
}

/// The id of the last word, if no more than a gap is behind it; else 0.
fn id_before(before: &[Token]) -> u32 {
    let mut near = before.iter().rev().take(MAX_GAP + 1);
    let word = near.find(|token| !is_gap(token));
    word.filter(|token| token.kind == Kind::Word).map_or(0, |token| token.word.id)
}

/// Whether a token may stand between two words of a phrase.
fn is_gap(token: &Token) -> bool {
    matches!(token.kind, Kind::Space | Kind::Symbol('_' | '-' | '.' | '/' | '\'' | '&'))
}

fn contains(titles: &Titles, words: &[Word]) -> bool {
    let may_fold = words.iter().all(|word| word.is_ascii);
    words.len() <= MAX_TITLE_WORDS
        && titles.get(&key(words.iter().map(|word| word.id))).is_some_and(|titles| {
            titles.iter().any(|title| {
                title.len() == words.len()
                    && title.iter().zip(words).all(|(spelling, word)| word.matches(*spelling, may_fold))
            })
        })
}

fn key(ids: impl Iterator<Item = u32>) -> [u32; MAX_TITLE_WORDS] {
    let mut key = [0; MAX_TITLE_WORDS];
    key.iter_mut().zip(ids).for_each(|(place, id)| *place = id);
    key
}
