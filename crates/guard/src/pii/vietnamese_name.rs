//! Names of Vietnamese: a surname, middle names and a given name, without a model.

mod candidate;
mod context;
mod given;
mod score;
#[cfg(test)]
mod tests;
mod unlisted;

use crate::pii::PiiKind;
use crate::pii::cue;
use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;
use candidate::Candidate;

/// The name that begins at a word.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.word(place)?;
    if !may_begin(view, place) {
        return None;
    }
    let announced = cue::adjacent(view, place);
    let is_plain =
        matches!(announced, Cue::Name | Cue::Title) && view.word(place + 2).is_some_and(|next| next.is_ascii);
    let is_capitals = first.case == Case::Upper && !first.is_upper_text;
    let is_spelt = first.is_accented_text && first.case != Case::Title && !is_plain && !is_capitals;
    let is_surname =
        if is_spelt { first.word.has_exact(flags::ANY_SURNAME) } else { first.word.has(flags::ANY_SURNAME) };
    if is_surname && let Some(found) = full(view, place, announced) {
        return Some(found);
    }
    given::at(view, place, announced)
        .or_else(|| given::before_surname(view, place, announced))
        .or_else(|| unlisted::at(view, place, announced))
}

/// Whether a name may begin at a word, which could be a cue itself.
fn may_begin(view: &View<'_>, place: usize) -> bool {
    let is_cue = view.word(place).is_some_and(|word| {
        let is_known = word.cue_tokens == 1
            && (word.word.has(flags::SURNAME | flags::SURNAME_FAIR) || is_before_middle(view, place, word));
        let is_before_surname = !word.word.has_exact(flags::ANY_SURNAME)
            && view.is_space(place + 1)
            && view.word(place + 2).is_some_and(|next| next.word.has(flags::SURNAME) && next.case == word.case);
        matches!(word.cue, Cue::Title | Cue::Place | Cue::Name | Cue::Address) && (!is_known || is_before_surname)
            || word.cue == Cue::Plain && word.cue_tokens > 1
    });
    if is_cue {
        return false;
    }
    match view.before(place, 1).map(|token| token.kind) {
        Some(Kind::Word | Kind::Number) => false,
        Some(Kind::Symbol('/' | '_' | '-' | '@')) => view.get(place).is_some_and(|token| token.case != Case::Lower),
        _ => true,
    }
}

/// Whether a rare surname stands before "Thị" or "Văn" and a given name: "Be Thi Hoa".
fn is_before_middle(view: &View<'_>, place: usize, word: &Token) -> bool {
    word.case == Case::Title
        && word.word.has(flags::SURNAME_RARE)
        && view.is_space(place + 1)
        && view.word(place + 2).is_some_and(|middle| ["Thị", "Thi", "Văn", "Van"].contains(&view.text(middle)))
        && view.is_space(place + 3)
        && view.word(place + 4).is_some_and(|given| given.case == Case::Title && given.word.has(flags::GIVEN))
}

/// A surname and what follows.
fn full(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let candidate = Candidate::collect(view, place, matches!(announced, Cue::Name | Cue::Title))?;
    let count = candidate.count()?;
    let is_known = context::is_known_title(&candidate, count) && !context::is_person(view, place, announced);
    if is_known
        || context::is_compound(&candidate)
        || context::is_organisation(view, place + count * 2)
        || context::begins_later(&candidate)
    {
        return None;
    }
    let score = candidate.score(count) + context::score(view, place, announced);
    (score >= score::ACCEPTED && !context::is_inside_title(view, place))
        .then(|| Match::new(PiiKind::Name, place + count * 2 - 1))
}
