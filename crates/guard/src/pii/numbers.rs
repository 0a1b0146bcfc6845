//! Numbers that consist of digits only: which document, account or phone they are.

use crate::pii::detect::Match;
use crate::pii::lexicon::{Cue, flags};
use crate::pii::run::{MAX_DIGITS, Run, Separator};
use crate::pii::token::Kind;
use crate::pii::view::View;
use crate::pii::{PiiKind, card, cue, phone, vietnamese_id};

/// Shorter numbers are nobody's.
const MIN_DIGITS: usize = 6;
/// Words that may stand between a negative cue and its number.
const MAX_NEGATIVE_WORDS: usize = 2;

/// What is known of the place of a number.
struct Place<'a, 'v> {
    view: &'a View<'v>,
    cues: Vec<cue::LeftCue>,
    column: Cue,
    is_decimal_left: bool,
}

/// The number that begins at a group of digits.
pub(crate) fn at(view: &View<'_>, start: usize) -> Option<Match> {
    if !may_begin(view, start) {
        return None;
    }
    let mut run = Run::collect(view, start);
    let place = Place {
        view,
        cues: cue::left(view, start).collect(),
        column: view.get(start)?.column,
        is_decimal_left: is_joined_left(view, start),
    };
    if place.is_decimal_left || is_priced(view, start) {
        return None;
    }
    (1..=run.groups.len()).rev().find_map(|count| {
        let is_whole = run.separators.get(count - 1).is_none_or(|separator| *separator == Separator::Space);
        run.truncate(count);
        let length = run.digits.len();
        if !is_whole || !(MIN_DIGITS..=MAX_DIGITS).contains(&length) {
            return None;
        }
        let kind = may_end_at(view, &run).then(|| place.classify(&run)).flatten()?;
        Some(Match::new(kind, run.end()))
    })
}

/// Whether a number may begin at a group: no letters stand before it, but those of a cue.
fn may_begin(view: &View<'_>, start: usize) -> bool {
    match view.before(start, 1).map(|token| (token.kind, token.cue)) {
        Some((Kind::Word, cue)) => {
            !matches!(cue, Cue::None | Cue::Name | Cue::Title | Cue::Place | Cue::Plain | Cue::Negative)
        }
        Some((Kind::Number, _)) => false,
        _ => true,
    }
}

/// Whether the group continues a number on its left.
fn is_joined_left(view: &View<'_>, start: usize) -> bool {
    let Some(Kind::Symbol(symbol)) = view.before(start, 1).map(|token| token.kind) else { return false };
    match symbol {
        '.' | ',' | '-' | ':' => {
            view.before(start, 2).is_some_and(|token| token.kind == Kind::Number && !is_list(view, start))
        }
        '/' => view.before(start, 2).is_some_and(|token| token.kind == Kind::Number && token.chars < 9),
        _ => false,
    }
}

/// Whether the digits before the sign are a whole number of their own: a list of numbers without spaces.
fn is_list(view: &View<'_>, start: usize) -> bool {
    view.before(start, 1).is_some_and(|token| matches!(token.kind, Kind::Symbol(',' | ':')))
        && view.get(start).is_some_and(|token| token.chars >= 9)
}

/// Whether the sign of a currency stands before a number.
fn is_priced(view: &View<'_>, start: usize) -> bool {
    matches!(view.before(start, 1).map(|token| token.kind), Some(Kind::Symbol('$' | '€' | '£' | '₫' | '¥')))
}

/// Whether a number may end where a run ends: no letters, no further digits.
fn may_end_at(view: &View<'_>, run: &Run) -> bool {
    let end = run.end();
    match view.kind(end) {
        Some(Kind::Word | Kind::Number) => false,
        Some(Kind::Symbol('%' | '$' | '€' | '₫')) => false,
        Some(Kind::Symbol(',')) if run.digits.len() >= 9 && run.groups.len() == 1 => true,
        Some(Kind::Symbol('.' | ',' | ':')) => view.number(end + 1).is_none_or(|token| token.chars >= 9),
        Some(Kind::Symbol('/')) => {
            view.number(end + 1).is_none_or(|_| run.digits.len() >= 9) && !is_glued_word(view, end)
        }
        Some(Kind::Space) => !view.word(end + 1).is_some_and(|word| word.word.has_exact(flags::UNIT)),
        _ => true,
    }
}

