//! All detectors, in the order in which they decide.

use crate::pii::token::{Case, Kind};
use crate::pii::view::View;
use crate::pii::{
    PiiKind, address, bhyt, date, document, email, english_name, iban, ip, numbers, phone, plate, secret,
    vietnamese_name,
};

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
    let is_ascii = view.get(place)?.is_ascii;
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
