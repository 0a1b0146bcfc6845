//! Postal addresses: a house, a street or a hamlet, and the areas that it lies in.

use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, MAX_TITLE_WORDS, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;
use crate::pii::{PiiKind, cue, english_address};

const MAX_SEGMENTS: usize = 9;
const MAX_PLAIN_WORDS: usize = 8;
/// Segments in a row that name no area for sure.
const MAX_PLAIN_SEGMENTS: usize = 3;

/// What a part of an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    /// A ward, district, city or province.
    Area,
    /// A street, a building, or a name.
    Plain,
}

/// The address that begins at a word.
pub(crate) fn from_word(view: &View<'_>, place: usize) -> Option<Match> {
    let word = view.word(place)?;
    if view.is_glued(place) {
        return None;
    }
    if is_number_word(view, word) {
        let next = view.skip_space(place + 1);
        let is_house = view.word(next).is_some_and(|word| word.chars == 3 && word.has(flags::STREET_PART));
        let number = if is_house { view.skip_space(next + 1) } else { next };
        view.number(number).filter(|number| number.chars <= 5)?;
        return house(view, number, true);
    }
    if word.has(flags::STREET) {
        let before = view.skip_space_back(place).filter(|before| view.has(*before, flags::ADMIN));
        if before.is_some() || known_area(view, place).is_some() && !is_announced(view, place) {
            return None;
        }
        let end = plain(view, place).filter(|end| *end > place + 1)?;
        if word.is_ascii && word.chars <= 2 && view.number(place + 2).is_none() {
            return None;
        }
        return areas(view, end, 1);
    }
    if word.has(flags::STOP | flags::BREAK) && !word.has(flags::ADMIN) || word.cue == Cue::Address {
        return None;
    }
    let may_begin = word.has(flags::ADMIN) || matches!(word.case, Case::Title | Case::Upper);
    if may_begin && view.is_space(place + 1) | view.is_symbol(place + 1, '.') && is_announced(view, place) {
        return areas(view, place, 2);
    }
    None
}

/// The address that begins at a house number.
pub(crate) fn from_number(view: &View<'_>, place: usize) -> Option<Match> {
    let number = view.number(place).filter(|number| number.chars <= 6)?;
    if view.is_glued(place) || is_inside(view, place) {
        return None;
    }
    if let Some(found) = english_address::at(view, place) {
        return Some(found);
    }
    let before = view.skip_space_back(place);
    let is_counted = before.is_some_and(|before| view.has(before, flags::COUNTED)) && !is_announced(view, place);
    if number.chars > 5 || is_counted || view.text(number).starts_with('0') {
        return None;
    }
    house(view, place, false)
}

/// Whether the number goes on another one.
fn is_inside(view: &View<'_>, place: usize) -> bool {
    matches!(view.before(place, 1).map(|token| token.kind), Some(Kind::Symbol('/' | '.' | '-' | ',')))
        && view.before(place, 2).is_some_and(|token| token.kind == Kind::Number)
}

/// Whether the words before say that an address follows.
fn is_announced(view: &View<'_>, place: usize) -> bool {
    cue::left(view, place).next().is_some_and(|cue| cue.cue == Cue::Address && cue.words <= 1)
        || view.get(place).is_some_and(|token| token.column == Cue::Address)
}

fn is_number_word(view: &View<'_>, word: &Token) -> bool {
    let text = view.text(word);
    word.chars <= 3 && ["số", "so", "no"].iter().any(|known| text.to_lowercase() == **known)
}

/// A house number, a street, and areas.
fn house(view: &View<'_>, place: usize, is_announced_number: bool) -> Option<Match> {
    let (mut index, is_split) = house_number(view, place)?;
    if view.is_symbol(index, ',') {
        index += 1;
    }
    let street = view.skip_space(index);
    if street == index {
        return None;
    }
    if view.number(street).is_some() {
        let month = view.word(view.skip_space(street + 1)).map(|word| view.text(word).to_lowercase())?;
        ["tháng", "thang"].contains(&month.as_str()).then_some(())?;
        return areas(view, plain(view, street)?, 1);
    }
    let word = view.word(street)?;
    let is_street = word.has(flags::STREET);
    let is_year = view.value(place).is_some_and(|value| (1900..=2100).contains(&value));
    if is_year && !is_split && !is_street && !is_announced_number && !is_announced(view, place) {
        return None;
    }
    if word.word.has_exact(flags::UNIT) && word.case == Case::Lower && !is_street {
        return None;
    }
    let end = plain(view, street)?;
    areas(view, end, 1)
}

