//! E-mail addresses.

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::token::Kind;
use crate::pii::view::View;

const MAX_LOCAL_CHARS: usize = 64;
const MAX_LOCAL_TOKENS: usize = 40;
const MAX_LABELS: usize = 8;

/// The address that begins at a word or a number.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    if is_inside(view, place) {
        return None;
    }
    let sign = local(view, place)?;
    if view.get(place).is_some_and(|word| sign == place + 1 && view.text(word).eq_ignore_ascii_case("git")) {
        return None;
    }
    domain(view, sign + 1).map(|end| Match::new(PiiKind::Email, end))
}

/// Whether the token goes on what its neighbour began.
fn is_inside(view: &View<'_>, place: usize) -> bool {
    match view.before(place, 1).map(|token| token.kind) {
        Some(Kind::Word | Kind::Number | Kind::Symbol('_' | '%' | '+')) => true,
        Some(Kind::Symbol('.' | '-')) => {
            matches!(view.before(place, 2).map(|token| token.kind), Some(Kind::Word | Kind::Number))
        }
        _ => false,
    }
}

/// The place of the `@` after a local part.
fn local(view: &View<'_>, place: usize) -> Option<usize> {
    let mut chars = 0;
    for index in place..place + MAX_LOCAL_TOKENS {
        let token = view.get(index)?;
        match token.kind {
            Kind::Symbol('@') => return (index > place).then_some(index),
            Kind::Word | Kind::Number | Kind::Symbol('.' | '_' | '%' | '+' | '-') => chars += usize::from(token.chars),
            _ => return None,
        }
        if chars > MAX_LOCAL_CHARS {
            return None;
        }
    }
    None
}

/// One past a domain with a top-level name.
fn domain(view: &View<'_>, place: usize) -> Option<usize> {
    let mut index = place;
    let mut end = None;
    for label in 0..MAX_LABELS {
        let from = index;
        while matches!(view.kind(index), Some(Kind::Word | Kind::Number | Kind::Symbol('-'))) && index < from + 16 {
            index += 1;
        }
        if index == from {
            break;
        }
        let is_top = view.word(index - 1).is_some_and(|word| word.chars >= 2) && index == from + 1;
        if label > 0 && is_top {
            end = Some(index);
        }
        if !view.is_symbol(index, '.') || !matches!(view.kind(index + 1), Some(Kind::Word | Kind::Number)) {
            break;
        }
        index += 1;
    }
    end
}
