//! Given names without a surname that is known, and before one.

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, Word, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::vietnamese_name::candidate::{Candidate, is_stop, known};
use crate::pii::vietnamese_name::context::is_inside_title;
use crate::pii::view::View;

/// A name after words that announce one, without a surname that is known: "chị Lan", "Họ tên: Hà My".
pub(super) fn at(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place)?;
    let is_title = announced == Cue::Title;
    let is_english = first.is_ascii && !first.is_accented_text && first.word.has_exact(flags::ENGLISH_MODAL);
    if is_english && first.case != Case::Title {
        return None;
    }
    if !is_title && announced != Cue::Name || !view.word(place)?.word.has(flags::GIVEN | flags::ANY_SURNAME) {
        return None;
    }
    if is_inside_title(view, place) {
        return None;
    }
    let has_sign = view.skip_space_back(place).is_some_and(|before| view.is_symbol(before, ':'));
    let next = view.is_space(place + 1).then(|| view.word(place + 2)).flatten();
    let goes_on = next.is_some_and(|next| next.case == first.case && !is_stop(next));
    match first.case {
        Case::Title | Case::Upper if goes_on && has_sign => several(view, place),
        Case::Title if goes_on => double(view, place),
        Case::Title if !is_title && !has_sign && is_country(view.text(first)) => None,
        Case::Title => lone(first, is_title, has_sign).then(|| Match::new(PiiKind::Name, place + 1)),
        Case::Lower if first.is_lower_text && (is_title || follows_copula(view, place)) => {
            let is_name = known(first, flags::GIVEN_LONE) && first.chars >= 2 && !first.word.has(flags::NOT_LONE);
            (is_name && view.before(place, 2).is_some_and(|title| title.chars > 1))
                .then(|| Match::new(PiiKind::Name, place + 1))
        }
        Case::Upper if is_title && first.chars >= 2 => {
            let is_name = known(first, flags::GIVEN_LONE) && !first.word.has(flags::NOT_LONE);
            let is_title_long = view.before(place, 2).is_some_and(|title| title.chars > 1);
            (is_name && is_title_long).then(|| Match::new(PiiKind::Name, place + 1))
        }
        _ => None,
    }
}

/// "tên là", "tôi là", and no word after it that a given name could go on with.
fn follows_copula(view: &View<'_>, place: usize) -> bool {
    let is_copula =
        view.before(place, 2).is_some_and(|word| ["là", "la"].contains(&view.text(word)) && word.cue_tokens > 1);
    let next = view.is_space(place + 1).then(|| view.word(place + 2)).flatten();
    is_copula && next.is_none_or(|next| next.has(flags::STOP | flags::BREAK))
}

/// Whether a given name is a country as well: "kỹ sư Mỹ".
fn is_country(name: &str) -> bool {
    ["Mỹ", "Anh", "Pháp", "Đức", "Nga", "Nhật", "Hàn", "Ý", "Thái", "Lào", "Úc", "Áo", "Bỉ"].contains(&name)
}

/// Whether a given name stands for a person on its own.
fn lone(first: &Token, is_title: bool, has_sign: bool) -> bool {
    let flags = if is_title && !first.is_ascii || has_sign { flags::GIVEN } else { flags::GIVEN_LONE };
    first.chars >= 2 && known(first, flags) && !first.word.has_exact(flags::NOT_LONE)
}

/// Two given names after a title: "anh Tuấn Anh".
fn double(view: &View<'_>, place: usize) -> Option<Match> {
    let (first, second) = (view.word(place)?, view.word(place + 2)?);
    let goes_on = view.is_space(place + 3) && view.word(place + 4).is_some_and(|third| third.case == Case::Title);
    let is_given =
        [first, second].iter().all(|word| word.word.has_exact(flags::GIVEN)) && !second.word.has_exact(flags::NOT_LONE);
    let is_title = view.before(place, 2).is_some_and(|title| title.chars > 1);
    let is_name = is_given && is_title && !goes_on && !lexicon::lexicon().is_no_person(&[first.word, second.word]);
    is_name.then(|| Match::new(PiiKind::Name, place + 3))
}

/// Two to four capitalised syllables after a colon, the last a given name.
fn several(view: &View<'_>, place: usize) -> Option<Match> {
    let candidate = Candidate::collect(view, place, true)?;
    let count = candidate.words.len();
    let words: Vec<Word> = candidate.words.iter().map(|token| token.word).collect();
    let is_given = candidate.words.last().is_some_and(|last| known(last, flags::GIVEN));
    let is_name = is_given && candidate.is_delimited && count <= 4 && !lexicon::lexicon().is_no_person(&words);
    let is_whole = view.get(place + count * 2 - 1).is_none_or(|next| next.kind != Kind::Space);
    (is_name && is_whole).then(|| Match::new(PiiKind::Name, place + count * 2 - 1))
}

/// A given name before a surname, both without diacritics: "Minh Nguyen".
pub(super) fn before_surname(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.word(place).filter(|word| word.is_ascii && word.case == Case::Title && !word.is_accented_text)?;
    let last = view.is_space(place + 1).then(|| view.word(place + 2)).flatten()?;
    let goes_on = view.is_space(place + 3) && view.word(place + 4).is_some_and(|word| word.case == Case::Title);
    let is_name = first.word.has(flags::GIVEN)
        && first.chars > 1
        && last.chars >= 4
        && last.word.has(flags::SURNAME)
        && last.is_ascii
        && last.case == Case::Title;
    let is_place = lexicon::lexicon().is_no_person(&[first.word, last.word]);
    (is_name && !is_place && !goes_on && !view.is_glued(place)).then(|| Match::new(PiiKind::Name, place + 3))
}
