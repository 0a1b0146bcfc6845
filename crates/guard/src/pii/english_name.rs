//! English names: a first name and a surname, or a name after a title.

use crate::pii::PiiKind;
use crate::pii::cue;
use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;

const TITLES: [&str; 12] =
    ["mr", "mrs", "ms", "miss", "dr", "prof", "professor", "mx", "officer", "captain", "judge", "detective"];

/// Words of a name after "my name is".
const MAX_INTRODUCED: usize = 3;

/// The name that begins at a word.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.word(place).filter(|word| word.chars > 1 || view.is_symbol(place + 1, '\''))?;
    let is_capital = matches!(first.case, Case::Title | Case::Upper);
    if view.is_glued(place)
        || is_inside(view, place)
        || !is_capital && !first.word.has(flags::ENGLISH_FIRST | flags::ENGLISH_LAST)
    {
        return None;
    }
    let announced = cue::adjacent(view, place);
    let is_surname = first.word.has(flags::ENGLISH_LAST) && !first.word.has(flags::ENGLISH_COMMON);
    if (is_capital || first.is_lower_text && is_surname) && announced == Cue::Title && has_title(view, place) {
        return titled(view, place);
    }
    if !first.word.has(flags::ENGLISH_FIRST) {
        return last_first(view, place, announced)
            .or_else(|| introduced(view, place))
            .or_else(|| surname_field(view, place));
    }
    pair(view, place, announced).or_else(|| {
        let is_lone = matches!(announced, Cue::Name | Cue::Title)
            && (is_capital && is_greeted(view, place)
                || (is_capital || first.is_lower_text) && !first.word.has(flags::ENGLISH_COMMON));
        let is_followed = view.is_space(place + 1)
            && view.word(place + 2).is_some_and(|word| word.case == Case::Title && first.case == Case::Title);
        (is_lone && !is_followed && !is_vietnamese_word(first)).then(|| Match::new(PiiKind::Name, place + 1))
    })
}

fn is_inside(view: &View<'_>, place: usize) -> bool {
    matches!(view.before(place, 1).map(|token| token.kind), Some(Kind::Symbol('/' | '_' | '@' | '#' | '.' | '\\')))
        && !view.before(place, 2).is_some_and(|token| token.cue == Cue::Title)
}

/// A short Vietnamese word that is a first name elsewhere.
fn is_vietnamese_word(first: &Token) -> bool {
    first.chars <= 3 && first.is_accented_text
}

fn has_title(view: &View<'_>, place: usize) -> bool {
    (1..=3).any(|count| {
        view.before(place, count)
            .filter(|token| token.kind == Kind::Word)
            .filter(|token| {
                token.case != Case::Upper
                    || token.is_upper_text
                    || view.is_symbol(place - 1, '.')
                    || view.is_symbol(place.wrapping_sub(2), '.')
            })
            .is_some_and(|token| TITLES.iter().any(|title| view.text(token).eq_ignore_ascii_case(title)))
    })
}

/// One to three capitalised words after a title.
fn titled(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.word(place)?;
    let mut end = surname_end(view, place)?;
    for _ in 0..2 {
        let next = end + 1;
        if !view.is_space(end) {
            break;
        }
        let Some(word) = view.word(next).filter(|word| word.case == first.case && word.is_ascii && may_follow(word))
        else {
            break;
        };
        if word.chars == 1 && view.is_symbol(next + 1, '.') {
            end = next + 2;
            continue;
        }
        end = surname_end(view, next)?;
    }
    let is_brand = view
        .before(place, 2)
        .filter(|token| token.kind == Kind::Word)
        .or_else(|| view.before(place, 3))
        .is_some_and(|token| lexicon::lexicon().is_no_person(&[token.word, first.word]));
    let is_name = first.word.has(flags::ENGLISH_FIRST | flags::ENGLISH_LAST);
    let is_stop = first.word.has_exact(flags::STOP) || first.case == Case::Upper && !first.is_upper_text && !is_name;
    (!is_brand && !is_stop).then(|| Match::new(PiiKind::Name, end))
}