/// Whether the sign of a document follows: 123456789/QĐ-…
fn is_glued_word(view: &View<'_>, end: usize) -> bool {
    view.word(end + 1).is_some_and(|word| word.chars <= 4 && view.is_symbol(end + 2, '-'))
}

impl Place<'_, '_> {
    fn classify(&self, run: &Run) -> Option<PiiKind> {
        let length = run.digits.len();
        if run.is_date() {
            return None;
        }
        let nearest = self.cues.first().map_or(Cue::None, |cue| cue.cue);
        if card::is_card(run) && nearest != Cue::Bank && !self.is_negative() {
            return Some(PiiKind::Card);
        }
        if let Some(kind) = self.by_cue(run) {
            return Some(kind);
        }
        if self.is_negative() {
            return None;
        }
        if let Some(kind) = self.by_column(run) {
            return Some(kind);
        }
        if vietnamese_id::is_cccd(run) {
            return Some(PiiKind::Cccd);
        }
        if let Some(kind) = (length >= 8).then(|| by(cue::right(self.view, run.end()), run, 0, 0)).flatten() {
            return Some(kind);
        }
        phone::without_cue(run)
    }

    /// Whether the nearest cue says that the number is nobody's.
    fn is_negative(&self) -> bool {
        match self.cues.first() {
            Some(cue) if cue.cue == Cue::Negative => cue.words <= MAX_NEGATIVE_WORDS && cue.numbers == 0,
            Some(cue) if cue.words == 0 => false,
            _ => self.column == Cue::Negative,
        }
    }

    fn by_cue(&self, run: &Run) -> Option<PiiKind> {
        for (index, cue) in self.cues.iter().enumerate() {
            if cue.cue == Cue::Negative || (index > 0 && cue.numbers > 0) {
                return None;
            }
            let is_either = cue.cue == Cue::Passport
                && self.cues.get(index + 1).is_some_and(|next| next.cue == Cue::Id && next.words <= cue.words + 2);
            let cue_here = if is_either { Cue::Id } else { cue.cue };
            if let Some(kind) = by(cue_here, run, cue.words, cue.numbers) {
                return Some(kind);
            }
        }
        None
    }

    fn by_column(&self, run: &Run) -> Option<PiiKind> {
        by(self.column, run, 0, 0)
    }
}

/// What a number is, given its cue and the words and numbers between.
fn by(cue: Cue, run: &Run, words: usize, numbers: usize) -> Option<PiiKind> {
    let length = run.digits.len();
    let is_near = words <= 4 && numbers == 0;
    match (cue, length) {
        (Cue::Id, 9) => Some(PiiKind::Cmnd),
        (Cue::Id | Cue::Tax, 12) => Some(PiiKind::Cccd),
        (Cue::Tax, 10 | 13) => Some(PiiKind::Tax),
        (Cue::Bhxh, 10) => Some(PiiKind::Bhxh),
        (Cue::Bhyt, 10 | 15) => Some(PiiKind::Bhyt),
        (Cue::Passport, 8 | 9) if is_near => Some(PiiKind::Passport),
        (Cue::License, 12) => Some(PiiKind::License),
        (Cue::License, 7..=9) if is_near => Some(PiiKind::License),
        (Cue::Phone, _) => phone::with_cue(run, words).then_some(PiiKind::Phone),
        (Cue::Bank, _) if is_near && !run.is_amount() => Some(PiiKind::Bank),
        (Cue::Card, 15..=19) if is_near => Some(PiiKind::Card),
        (Cue::Ssn, 9) => Some(PiiKind::Ssn),
        _ => None,
    }
}
