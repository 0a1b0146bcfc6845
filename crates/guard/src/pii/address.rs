//! Postal addresses: a house, a street or a hamlet, and the areas that it lies in.

mod area;
mod segments;

use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;
use crate::pii::{cue, english_address};
use area::known_area;
use segments::{areas, plain};

/// The address that begins at a word.
pub(crate) fn from_word(view: &View<'_>, place: usize) -> Option<Match> {
    let word = view.word(place)?;
    if view.is_glued(place) {
        return None;
    }
    if is_number_word(view, word) {
        let next = view.skip_space(place + 1);
        let is_house = view.word(next).is_some_and(|word| word.chars == 3 && word.has(flags::STREET_PART));
        let number = if is_house { view.skip_space(next + 1) } else { next };
        view.number(number).filter(|number| number.chars <= 5)?;
        return house(view, number, true);
    }
    if word.has(flags::STREET) {
        let before = view.skip_space_back(place).filter(|before| view.has(*before, flags::ADMIN));
        if before.is_some() || known_area(view, place).is_some() && !is_announced(view, place) {
            return None;
        }
        let end = plain(view, place).filter(|end| *end > place + 1)?;
        if word.is_ascii && word.chars <= 2 && view.number(place + 2).is_none() {
            return None;
        }
        return areas(view, end, 1);
    }
    if word.has(flags::STOP | flags::BREAK) && !word.has(flags::ADMIN) || word.cue == Cue::Address {
        return None;
    }
    let may_begin = word.has(flags::ADMIN) || matches!(word.case, Case::Title | Case::Upper);
    if may_begin && view.is_space(place + 1) | view.is_symbol(place + 1, '.') && is_announced(view, place) {
        return areas(view, place, 2);
    }
    None
}

/// The address that begins at a house number.
pub(crate) fn from_number(view: &View<'_>, place: usize) -> Option<Match> {
    let number = view.number(place).filter(|number| number.chars <= 6)?;
    if view.is_glued(place) || is_inside(view, place) {
        return None;
    }
    if let Some(found) = english_address::at(view, place) {
        return Some(found);
    }
    let before = view.skip_space_back(place);
    let is_counted = before.is_some_and(|before| view.has(before, flags::COUNTED)) && !is_announced(view, place);
    if number.chars > 5 || is_counted || view.text(number).starts_with('0') {
        return None;
    }
    house(view, place, false)
}

/// Whether the number goes on another one.
fn is_inside(view: &View<'_>, place: usize) -> bool {
    matches!(view.before(place, 1).map(|token| token.kind), Some(Kind::Symbol('/' | '.' | '-' | ',')))
        && view.before(place, 2).is_some_and(|token| token.kind == Kind::Number)
}

/// Whether the words before say that an address follows.
fn is_announced(view: &View<'_>, place: usize) -> bool {
    cue::left(view, place).next().is_some_and(|cue| cue.cue == Cue::Address && cue.words <= 1)
        || view.get(place).is_some_and(|token| token.column == Cue::Address)
}

fn is_number_word(view: &View<'_>, word: &Token) -> bool {
    let text = view.text(word);
    word.chars == 2
        && (["so", "no"].iter().any(|known| text.eq_ignore_ascii_case(known)) || ["số", "Số", "SỐ"].contains(&text))
}

/// A house number, a street, and areas.
fn house(view: &View<'_>, place: usize, is_announced_number: bool) -> Option<Match> {
    let (mut index, is_split) = house_number(view, place)?;
    if view.is_symbol(index, ',') {
        index += 1;
    }
    let street = view.skip_space(index);
    if street == index {
        return None;
    }
    if view.number(street).is_some() {
        let month = view.word(view.skip_space(street + 1)).map(|word| view.text(word).to_lowercase())?;
        ["tháng", "thang"].contains(&month.as_str()).then_some(())?;
        return areas(view, plain(view, street)?, 1);
    }
    let word = view.word(street)?;
    let is_street = word.has(flags::STREET);
    let is_year = view.value(place).is_some_and(|value| (1900..=2100).contains(&value));
    if is_year && !is_split && !is_street && !is_announced_number && !is_announced(view, place) {
        return None;
    }
    let is_counted = word.word.has_exact(flags::UNIT) && word.case == Case::Lower;
    let is_said = word.word.has_exact(flags::BREAK) && word.case != Case::Title;
    if (is_counted || is_said) && !is_street {
        return None;
    }
    let end = plain(view, street)?;
    areas(view, end, 1)
}

/// 12, 12A, 12/34, 12/34/5B, 12-14: one past it, and whether it has parts.
fn house_number(view: &View<'_>, place: usize) -> Option<(usize, bool)> {
    let mut index = place;
    let mut parts = 0;
    loop {
        view.number(index).filter(|number| number.chars <= 5)?;
        index += 1;
        if view.word(index).is_some_and(|word| word.chars <= 3 && word.is_ascii) {
            index += 1;
        }
        parts += 1;
        let is_joined = view.is_symbol(index, '/') || view.is_symbol(index, '-');
        if !is_joined || view.number(index + 1).is_none() || parts > 4 {
            return Some((index, view.is_symbol(place + 1, '/')));
        }
        index += 1;
    }
}
