//! Wards, districts, cities and provinces.

use crate::pii::address::segments::names;
use crate::pii::lexicon::{self, MAX_TITLE_WORDS, flags};
use crate::pii::token::{Case, Kind};
use crate::pii::view::View;

/// Whether an area begins without a sign before it; one word, or a part of a longer name, could go on the name before.
pub(super) fn is_new_area(view: &View<'_>, index: usize) -> bool {
    let Some(end) = area(view, index).filter(|end| *end > index + 1) else { return false };
    if view.has(index, flags::ADMIN) {
        return true;
    }
    let words: Vec<_> =
        (0..MAX_TITLE_WORDS).map_while(|count| view.word(index + count * 2).map(|word| word.word)).collect();
    let shorter = (end - index).div_ceil(2);
    let is_part = (shorter + 1..=words.len())
        .any(|count| words.get(..count).is_some_and(|words| lexicon::lexicon().is_no_person(words)));
    !goes_on(view, end) && !is_part
}

/// Whether a capitalised word goes on a name.
fn goes_on(view: &View<'_>, end: usize) -> bool {
    let next = view.is_space(end).then(|| view.word(end + 1)).flatten();
    next.is_some_and(|next| {
        matches!(next.case, Case::Title | Case::Upper) && !next.has(flags::ADMIN) && known_area(view, end + 1).is_none()
    })
}

/// One past a ward, district, city or province.
pub(super) fn area(view: &View<'_>, index: usize) -> Option<usize> {
    if let Some(end) = known_area(view, index).filter(|end| !goes_on(view, *end)) {
        return Some(with_number(view, end));
    }
    let head = view.word(index).filter(|word| word.has(flags::ADMIN))?;
    let text = view.text(head).to_lowercase();
    let mut name = index + 1;
    match text.as_str() {
        "thành" | "thanh" | "thị" | "thi" => {
            let second = view.word(view.skip_space(name)).map(|word| view.text(word).to_lowercase())?;
            ["phố", "pho", "xã", "xa", "trấn", "tran"].contains(&second.as_str()).then_some(())?;
            name = view.skip_space(name) + 1;
        }
        "tphcm" | "tphn" => return Some(name),
        _ => {}
    }
    let is_dotted = view.is_symbol(name, '.');
    name = if is_dotted { view.skip_space(name + 1) } else { view.skip_space(name) };
    if view.number(name).is_some_and(|number| number.chars <= 3) {
        return Some(name + 1);
    }
    let is_letter = head.chars <= 2 && text != "xã" && text != "xa";
    if is_letter && !is_dotted && (head.case == Case::Lower || name == index + 1) {
        return None;
    }
    let is_lower = view.word(name).is_some_and(|word| word.case == Case::Lower);
    let named = names(view, name, 4);
    let is_whole = named.is_some_and(|end| !view.is_space(end) || view.word(end + 1).is_none());
    let short = || named.map(|end| end.min(name + 3));
    let end =
        if is_lower && !is_whole { known_area(view, name).or_else(short) } else { known_area(view, name).max(named) }?;
    Some(with_number(view, end))
}

/// One past a number that belongs to an area: Hải Châu 1.
fn with_number(view: &View<'_>, end: usize) -> usize {
    let is_number = view.is_space(end) && view.number(end + 1).is_some_and(|number| number.chars <= 2);
    let is_last = is_number
        && match view.kind(end + 2) {
            Some(Kind::Space) => view.is_symbol(end + 3, '-'),
            Some(Kind::Symbol('.')) => view.number(end + 3).is_none(),
            Some(Kind::Symbol(sign)) => matches!(sign, ',' | ';' | ')' | '|' | '"'),
            None | Some(Kind::Newline) => true,
            _ => false,
        };
    if is_last { end + 2 } else { end }
}

/// One past the longest area that is known by its name.
pub(super) fn known_area(view: &View<'_>, index: usize) -> Option<usize> {
    let first = view.word(index)?;
    let mut words = [first.word; MAX_TITLE_WORDS];
    let mut ends = [index + 1; MAX_TITLE_WORDS];
    let mut count = 1;
    let mut next = index + 1;
    while count < MAX_TITLE_WORDS {
        let gap = match view.kind(next) {
            Some(Kind::Symbol('.')) => view.skip_space(next + 1),
            Some(Kind::Space) => next + 1,
            _ => break,
        };
        let Some(word) = view.word(gap) else { break };
        if let (Some(place), Some(end)) = (words.get_mut(count), ends.get_mut(count)) {
            *place = word.word;
            *end = gap + 1;
        }
        count += 1;
        next = gap + 1;
    }
    let lexicon = lexicon::lexicon();
    let is_small = |count: usize| count == 1 && first.case == Case::Lower && first.chars <= 2 && !first.is_lower_text;
    (1..=count)
        .rev()
        .find(|count| !is_small(*count) && words.get(..*count).is_some_and(|words| lexicon.is_area(words)))
        .and_then(|count| ends.get(count - 1).copied())
}
