//! Given names without a surname that is known, and before one.

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, Word, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::vietnamese_name::candidate::{Candidate, is_stop, known};
use crate::pii::vietnamese_name::context::{is_inside_title, is_person, score};
use crate::pii::view::View;

/// A name after words that announce one, without a surname that is known: "chị Lan", "Họ tên: Hà My".
pub(super) fn at(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place)?;
    let is_title = announced == Cue::Title;
    let is_english = first.is_ascii && !first.is_accented_text && first.word.has_exact(flags::ENGLISH_MODAL);
    if is_english && first.case != Case::Title && !is_hailed(view, place) {
        return None;
    }
    let is_called = is_title || announced == Cue::Name;
    if !is_called || !first.word.has(flags::GIVEN | flags::MIDDLE | flags::ANY_SURNAME) {
        return None;
    }
    if is_inside_title(view, place) || is_title && is_inside_name(view, place) {
        return None;
    }
    let sign = view.skip_space_back(place).and_then(|before| view.kind(before));
    let has_sign = matches!(sign, Some(Kind::Symbol(':' | ',')));
    let next = view.is_space(place + 1).then(|| view.word(place + 2)).flatten();
    let goes_on = next.is_some_and(|next| next.case == first.case && !is_stop(next));
    match first.case {
        Case::Title if goes_on && has_sign => several(view, place),
        Case::Title if goes_on => double(view, place),
        Case::Title if !is_title && !has_sign && is_country(view.text(first)) => None,
        Case::Title => lone(first, is_title, has_sign).then(|| Match::new(PiiKind::Name, place + 1)),
        Case::Mixed => None,
        Case::Lower | Case::Upper if first.chars < 2 => None,
        Case::Lower if !first.is_lower_text => None,
        Case::Lower | Case::Upper => {
            let is_introduced = is_title || follows_copula(view, place, false);
            let is_long = has_sign || view.before(place, 2).is_some_and(|title| title.chars > 1);
            let pair = (is_title || has_sign || follows_copula(view, place, true)).then(|| pair(view, place)).flatten();
            let is_lone =
                || first.has(flags::GIVEN_LONE) && !first.word.has(flags::NOT_LONE) && !is_common(view, place, first);
            let several = (goes_on && has_sign && first.case == Case::Upper).then(|| several(view, place)).flatten();
            if several.is_some() {
                return several;
            }
            pair.or_else(|| (is_introduced && is_lone()).then_some(place + 1))
                .filter(|_| is_long)
                .map(|end| Match::new(PiiKind::Name, end))
        }
    }
}

/// Whether somebody is called: "anh long ơi".
fn is_hailed(view: &View<'_>, place: usize) -> bool {
    let next = view.is_space(place + 1).then(|| view.word(place + 2)).flatten();
    next.is_some_and(|next| ["ơi", "oi", "ƠI", "OI"].contains(&view.text(next)))
}

/// Whether a letter that may be short for a title is the middle name of the Hmong: "Vừ A Dính".
fn is_inside_name(view: &View<'_>, place: usize) -> bool {
    view.before(place, 2).is_some_and(|title| title.chars == 1 && title.case != Case::Lower)
        && view.is_space(place.wrapping_sub(3))
        && view.before(place, 4).is_some_and(|word| word.kind == Kind::Word && word.case == Case::Title)
}

/// Whether a word is more often another one, and nothing behind it says that it is a name: "cho anh lam quen",
/// "cô giáo bảo cả lớp".
fn is_common(view: &View<'_>, place: usize, first: &Token) -> bool {
    let is_followed = view.is_space(place + 1) && view.word(place + 2).is_some_and(|next| !next.word.has(flags::BREAK));
    let is_plain = first.is_ascii && !first.is_accented_text;
    is_followed && (is_plain && first.word.has(flags::STOP) || first.word.has_exact(flags::VERB))
}

/// Where capitals tell nothing, one past two given names: "chị lan anh", "CÔ HỒNG NHUNG".
fn pair(view: &View<'_>, place: usize) -> Option<usize> {
    let first = view.word(place)?;
    let second = view.is_space(place + 1).then(|| view.word(place + 2)).flatten()?;
    let is_part = |word: &Token, flags: u32| word.case == first.case && word.chars >= 2 && word.has(flags);
    let is_sure = |word: &Token| word.has(flags::GIVEN_LONE);
    let are_names = is_part(first, flags::GIVEN | flags::MIDDLE)
        && is_part(second, flags::GIVEN)
        && (is_sure(first) && !is_stop(second) || is_sure(second))
        && !second.word.has_exact(flags::NOT_LONE);
    let is_plain = first.is_ascii && second.is_ascii && !first.is_accented_text;
    let is_vague = is_plain && (first.word.has(flags::STOP) || second.word.has(flags::STOP));
    let lexicon = lexicon::lexicon();
    let words = [first.word, second.word];
    let is_known = lexicon.is_no_person(&words) || lexicon.is_compound(&words);
    (are_names && !is_vague && !is_known).then_some(place + 3)
}

/// "tên là", "tôi là", and no word after it that a given name, or two, could go on with.
fn follows_copula(view: &View<'_>, place: usize, is_pair: bool) -> bool {
    let is_copula = view.before(place, 2).is_some_and(|word| is_copula_word(view.text(word)) && word.cue_tokens > 1);
    let end = if is_pair { place + 3 } else { place + 1 };
    let next = view.is_space(end).then(|| view.word(end + 1)).flatten();
    let is_name = view.before(place, 2).is_some_and(|word| word.chars == 3);
    let ends = if is_name { flags::BREAK } else { flags::STOP | flags::BREAK };
    is_copula && next.is_none_or(|next| next.has(ends))
}

fn is_copula_word(word: &str) -> bool {
    ["là", "la", "LÀ", "LA", "tên", "ten", "TÊN", "TEN"].contains(&word)
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
    let is_plain = first.is_ascii && second.is_ascii && !first.is_accented_text;
    let goes_on = view.is_space(place + 3) && view.word(place + 4).is_some_and(|third| third.case == Case::Title);
    let is_part = |word: &Token, flags: u32| if is_plain { word.word.has(flags) } else { word.word.has_exact(flags) };
    let is_given = is_part(first, flags::GIVEN | flags::MIDDLE | flags::SURNAME_RARE)
        && is_part(second, flags::GIVEN)
        && (!is_plain || [first, second].iter().any(|word| word.word.has(flags::GIVEN_LONE)))
        && !second.word.has_exact(flags::NOT_LONE);
    let is_title = view.before(place, 2).is_some_and(|title| title.chars > 1);
    let (lexicon, words) = (lexicon::lexicon(), [first.word, second.word]);
    let is_known = lexicon.is_compound(&words) || lexicon.is_no_person(&words) && !is_person(view, place, Cue::Title);
    let is_name = is_given && is_title && !goes_on && !is_known;
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
pub(super) fn before_surname(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place).filter(|word| word.is_ascii && word.case == Case::Title && !word.is_accented_text)?;
    let last = view.is_space(place + 1).then(|| view.word(place + 2)).flatten()?;
    let goes_on = view.is_space(place + 3) && view.word(place + 4).is_some_and(|word| word.case == Case::Title);
    let is_name = first.word.has(flags::GIVEN)
        && first.chars > 1
        && last.chars >= 4
        && last.word.has(flags::SURNAME)
        && last.is_ascii
        && last.case == Case::Title;
    let is_place = lexicon::lexicon().is_no_person(&[first.word, last.word]) || score(view, place, announced) < 0;
    (is_name && !is_place && !goes_on && !view.is_glued(place)).then(|| Match::new(PiiKind::Name, place + 3))
}
