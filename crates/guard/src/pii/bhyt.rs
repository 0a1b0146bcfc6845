//! Health insurance numbers of Vietnam: two letters and thirteen digits.

use crate::pii::detect::Match;
use crate::pii::lexicon::Cue;
use crate::pii::run::Run;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue};

/// The groups of insured persons.
const GROUPS: [&str; 57] = [
    "BA", "BT", "CA", "CB", "CC", "CH", "CK", "CN", "CS", "CT", "CY", "DK", "DN", "DT", "GB", "GD", "HC", "HD", "HG",
    "HN", "HS", "HT", "HX", "KC", "LS", "MS", "ND", "NN", "NO", "PV", "QN", "SV", "TA", "TB", "TC", "TD", "TE", "TH",
    "TK", "TN", "TQ", "TS", "TU", "TV", "TX", "TY", "XB", "XD", "XK", "XN", "XV", "DQ", "HK", "TL", "NH", "TT", "GT",
];
const DIGITS: usize = 13;

/// The number that begins at two letters.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let letters = view.word(place).filter(|word| word.chars == 2)?;
    if view.is_glued(place) {
        return None;
    }
    let from = match view.skip_space(place + 1) {
        next if view.is_symbol(next, '-') => next + 1,
        next => next,
    };
    view.number(from)?;
    let mut run = Run::collect(view, from);
    let count = (1..=run.groups.len()).find(|count| run.groups.iter().take(*count).sum::<usize>() == DIGITS)?;
    run.truncate(count);
    let is_glued = from == place + 1 && count == 1;
    let is_known =
        GROUPS.contains(&view.text(letters).to_uppercase().as_str()) && matches!(run.digits.first(), Some(1..=5));
    let nearest = cue::left(view, place).next();
    let is_announced = nearest.is_some_and(|cue| cue.cue == Cue::Bhyt) || view.get(place)?.column == Cue::Bhyt;
    let is_negative = nearest.is_some_and(|cue| cue.cue == Cue::Negative && cue.words <= 2);
    let is_number = is_announced && (is_known || is_glued) || is_known && is_glued && !is_negative;
    let is_end = view.word(run.end()).is_none();
    (is_number && is_end).then(|| Match::new(PiiKind::Bhyt, run.end()))
}
