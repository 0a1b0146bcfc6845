//! How much words look like a name.

use crate::pii::lexicon::flags;
use crate::pii::token::Case;
use crate::pii::vietnamese_name::candidate::{Candidate, is_distinct};

/// The least score of a name, in hundredths.
pub(super) const ACCEPTED: i32 = 50;
/// The scores of surnames.
const STRONG: i32 = 30;
const FAIR: i32 = 25;
const RARE: i32 = 15;
/// What a word of a Vietnamese name is.
const NAME_PARTS: u32 = flags::ANY_SURNAME | flags::MIDDLE | flags::GIVEN;

/// What the words of a name are.
struct Features {
    count: usize,
    surname: i32,
    has_given: bool,
    /// The given name is hardly ever another word.
    has_lone: bool,
    has_middle: bool,
    has_strong: bool,
    /// All words are without diacritics.
    is_plain: bool,
    /// The surname is no English word.
    is_distinct: bool,
    /// A word of it is a word of English.
    is_english: bool,
    /// No word is a name as it is spelt, only with diacritics.
    is_folded: bool,
}

impl Candidate<'_> {
    /// The score of the first words.
    pub(super) fn score(&self, count: usize) -> i32 {
        let Some(features) = self.features(count) else { return 0 };
        if self.is_hmong(count) { ACCEPTED } else { self.score_case(&features, self.score_words(&features)) }
    }

    fn features(&self, count: usize) -> Option<Features> {
        let first = self.words.first()?;
        let words = self.words.get(..count)?;
        let (last, inner) = (words.last()?, words.get(1..count - 1)?);
        let has = |flags: u32| inner.iter().any(|token| self.known(token, flags));
        let is_plain = words.iter().all(|token| token.is_ascii);
        let parts = if self.known(first, flags::SURNAME) { u32::MAX } else { NAME_PARTS };
        Some(Features {
            count,
            surname: match first {
                first if self.known(first, flags::SURNAME) => STRONG,
                first if self.known(first, flags::SURNAME_FAIR) => FAIR,
                _ => RARE,
            },
            has_given: self.known(last, flags::GIVEN),
            has_lone: self.known(last, flags::GIVEN_LONE),
            has_middle: has(flags::MIDDLE),
            has_strong: has(flags::MIDDLE_STRONG),
            is_plain,
            is_distinct: is_distinct(first),
            is_english: is_plain && words.iter().any(|token| token.word.has_exact(flags::ENGLISH_MODAL)),
            is_folded: is_plain && !words.iter().all(|token| token.word.has_exact(parts)),
        })
    }

    /// Giàng A Páo.
    fn is_hmong(&self, count: usize) -> bool {
        let inner = self.words.get(1..count - 1).unwrap_or_default();
        count > 2
            && self.words.first().is_some_and(|first| first.word.has_exact(flags::SURNAME_RARE))
            && inner.iter().all(|token| token.chars == 1)
    }

    fn score_words(&self, features: &Features) -> i32 {
        let mut score = features.surname;
        let mut add = |condition: bool, points: i32| score += if condition { points } else { 0 };
        add(features.has_given || self.has_initial, 25);
        add(features.has_middle, 20);
        add(features.has_strong, 15);
        add(features.count >= 3, 10);
        let is_vague = features.surname < STRONG || features.is_plain && !features.is_distinct;
        add(features.count == 2 && self.has_initial && is_vague, -30);
        let is_heading = features.surname == RARE && features.count > 3 && !features.has_strong;
        add(is_heading && !self.is_announced, -35);
        add(features.is_folded && !features.has_middle && !features.is_distinct, -20);
        score
    }

    /// Small letters, and capitals among capitals, tell less.
    fn score_case(&self, features: &Features, score: i32) -> i32 {
        let Some(first) = self.words.first() else { return 0 };
        let Features { count, surname, has_given, has_strong, is_plain, .. } = *features;
        let is_one_case = first.is_lower_text || first.is_upper_text;
        let is_sure = count == 2 && surname == STRONG && !first.is_ascii && features.has_lone;
        let is_called = count == 2 && self.is_announced && (!is_plain || features.is_distinct) && has_given;
        let is_long = count > 2 && (surname >= FAIR || has_strong);
        let is_whole = self.is_delimited && (has_given || self.has_initial) && (count > 2 || surname == STRONG);
        let is_backed =
            surname == STRONG || has_strong || self.is_announced || first.is_lower_text && features.has_lone;
        match first.case {
            Case::Title if is_plain && surname == RARE && count > 3 && !has_strong && !self.is_announced => 0,
            Case::Title => score,
            _ if is_plain && surname == RARE && !has_strong && !features.has_lone && !self.is_delimited => 0,
            Case::Upper if is_whole || self.is_announced && self.is_delimited => score,
            _ if is_sure && is_one_case => score,
            _ if is_called && is_one_case => score - 30,
            Case::Upper => score - if is_long { 20 } else { 35 },
            _ if !is_backed || features.is_english && !first.is_accented_text => 0,
            _ if !first.is_lower_text && (is_plain || !has_strong || surname < STRONG) => 0,
            _ => score - if is_long { 25 } else { 50 },
        }
    }
}
