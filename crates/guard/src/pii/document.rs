//! Documents whose number begins with letters: passports and driving licences.

use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::run::Run;
use crate::pii::token::Case;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue};

/// The number that begins at one or two letters.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let word = view.word(place).filter(|word| word.chars <= 2)?;
    let letters = word.chars;
    if view.is_glued(place) {
        return None;
    }
    let is_apart = view.is_space(place + 1);
    if is_apart && letters > 1 && (word.case != Case::Upper || word.word.has_exact(flags::STOP)) {
        return None;
    }
    let from = if is_apart { place + 2 } else { place + 1 };
    view.number(from)?;
    let mut whole = Run::collect(view, from);
    if whole.groups.first().is_some_and(|group| *group >= 6) {
        whole.truncate(1);
    }
    let digits = whole.digits.len();
    let is_end = view.word(whole.end()).is_none();
    let kind = is_end.then(|| kind(view, place, letters, digits, is_apart, whole.end())).flatten()?;
    Some(Match::new(kind, whole.end()))
}

fn kind(view: &View<'_>, place: usize, letters: u8, digits: usize, is_apart: bool, end: usize) -> Option<PiiKind> {
    let by = |cue: Cue, words: usize| match cue {
        Cue::Passport if (6..=8).contains(&digits) && (words <= 5) => Some(PiiKind::Passport),
        Cue::License if (5..=14).contains(&digits) && words <= 3 => Some(PiiKind::License),
        _ => None,
    };
    for cue in cue::left(view, place) {
        if cue.cue == Cue::Negative {
            return None;
        }
        if let Some(kind) = by(cue.cue, cue.words).filter(|_| !is_apart || cue.words == 0) {
            return Some(kind);
        }
    }
    let column = by(view.get(place)?.column, 0);
    column.or_else(|| (letters == 1 && !is_apart && digits >= 6).then(|| by(cue::right(view, end), 0)).flatten())
}