/// 12, 12A, 12/34, 12/34/5B, 12-14: one past it, and whether it has parts.
fn house_number(view: &View<'_>, place: usize) -> Option<(usize, bool)> {
    let mut index = place;
    let mut parts = 0;
    loop {
        view.number(index).filter(|number| number.chars <= 5)?;
        index += 1;
        if view.word(index).is_some_and(|word| word.chars <= 3 && word.is_ascii) {
            index += 1;
        }
        parts += 1;
        let is_joined = view.is_symbol(index, '/') || view.is_symbol(index, '-');
        if !is_joined || view.number(index + 1).is_none() || parts > 4 {
            return Some((index, parts > 1));
        }
        index += 1;
    }
}

/// Areas that follow a street, at least so many; the address ends with the last one.
fn areas(view: &View<'_>, from: usize, least: usize) -> Option<Match> {
    let (mut index, mut end, mut count, mut plain_count) = (from, None, 0, 0);
    for position in 0..MAX_SEGMENTS {
        let is_first = position == 0 && least > 1;
        let next = if is_first { Some(index) } else { after_separator(view, index) };
        let Some((segment, after)) = next.and_then(|next| segment(view, next)) else { break };
        index = after;
        match segment {
            Segment::Area => {
                count += 1;
                plain_count = 0;
                end = Some(after);
            }
            Segment::Plain => plain_count += 1,
        }
        if plain_count >= MAX_PLAIN_SEGMENTS {
            break;
        }
    }
    (count >= least).then_some(end).flatten().map(|end| Match::new(PiiKind::Address, end))
}

/// One past what joins two segments; an area may follow without a sign.
fn after_separator(view: &View<'_>, index: usize) -> Option<usize> {
    let sign = view.skip_space(index);
    match view.kind(sign)? {
        Kind::Symbol(',' | '-' | ';' | '(') => Some(view.skip_space(sign + 1)),
        Kind::Symbol('.') if sign == index && view.is_space(sign + 1) => {
            let next = sign + 2;
            area(view, next).map(|_| next)
        }
        Kind::Word if sign > index => is_new_area(view, sign).then_some(sign),
        _ => None,
    }
}

fn segment(view: &View<'_>, index: usize) -> Option<(Segment, usize)> {
    match area(view, index) {
        Some(end) => Some((Segment::Area, end)),
        None => plain(view, index).map(|end| (Segment::Plain, end)),
    }
}

/// Whether an area begins without a sign before it; one word, or a part of a longer name, could go on the name before.
fn is_new_area(view: &View<'_>, index: usize) -> bool {
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
    next.is_some_and(|next| next.case == Case::Title && !next.has(flags::ADMIN) && known_area(view, end + 1).is_none())
}

/// One past a ward, district, city or province.
fn area(view: &View<'_>, index: usize) -> Option<usize> {
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
fn known_area(view: &View<'_>, index: usize) -> Option<usize> {
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

/// One past words that look like a name; lower case only in a text without capitals.
fn names(view: &View<'_>, index: usize, most: usize) -> Option<usize> {
    let mut end = None;
    let mut next = index;
    for count in 0..most {
        let Some(word) = view.word(next) else { break };
        let is_lower = word.case == Case::Lower;
        let is_name = (!is_lower || word.is_lower_text) && (word.case == Case::Title || !word.has(flags::BREAK));
        if !is_name || count > 0 && (word.has(flags::ADMIN) && word.chars > 1 && area(view, next).is_some()) {
            break;
        }
        end = Some(next + 1);
        if !view.is_space(next + 1) {
            break;
        }
        next += 2;
    }
    end
}

/// One past a street, a building or a name without a sign in it.
fn plain(view: &View<'_>, index: usize) -> Option<usize> {
    let mut end = None;
    let mut next = index;
    for count in 0..MAX_PLAIN_WORDS {
        let Some(token) = view.get(next) else { break };
        let is_part = match token.kind {
            Kind::Number => token.chars <= 5 && !view.text(token).starts_with('0'),
            Kind::Word if token.case == Case::Lower => {
                token.has(flags::STREET)
                    || count > 0 && token.has(flags::STREET_PART)
                    || is_number_word(view, token)
                    || token.is_lower_text && !token.has(flags::BREAK)
            }
            Kind::Word => token.case == Case::Title || !token.has(flags::BREAK),
            _ => false,
        };
        if !is_part || count > 0 && token.kind == Kind::Word && is_new_area(view, next) {
            break;
        }
        next += 1;
        while view.is_symbol(next, '/') | view.is_symbol(next, '.') | view.is_symbol(next, '-')
            && matches!(view.kind(next + 1), Some(Kind::Number | Kind::Word))
            && next < index + 24
        {
            next += 2;
        }
        if token.kind == Kind::Number && view.word(next).is_some_and(|letter| letter.chars == 1)
            || token.kind == Kind::Word && view.number(next).is_some_and(|number| number.chars <= 4)
        {
            next += 1;
        }
        end = Some(next);
        if !view.is_space(next) {
            break;
        }
        next += 1;
    }
    end
}