/// Whether a word goes on a name after a title; where capitals tell nothing, a name that is known.
fn may_follow(word: &Token) -> bool {
    let is_known = word.word.has(flags::ENGLISH_FIRST | flags::ENGLISH_LAST) || word.chars == 1;
    !word.word.has_exact(flags::STOP) && (word.case == Case::Title || is_known && !word.word.has(flags::ENGLISH_MODAL))
}

/// A first name, perhaps an initial or a middle name, and a surname.
fn pair(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place)?;
    let gap = after_hyphen(view, place);
    let surname = is_gap(view, gap).then(|| after_middle(view, first, gap + 1)).flatten()?;
    let has_middle = surname > gap + 1;
    let last = view.word(surname).filter(|word| is_same(first, word))?;
    let end = surname_end(view, surname)?;
    let is_vietnamese = !last.is_ascii && last.case != Case::Lower && last.word.has_exact(flags::SURNAME);
    let is_known = last.word.has(flags::ENGLISH_LAST) || end > surname + 1 || is_vietnamese;
    let commons = [first, last].iter().filter(|token| token.word.has(flags::ENGLISH_COMMON)).count();
    let is_lower = first.case == Case::Lower;
    let is_announced = matches!(announced, Cue::Name | Cue::Title);
    let is_name = match (is_known, is_lower) {
        (true, false) => commons < 2 || has_middle || is_announced,
        (true, true) => {
            let is_modal = last.word.has_exact(flags::ENGLISH_MODAL | flags::STOP);
            first.is_lower_text && !is_modal && !first.word.has(flags::ENGLISH_COMMON)
        }
        (false, true) => false,
        (false, false) => {
            (has_middle || is_announced) && commons == 0 && !last.word.has(flags::STOP | flags::ORGANISATION)
        }
    };
    let middle = view.word(place + 2).map_or(first.word, |word| word.word);
    let lexicon = lexicon::lexicon();
    let is_brand = lexicon.is_no_person(&[first.word, last.word])
        || lexicon.is_no_person(&[first.word, middle, last.word])
        || is_tail(view, end)
        || announced == Cue::Place;
    (is_name && !is_brand).then(|| Match::new(PiiKind::Name, end))
}

/// The place of the surname, after an initial or a middle name if there is one.
fn after_middle(view: &View<'_>, first: &Token, next: usize) -> Option<usize> {
    let is_initial =
        view.word(next).is_some_and(|word| word.chars == 1 && is_same(first, word)) && !view.is_symbol(next + 1, '\'');
    if is_initial {
        let gap = if view.is_symbol(next + 1, '.') { next + 2 } else { next + 1 };
        return is_gap(view, gap).then_some(gap + 1);
    }
    let is_first = |word: &Token| is_same(first, word) && word.word.has(flags::ENGLISH_FIRST);
    let is_last =
        |word: &Token| is_same(first, word) && (word.word.has(flags::ENGLISH_LAST) || view.is_symbol(next + 3, '\''));
    let is_middle = view.word(next).is_some_and(is_first)
        && is_gap(view, next + 1)
        && view.word(next + 2).is_some_and(is_last)
        && !is_tail(view, next + 3);
    Some(if is_middle { next + 2 } else { next })
}

/// "Smith, John" after words that announce a name.
fn last_first(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let last = view.word(place).filter(|word| word.word.has(flags::ENGLISH_LAST))?;
    let is_list = announced == Cue::Name && view.is_symbol(place + 1, ',') && view.is_space(place + 2);
    let first = is_list.then(|| view.word(place + 3)).flatten()?;
    let is_name = is_same(last, first)
        && first.word.has(flags::ENGLISH_FIRST)
        && view.get(place).is_some_and(|token| token.case != Case::Lower);
    is_name.then(|| Match::new(PiiKind::Name, place + 4))
}

