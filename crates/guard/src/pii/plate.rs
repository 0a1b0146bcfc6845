//! Number plates of Vietnam: 51F-123.45, 29-H1 234.56, 30A 1234.

use crate::pii::detect::Match;
use crate::pii::lexicon::Cue;
use crate::pii::token::Case;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue};

/// The plate that begins at the number of a province.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let province = view.number(place).filter(|number| number.chars == 2).and_then(|_| view.value(place))?;
    if province < 11 || view.is_glued(place) {
        return None;
    }
    let letters_at = after_sign(view, place + 1);
    let letters = view.word(letters_at).filter(|word| word.chars <= 2 && word.is_ascii)?;
    let series_at = letters_at + 1;
    let has_series = view.number(series_at).is_some_and(|number| number.chars == 1);
    let serial_at = if has_series { after_sign(view, series_at + 1) } else { after_sign(view, series_at) };
    let (end, is_dotted) = serial(view, serial_at, serial_at == series_at)?;
    if view.word(end).is_some() {
        return None;
    }
    let is_distinct = is_dotted && letters.case != Case::Lower && letters_at == place + 1;
    let is_announced = || {
        let cue =
            cue::left(view, place).find(|cue| !matches!(cue.cue, Cue::Name | Cue::Title | Cue::Plain | Cue::Place));
        cue.is_some_and(|cue| cue.cue == Cue::Plate) || cue::right(view, end) == Cue::Plate
    };
    let is_plate = is_distinct || view.get(place)?.column == Cue::Plate || is_announced();
    is_plate.then(|| Match::new(PiiKind::Plate, end))
}

/// The place after a dash, a dot, a space, or nothing.
fn after_sign(view: &View<'_>, index: usize) -> usize {
    if view.is_symbol(index, '-') || view.is_symbol(index, '.') {
        return view.skip_space(index + 1);
    }
    match view.skip_space(index) {
        next if next > index && view.is_symbol(next, '-') => view.skip_space(next + 1),
        next => next,
    }
}

/// Four or five digits, or three and two: one past them, and whether they are written 123.45.
fn serial(view: &View<'_>, index: usize, is_glued: bool) -> Option<(usize, bool)> {
    let first = view.number(index)?;
    let is_split = view.is_symbol(index + 1, '.') || view.is_symbol(index + 1, '-') || view.is_space(index + 1);
    match first.chars {
        3 if is_split && view.number(index + 2).is_some_and(|number| number.chars == 2) => {
            Some((index + 3, view.is_symbol(index + 1, '.')))
        }
        4 if is_glued && is_split && view.number(index + 2).is_some_and(|number| number.chars == 2) => {
            Some((index + 3, false))
        }
        4 | 5 => Some((index + 1, false)),
        6 if is_glued => Some((index + 1, false)),
        _ => None,
    }
}
