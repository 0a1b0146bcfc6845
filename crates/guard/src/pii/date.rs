//! Dates of birth.

use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::token::Kind;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue};

/// Words between the cue and the date.
const MAX_WORDS: usize = 6;

/// The date that begins at a number.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.value(place)?;
    if view.is_glued(place) || is_part(view, place) {
        return None;
    }
    let end =
        signs(view, place, first).or_else(|| words(view, place, first)).or_else(|| day_first(view, place, first))?;
    birth(view, place, end)
}

/// The date that begins at an English month: May 12, 1990.
pub(crate) fn month_first(view: &View<'_>, place: usize) -> Option<Match> {
    if !view.has(place, flags::MONTH) {
        return None;
    }
    let mut index = view.skip_space(if view.is_symbol(place + 1, '.') { place + 2 } else { place + 1 });
    view.value(index).filter(|day| (1..=31).contains(day))?;
    index = after_ordinal(view, index + 1);
    index = view.skip_space(if view.is_symbol(index, ',') { index + 1 } else { index });
    is_year(view, index).then(|| birth(view, place, index + 1)).flatten()
}

/// The date, if its cue is that of a birth.
fn birth(view: &View<'_>, place: usize, end: usize) -> Option<Match> {
    let is_part = view.number(end).is_some()
        || matches!(view.kind(end), Some(Kind::Symbol('/'))) && view.number(end + 1).is_some();
    let mut cues =
        cue::left(view, place).filter(|cue| !matches!(cue.cue, Cue::Plain | Cue::Place | Cue::Title | Cue::Name));
    let is_born = match cues.next() {
        Some(cue) if cue.cue == Cue::Dob => cue.words <= MAX_WORDS && cue.digits == 0,
        Some(cue) if cue.cue == Cue::Negative && cue.words <= 3 => false,
        _ => view.get(place)?.column == Cue::Dob,
    };
    (is_born && !is_part).then(|| Match::new(PiiKind::Dob, end))
}

/// Whether the number goes on another one.
fn is_part(view: &View<'_>, place: usize) -> bool {
    matches!(view.before(place, 1).map(|token| token.kind), Some(Kind::Symbol('/' | '-' | '.')))
        && view.before(place, 2).is_some_and(|token| token.kind == Kind::Number)
}

/// 12/05/1990, 12-5-90, 12.05.1990, 1990-05-12; spaces may stand around the signs.
fn signs(view: &View<'_>, place: usize, first: u32) -> Option<usize> {
    let (first_sign, middle) = sign(view, place + 1)?;
    let month = view.value(middle)?;
    let (second_sign, last) = sign(view, middle + 1)?;
    let year = view.number(last)?;
    let is_same = first_sign == second_sign;
    let is_day_first = is_day(first) && is_day(month) && (is_month(first) || is_month(month));
    let is_day_year = is_day_first && (is_year(view, last) || year.chars == 2);
    let is_iso = is_year(view, place) && is_month(month) && view.value(last).is_some_and(is_day);
    (is_same && (is_day_year || is_iso)).then_some(last + 1)
}

/// The sign between two numbers of a date, and the place after it.
fn sign(view: &View<'_>, index: usize) -> Option<(char, usize)> {
    let index = view.skip_space(index);
    match view.kind(index)? {
        Kind::Symbol(sign @ ('/' | '-' | '.')) => Some((sign, view.skip_space(index + 1))),
        _ => None,
    }
}

/// 12 tháng 5 năm 1990.
fn words(view: &View<'_>, place: usize, first: u32) -> Option<usize> {
    let is_word = |index: usize, words: [&str; 2]| {
        view.word(index).is_some_and(|word| words.iter().any(|known| view.text(word).to_lowercase() == **known))
    };
    let month = view.skip_space(place + 1);
    let is_date = is_day(first) && is_word(month, ["tháng", "thang"]);
    let number = view.skip_space(month + 1);
    let year = view.skip_space(if view.is_symbol(number + 1, ',') { number + 2 } else { number + 1 });
    let last = view.skip_space(year + 1);
    let is_whole =
        is_date && view.value(number).is_some_and(is_month) && is_word(year, ["năm", "nam"]) && is_year(view, last);
    is_whole.then_some(last + 1)
}

/// 12 May 1990, 12th of May, 1990.
fn day_first(view: &View<'_>, place: usize, first: u32) -> Option<usize> {
    let mut index = view.skip_space(after_ordinal(view, place + 1));
    if view.is_symbol(index, '-') {
        index += 1;
    }
    if view.word(index).is_some_and(|word| view.text(word).eq_ignore_ascii_case("of")) {
        index = view.skip_space(index + 1);
    }
    if !is_day(first) || !view.has(index, flags::MONTH) {
        return None;
    }
    index += 1;
    if matches!(view.kind(index), Some(Kind::Symbol(',' | '.' | '-'))) {
        index += 1;
    }
    index = view.skip_space(index);
    is_year(view, index).then_some(index + 1)
}

/// The place after "th" and its like.
fn after_ordinal(view: &View<'_>, index: usize) -> usize {
    let is_ordinal = view
        .word(index)
        .is_some_and(|word| ["st", "nd", "rd", "th"].iter().any(|ending| view.text(word).eq_ignore_ascii_case(ending)));
    if is_ordinal { index + 1 } else { index }
}

fn is_day(value: u32) -> bool {
    (1..=31).contains(&value)
}

fn is_month(value: u32) -> bool {
    (1..=12).contains(&value)
}

fn is_year(view: &View<'_>, index: usize) -> bool {
    view.number(index).is_some_and(|number| number.chars == 4)
        && view.value(index).is_some_and(|year| (1900..=2100).contains(&year))
}
