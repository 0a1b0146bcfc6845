//! What stands around a name: places and companies are called after persons.

use crate::pii::lexicon::{self, Cue, Word, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::vietnamese_name::candidate::Candidate;
use crate::pii::view::View;

/// Whether words are the name of a place, a brand or a person of history, whole or at one end.
pub(super) fn is_known_title(candidate: &Candidate<'_>, count: usize) -> bool {
    let lexicon = lexicon::lexicon();
    let words: Vec<Word> = candidate.words.iter().take(count).map(|token| token.word).collect();
    let Some(first) = candidate.words.first() else { return false };
    // Where capitals tell nothing, the words that follow a known name are no part of it.
    let least = if first.case == Case::Title { 3 } else { 2 };
    let is_prefix = (least..=count).any(|count| words.get(..count).is_some_and(|words| lexicon.is_no_person(words)));
    let is_suffix =
        first.cue != Cue::None && words.get(1..).is_some_and(|rest| rest.len() > 1 && lexicon.is_no_person(rest));
    lexicon.is_no_person(&words) || is_prefix || is_suffix
}

/// Whether a word of the language begins here, and not an announced name: "Phạm Vi Công Việc".
pub(super) fn is_compound(candidate: &Candidate<'_>) -> bool {
    let words: Vec<Word> = candidate.words.iter().take(2).map(|token| token.word).collect();
    let is_spelt = candidate.words.iter().take(2).any(|token| !token.is_ascii);
    let is_capital = candidate.words.iter().all(|token| token.case == Case::Title);
    let is_name = candidate.is_announced && is_capital && is_spelt && (3..=4).contains(&candidate.words.len());
    lexicon::lexicon().is_compound(&words) && !is_name
}

/// Whether the words before say that a person is meant, though a place has the same name.
pub(super) fn is_person(view: &View<'_>, place: usize, announced: Cue) -> bool {
    let is_addressed = announced == Cue::Title
        && view.before(place, 2).is_some_and(|title| !title.is_folded_cue && !title.word.has_exact(flags::OLD_TITLE));
    announced == Cue::Name || is_addressed
}

/// Whether two words before a surname are something else: "PHẠM NHÂN LÊ …".
pub(super) fn begins_later(candidate: &Candidate<'_>) -> bool {
    let words: Vec<Word> = candidate.words.iter().take(2).map(|token| token.word).collect();
    candidate.words.get(2).is_some_and(|third| third.word.has_exact(flags::SURNAME))
        && lexicon::lexicon().is_no_person(&words)
}

/// What the words before a name add to its score.
pub(super) fn score(view: &View<'_>, place: usize, announced: Cue) -> i32 {
    match announced {
        Cue::Name | Cue::Title => 35,
        Cue::Place => -70,
        _ if is_place(view, place) => -70,
        _ => 0,
    }
}

/// Whether a street, a school or a company is called by what follows: "trường THPT …", "công ty Cổ phần …".
fn is_place(view: &View<'_>, place: usize) -> bool {
    let mut index = place;
    for _ in 0..5 {
        let Some(before) = index.checked_sub(2).filter(|_| view.is_space(index.wrapping_sub(1))) else { return false };
        let Some(word) = view.word(before) else { return false };
        match view.get(place).map_or(word.cue, |first| word.cue_for(first)) {
            Cue::Place => return true,
            Cue::Name | Cue::Title => return false,
            _ if word.case == Case::Lower && !joins_names(view, index, before, word) => return false,
            _ => index = before,
        }
    }
    false
}

/// Whether a word parts two names that a place is called by: "ngã tư Nguyễn Trãi và Lê Lai".
fn joins_names(view: &View<'_>, name: usize, before: usize, word: &Token) -> bool {
    ["và", "va"].contains(&view.text(word))
        && view.word(name).is_some_and(|name| name.case == Case::Title)
        && view.is_space(before.wrapping_sub(1))
        && view.before(before, 2).is_some_and(|last| last.kind == Kind::Word && last.case == Case::Title)
}

/// Whether the words before and these together are the name of a place or a person of history.
pub(super) fn is_inside_title(view: &View<'_>, place: usize) -> bool {
    let mut from = place;
    for _ in 0..3 {
        let is_joined = view.is_space(from.wrapping_sub(1));
        let case = view.word(place).map(|word| word.case);
        let Some(before) = from
            .checked_sub(2)
            .filter(|before| is_joined && view.word(*before).is_some_and(|word| Some(word.case) == case))
        else {
            break;
        };
        from = before;
        let words: Vec<Word> = (0..lexicon::MAX_TITLE_WORDS)
            .map_while(|count| view.word(from + count * 2).map(|token| token.word))
            .collect();
        let first = (place - from) / 2 + 1;
        let mut counts = first..=words.len();
        if counts.any(|count| words.get(..count).is_some_and(|words| lexicon::lexicon().is_no_person(words))) {
            return true;
        }
    }
    false
}

/// Whether the words after say that it is no person: "… Street", "… Group".
pub(super) fn is_organisation(view: &View<'_>, next: usize) -> bool {
    view.word(next).is_some_and(|word| word.case != Case::Lower && word.word.has(flags::ORGANISATION) && word.is_ascii)
        && view.is_space(next - 1)
}
