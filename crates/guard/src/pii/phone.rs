//! Phone numbers of Vietnam, of the United States, and those with a country code.

use crate::pii::detect::Match;
use crate::pii::run::{Run, Separator};
use crate::pii::token::Kind;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue, lexicon::Cue};

/// Numbers that anybody may call for free.
const TOLL_FREE: [u64; 7] = [800, 833, 844, 855, 866, 877, 888];
const MAX_DIGITS: usize = 15;

/// Whether digits are a phone number that needs no cue.
pub(crate) fn without_cue(run: &Run) -> Option<PiiKind> {
    let is_phone = (is_domestic_mobile(run) && is_grouped(run))
        || (is_landline(run) && run.groups.len() > 1 && is_grouped(run))
        || is_american(run);
    if is_american_ssn(run) {
        return Some(PiiKind::Ssn);
    }
    is_phone.then_some(PiiKind::Phone)
}

/// Whether digits after a cue, with some words between, are a phone number.
pub(crate) fn with_cue(run: &Run, words: usize) -> bool {
    let length = run.digits.len();
    let first = run.digits.first().copied().unwrap_or_default();
    if run.is_amount() || matches!(run.value(0, 4), 1800 | 1900) && length <= 10 {
        return false;
    }
    match length {
        7 | 8 => words <= 1 && first != 0,
        9 => matches!(first, 2 | 3 | 5 | 7 | 8 | 9),
        10 => first == 0 || first > 1,
        11 => first == 0 || first == 1 || run.starts_with(&[8, 4]),
        12 => run.starts_with(&[8, 4]) || first != 0 && words <= 1,
        13..=15 => run.starts_with(&[0, 0]),
        _ => false,
    }
}

/// Zero, or 84, or 0084, and a mobile number of nine digits.
fn is_domestic_mobile(run: &Run) -> bool {
    let national = match run.digits.as_slice() {
        [0, 0, 8, 4, rest @ ..] => rest,
        [8, 4, 0, rest @ ..] if rest.len() == 9 => rest,
        [8, 4, rest @ ..] if rest.len() == 9 => rest,
        [0, rest @ ..] => rest,
        _ => return false,
    };
    is_mobile(national)
}

fn is_mobile(national: &[u8]) -> bool {
    national.len() == 9
        && matches!(
            national,
            [3, 2..=9, ..] | [5, 2 | 5 | 6 | 8 | 9, ..] | [7, 0 | 6..=9, ..] | [8, 1..=9, ..] | [9, ..]
        )
}

fn is_landline(run: &Run) -> bool {
    run.digits.len() == 11 && matches!(run.digits.as_slice(), [0, 2, ..])
}

fn is_grouped(run: &Run) -> bool {
    if run.is_spelled() || run.groups.len() == 1 {
        return true;
    }
    let is_decimal = run.groups.len() == 2 && run.separators.contains(&Separator::Dot);
    let is_even = run.groups.len() == 2 || run.groups.iter().all(|group| *group <= 4);
    run.groups.len() <= 6 && is_even && run.groups.iter().all(|group| *group >= 2) && !is_decimal
}

/// 415-555-2671, 1-415-555-2671, with dashes or dots.
fn is_american(run: &Run) -> bool {
    let is_split = run.separators.iter().all(|separator| *separator != Separator::Space);
    let at = match run.groups.as_slice() {
        [3, 3, 4] => 0,
        [1, 3, 3, 4] if run.digits.first() == Some(&1) => 1,
        _ => return false,
    };
    let is_area = |at: usize| run.digits.get(at).is_some_and(|digit| *digit >= 2);
    is_split && is_area(at) && is_area(at + 3) && !TOLL_FREE.contains(&run.value(at, at + 3))
}

/// 078-05-1120, without the areas, groups and serials that are never given.
fn is_american_ssn(run: &Run) -> bool {
    let area = run.value(0, 3);
    run.groups == [3, 2, 4]
        && run.separators.iter().all(|separator| *separator == Separator::Dash)
        && !matches!(area, 0 | 666 | 900..)
        && run.value(3, 5) != 0
        && run.value(5, 9) != 0
}

/// A number that begins with a plus.
pub(crate) fn plus(view: &View<'_>, place: usize) -> Option<Match> {
    if view.is_glued(place) {
        return None;
    }
    international(view, place + 1)
}

/// A number that begins with a parenthesis: (028) 3822 1234, (+84) 912 345 678, (415) 555-2671.
pub(crate) fn parenthesis(view: &View<'_>, place: usize) -> Option<Match> {
    if view.is_symbol(place + 1, '+') {
        let code = view.number(place + 2)?;
        return (code.chars <= 3 && view.is_symbol(place + 3, ')')).then(|| international(view, place + 2)).flatten();
    }
    let code = view.number(place + 1)?;
    let has_country =
        view.is_symbol(place + 2, '-') && view.number(place + 3).is_some() && view.is_symbol(place + 4, ')');
    if !(2..=5).contains(&code.chars) || !view.is_symbol(place + 2, ')') && !has_country {
        return None;
    }
    let area = view.value(place + 1)?;
    let has_cue = cue::left(view, place).next().is_some_and(|cue| cue.cue == Cue::Phone);
    let is_phone = |digits: &[u8]| {
        let is_american = digits.len() == 10 && code.chars == 3 && area >= 200 && !TOLL_FREE.contains(&u64::from(area));
        let is_vietnamese = digits.first() == Some(&0) && (10..=11).contains(&digits.len())
            || digits.starts_with(&[0, 8, 4]) && digits.len() == 12
            || digits.starts_with(&[8, 4]) && (11..=12).contains(&digits.len());
        is_american || is_vietnamese || has_cue && digits.len() >= 9
    };
    longest(view, place + 1, is_phone)
}

/// A country code and what follows.
fn international(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.number(place)?;
    let is_decimal =
        view.is_symbol(place + 1, '.') && view.number(place + 2).is_some() && !view.is_symbol(place + 3, '.');
    if is_decimal && first.chars > 1 {
        return None;
    }
    longest(view, place, |digits| match digits {
        [0, ..] => false,
        [8, 4, 0, rest @ ..] | [8, 4, rest @ ..] if rest.len() >= 8 => rest.len() <= 10,
        all => all.len() >= 9,
    })
}

/// The longest phone number over spaces, dots, dashes and parentheses.
fn longest(view: &View<'_>, place: usize, is_phone: impl Fn(&[u8]) -> bool) -> Option<Match> {
    let (digits, ends) = digits(view, place);
    let mut ends = ends.into_iter().rev();
    ends.find(|(count, _)| is_phone(digits.get(..*count).unwrap_or_default()))
        .map(|(_, end)| Match::new(PiiKind::Phone, end))
}

/// Digits, and after how many of them a group ends, at which token.
fn digits(view: &View<'_>, place: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut digits, mut ends) = (Vec::new(), Vec::new());
    let (mut index, mut signs) = (place, 0);
    while digits.len() < MAX_DIGITS && signs <= 3 {
        match view.kind(index) {
            Some(Kind::Number) => {
                let Some(token) = view.number(index) else { break };
                let is_word_next = matches!(view.kind(index + 1), Some(Kind::Word));
                if is_word_next || digits.len() + usize::from(token.chars) > MAX_DIGITS {
                    break;
                }
                digits.extend(view.text(token).bytes().map(|byte| byte.wrapping_sub(b'0')));
                ends.push((digits.len(), index + 1));
                signs = 0;
            }
            Some(Kind::Space | Kind::Symbol('.' | '-' | '(' | ')')) => signs += 1,
            _ => break,
        }
        index += 1;
    }
    (digits, ends)
}
