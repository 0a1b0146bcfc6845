//! The parts of an address after its street.

use crate::pii::PiiKind;
use crate::pii::address::area::{area, is_new_area};
use crate::pii::address::is_number_word;
use crate::pii::detect::Match;
use crate::pii::lexicon::flags;
use crate::pii::token::{Case, Kind};
use crate::pii::view::View;

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

/// Areas that follow a street, at least so many; the address ends with the last one.
pub(super) fn areas(view: &View<'_>, from: usize, least: usize) -> Option<Match> {
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

/// One past words that look like a name; lower case only in a text without capitals.
pub(super) fn names(view: &View<'_>, index: usize, most: usize) -> Option<usize> {
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
pub(super) fn plain(view: &View<'_>, index: usize) -> Option<usize> {
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
            // The number of a building may have two parts.
            let is_sign = view.is_symbol(next, '.') || view.is_symbol(next, '-');
            next += if is_sign && view.number(next + 1).is_some_and(|number| number.chars <= 4) { 2 } else { 0 };
        }
        end = Some(next);
        if !view.is_space(next) {
            break;
        }
        next += 1;
    }
    end
}