/// Whether the word some tokens before a place is one of some.
fn is_before(view: &View<'_>, place: usize, count: usize, words: &[&str]) -> bool {
    view.before(place, count).is_some_and(|token| words.iter().any(|word| view.text(token).eq_ignore_ascii_case(word)))
}

/// Whether a word may be any name.
fn may_be_name(word: &Token) -> bool {
    word.case == Case::Title && word.chars > 1 && !word.word.has_exact(flags::STOP)
}

/// Any capitalised words after "my name is".
fn introduced(view: &View<'_>, place: usize) -> Option<Match> {
    let is_introduced = is_before(view, place, 2, &["is"])
        && is_before(view, place, 4, &["name"])
        && is_before(view, place, 6, &["my", "his", "her", "full"]);
    let is_part = |count: &usize| {
        let word = place + count * 2;
        view.word(word).is_some_and(may_be_name) && (*count == 0 || is_gap(view, word - 1))
    };
    let count = (0..MAX_INTRODUCED).take_while(is_part).count();
    (is_introduced && count > 0).then(|| Match::new(PiiKind::Name, place + count * 2 - 1))
}

/// A capitalised word in quotes, the value of a field for a surname: `"lastName": "Volkov"`.
fn surname_field(view: &View<'_>, place: usize) -> Option<Match> {
    let is_quoted = view.is_symbol(place.checked_sub(1)?, '"') && view.is_symbol(place + 1, '"');
    view.word(place).filter(|word| is_quoted && may_be_name(word))?;
    let name = (2..=6).find(|count| view.before(place, *count).is_some_and(|token| token.kind == Kind::Word))?;
    let is_field = is_before(view, place, name, &["lastname", "surname", "familyname"])
        || is_before(view, place, name, &["name"]) && is_before(view, place, name + 2, &["last", "family"]);
    is_field.then(|| Match::new(PiiKind::Name, place + 1))
}

fn is_gap(view: &View<'_>, index: usize) -> bool {
    view.get(index).is_some_and(|token| token.kind == Kind::Space && token.chars == 1)
}

fn is_same(first: &Token, word: &Token) -> bool {
    match first.case {
        Case::Title => matches!(word.case, Case::Title | Case::Mixed),
        Case::Upper => word.case == Case::Upper || word.chars == 1 && word.case == Case::Title,
        Case::Lower => word.case == Case::Lower,
        Case::Mixed => false,
    }
}

/// One past a first name with a hyphen: Mary-Jane.
fn after_hyphen(view: &View<'_>, place: usize) -> usize {
    if view.is_symbol(place + 1, '-') && view.word(place + 2).is_some() { place + 3 } else { place + 1 }
}

/// One past a surname with an apostrophe or a hyphen: O'Brien, Smith-Jones.
fn surname_end(view: &View<'_>, place: usize) -> Option<usize> {
    let word = view.word(place)?;
    let sign = place + 1;
    let has_apostrophe = word.chars == 1 && view.is_symbol(sign, '\'');
    let has_hyphen = word.chars > 1 && view.is_symbol(sign, '-');
    let goes_on = (has_apostrophe || has_hyphen)
        && view.word(place + 2).is_some_and(|next| next.case != Case::Lower || word.case == Case::Lower);
    Some(if goes_on { place + 3 } else { place + 1 })
}

/// Whether the words after say that it is a street, a company or a place.
fn is_tail(view: &View<'_>, end: usize) -> bool {
    (view.is_space(end) || view.is_symbol(end, '-'))
        && view.word(end + 1).is_some_and(|word| word.case != Case::Lower && word.word.has(flags::ORGANISATION))
}

/// "Dear Mark,": a sign after a name and words that are no part of a sentence.
fn is_greeted(view: &View<'_>, place: usize) -> bool {
    view.is_symbol(place + 1, ',')
        && view.before(place, 2).is_some_and(|word| {
            ["dear", "hi", "hello"].iter().any(|greeting| view.text(word).eq_ignore_ascii_case(greeting))
        })
}
