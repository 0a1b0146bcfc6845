//! Names of women whose surname is in no list: "Xyz Thị Hoa".

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, flags};
use crate::pii::token::{Case, Token};
use crate::pii::view::View;

/// The longest surname of a syllable.
const MAX_LETTERS: u8 = 7;

/// Any syllable, "Thị" and one or two more.
pub(super) fn at(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place).filter(|first| first.case != Case::Lower && is_part(first, first))?;
    let is_marked = view.is_space(place + 1)
        && view.word(place + 2).is_some_and(|middle| ["Thị", "THỊ"].contains(&view.text(middle)));
    if !is_marked || announced == Cue::Place || first.case == Case::Upper && announced == Cue::None {
        return None;
    }
    let middle = view.word(place + 2)?;
    let next = |index: usize| view.is_space(index - 1).then(|| view.word(index)).flatten();
    let given = next(place + 4).filter(|given| is_part(first, given))?;
    let lexicon = lexicon::lexicon();
    let is_compound =
        lexicon.is_no_person(&[first.word, middle.word]) || lexicon.is_no_person(&[middle.word, given.word]);
    let is_longer = next(place + 6).is_some_and(|last| is_part(first, last) && last.word.has_exact(flags::GIVEN));
    (!is_compound).then(|| Match::new(PiiKind::Name, place + if is_longer { 7 } else { 5 }))
}

fn is_part(first: &Token, word: &Token) -> bool {
    word.case == first.case && (2..=MAX_LETTERS).contains(&word.chars) && !word.word.has_exact(flags::STOP)
}
