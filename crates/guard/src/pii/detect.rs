//! All detectors, in the order in which they decide.

use std::ops::RangeInclusive;

use crate::pii::lexicon::flags;
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;
use crate::pii::{
    PiiKind, address, bhyt, date, document, email, english_name, iban, ip, numbers, phone, plate, secret,
    vietnamese_name,
};

/// Letters of a word that is no country's code and no secret.
const PLAIN_CHARS: RangeInclusive<u8> = 3..=12;
/// What a word is that may begin personal data.
const BEGINNINGS: u32 = flags::ANY_SURNAME
    | flags::GIVEN
    | flags::MIDDLE
    | flags::ENGLISH_FIRST
    | flags::ENGLISH_LAST
    | flags::STREET
    | flags::ADMIN
    | flags::MONTH;

/// Personal data that begins at the token asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) kind: PiiKind,
    /// One past its last token.
    pub(crate) end: usize,
    /// How a secret goes on after `end`.
    pub(crate) tail: Option<secret::Tail>,
}

impl Match {
    pub(crate) fn new(kind: PiiKind, end: usize) -> Self {
        Self { kind, end, tail: None }
    }
}

/// The personal data that begins at a token, if any does.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    match view.kind(place)? {
        Kind::Word => word(view, place),
        Kind::Number => number(view, place),
        Kind::Symbol('+') => phone::plus(view, place),
        Kind::Symbol('(') => phone::parenthesis(view, place),
        Kind::Symbol('-') => secret::at(view, place),
        _ => None,
    }
}

fn word(view: &View<'_>, place: usize) -> Option<Match> {
    let word = view.get(place)?;
    if is_plain(word) && matches!(view.kind(place + 1), None | Some(Kind::Space | Kind::Newline)) {
        return None;
    }
    let is_ascii = word.is_ascii;
    let of_ascii = || {
        secret::at(view, place)
            .or_else(|| email::at(view, place))
            .or_else(|| iban::at(view, place))
            .or_else(|| ip::version_6(view, place))
            .or_else(|| bhyt::at(view, place))
            .or_else(|| document::at(view, place))
            .or_else(|| date::month_first(view, place))
    };
    is_ascii
        .then(of_ascii)
        .flatten()
        .or_else(|| by_name_or_address(view, place))
        .or_else(|| english_name::at(view, place))
}

/// Whether a word in small letters begins nothing where a space follows: it is no part of a name, a date or an address,
/// and too short for a secret. Most words are so, and need no detector.
fn is_plain(word: &Token) -> bool {
    word.case == Case::Lower && PLAIN_CHARS.contains(&word.chars) && !word.word.has(BEGINNINGS)
}

/// A street or a name; the word for a street is a surname when it is spelt without diacritics.
fn by_name_or_address(view: &View<'_>, place: usize) -> Option<Match> {
    let is_surname = view.word(place).is_some_and(|word| word.is_ascii && word.case == Case::Title);
    if is_surname && let Some(found) = vietnamese_name::at(view, place) {
        return Some(found);
    }
    address::from_word(view, place).or_else(|| vietnamese_name::at(view, place))
}

fn number(view: &View<'_>, place: usize) -> Option<Match> {
    email::at(view, place)
        .or_else(|| ip::version_4(view, place))
        .or_else(|| ip::version_6(view, place))
        .or_else(|| date::at(view, place))
        .or_else(|| plate::at(view, place))
        .or_else(|| address::from_number(view, place))
        .or_else(|| numbers::at(view, place))
}
