//! Addresses in English: 123 Main Street, Springfield, IL 62701.

use crate::pii::PiiKind;
use crate::pii::cue;
use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::token::{Case, Kind};
use crate::pii::view::View;

const MAX_NAME_WORDS: usize = 4;
const UNITS: [&str; 8] = ["apt", "suite", "ste", "unit", "floor", "room", "flat", "apartment"];

/// The address that begins at a house number.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let mut index = place + 1;
    if view.word(index).is_some_and(|letter| letter.chars == 1) {
        index += 1;
    }
    let street = street(view, index)?;
    let unit = unit(view, street).unwrap_or(street);
    let city = city(view, unit);
    let is_lower = view.word(index + 1).is_some_and(|word| word.case == Case::Lower);
    let is_announced = cue::left(view, place).next().is_some_and(|cue| cue.cue == Cue::Address);
    (!is_lower || city.is_some() || is_announced).then(|| Match::new(PiiKind::Address, city.unwrap_or(unit)))
}

/// One past a street's name and kind.
fn street(view: &View<'_>, index: usize) -> Option<usize> {
    let mut next = index;
    let mut is_named = false;
    for _ in 0..=MAX_NAME_WORDS {
        if !view.is_space(next) {
            return None;
        }
        let token = view.get(next + 1)?;
        let is_ordinal = token.kind == Kind::Number && view.word(next + 2).is_some_and(|ending| ending.chars == 2);
        if is_ordinal {
            next += 3;
            is_named = true;
            continue;
        }
        let word = view.word(next + 1).filter(|word| word.is_ascii)?;
        if is_named && word.word.has(flags::ENGLISH_SUFFIX) && view.has_suffix_end(next + 2) {
            let end = next + 2;
            return Some(if view.is_symbol(end, '.') && !view.is_newline_after(end + 1) { end + 1 } else { end });
        }
        let is_name = word.case != Case::Lower || word.is_lower_text && !word.word.has(flags::STOP);
        if !is_name || word.case == Case::Lower && !word.is_lower_text && word.word.has_exact(flags::UNIT) {
            return None;
        }
        next += 2;
        if view.is_symbol(next, '.') {
            next += 1;
        }
        is_named = true;
    }
    None
}

/// One past ", Apt 4B" or ", #12".
fn unit(view: &View<'_>, index: usize) -> Option<usize> {
    let mut next = view.skip_space(if view.is_symbol(index, ',') { index + 1 } else { index });
    if view.is_symbol(next, '#') {
        next += 1;
    } else {
        let word = view.word(next)?;
        UNITS.iter().any(|unit| view.text(word).eq_ignore_ascii_case(unit)).then_some(())?;
        next = view.skip_space(if view.is_symbol(next + 1, '.') { next + 2 } else { next + 1 });
        if view.is_symbol(next, '#') {
            next += 1;
        }
    }
    let mut end = next;
    while end < next + 3 && matches!(view.kind(end), Some(Kind::Number | Kind::Word | Kind::Symbol('-'))) {
        end += 1;
    }
    (end > next).then_some(end)
}

/// One past ", Springfield, IL 62701", ", Springfield IL", ", London SW1A 1AA".
fn city(view: &View<'_>, index: usize) -> Option<usize> {
    view.is_symbol(index, ',').then_some(())?;
    let mut next = view.skip_space(index + 1);
    for count in 0..4 {
        if count > 0
            && let Some(end) = state(view, next)
        {
            return Some(end);
        }
        let word = view.word(next)?;
        let is_name = word.case != Case::Lower || word.is_lower_text;
        if !is_name {
            return None;
        }
        next = match view.kind(next + 1)? {
            Kind::Space => next + 2,
            Kind::Symbol(',') => view.skip_space(next + 2),
            Kind::Symbol('.') => view.skip_space(next + 2),
            _ => return None,
        };
    }
    state(view, next)
}

/// One past "IL 62701", "62701-1234", "IL", "SW1A 1AA".
fn state(view: &View<'_>, index: usize) -> Option<usize> {
    let zip = |index: usize| {
        view.number(index).filter(|number| matches!(number.chars, 4..=6))?;
        let is_long = view.is_symbol(index + 1, '-') && view.number(index + 2).is_some_and(|number| number.chars == 4);
        Some(if is_long { index + 3 } else { index + 1 })
    };
    if let Some(end) = zip(index) {
        return Some(end);
    }
    let word = view.word(index).filter(|word| word.chars <= 2)?;
    if view.number(index + 1).is_some_and(|number| number.chars <= 2) {
        return postcode(view, index + 2);
    }
    let after = view.skip_space(index + 1);
    zip(after).or((word.chars == 2 && word.case == Case::Upper).then_some(index + 1))
}

/// One past the rest of a British postcode.
fn postcode(view: &View<'_>, index: usize) -> Option<usize> {
    let index = if view.word(index).is_some_and(|letter| letter.chars == 1) { index + 1 } else { index };
    let inner = view.skip_space(index);
    let is_inner = view.number(inner).is_some_and(|number| number.chars == 1)
        && view.word(inner + 1).is_some_and(|letters| letters.chars == 2);
    is_inner.then_some(inner + 2)
}
