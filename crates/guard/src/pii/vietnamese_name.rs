//! Names of Vietnamese: a surname, middle names and a given name, without a model.

use crate::pii::PiiKind;
use crate::pii::cue;
use crate::pii::detect::Match;
use crate::pii::lexicon::{self, Cue, Word, flags};
use crate::pii::token::{Case, Kind, Token};
use crate::pii::view::View;

/// The longest name, in syllables.
const MAX_SYLLABLES: usize = 5;
const ACCEPTED: i32 = 50;

/// The words of a name that may begin at a place.
struct Candidate<'a> {
    words: Vec<&'a Token>,
    /// Signs around it tell where it ends: capitals between small letters.
    is_delimited: bool,
    /// Its last word is one letter.
    has_initial: bool,
    /// A sign or the end of a line follows its last word.
    is_closed: bool,
    /// Words before it announce a name: words without diacritics may stand for any spelling.
    is_announced: bool,
}

/// The name that begins at a word.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let first = view.word(place)?;
    if !may_begin(view, place) {
        return None;
    }
    let announced = cue::adjacent(view, place);
    let is_plain =
        matches!(announced, Cue::Name | Cue::Title) && view.word(place + 2).is_some_and(|next| next.is_ascii);
    let is_capitals = first.case == Case::Upper && !first.is_upper_text;
    let is_spelt = first.is_accented_text && first.case != Case::Title && !is_plain && !is_capitals;
    let is_surname =
        if is_spelt { first.word.has_exact(flags::ANY_SURNAME) } else { first.word.has(flags::ANY_SURNAME) };
    if is_surname && let Some(found) = full(view, place, announced) {
        return Some(found);
    }
    announced_name(view, place, announced).or_else(|| western(view, place))
}

/// A given name before a surname, both without diacritics: "Minh Nguyen".
fn western(view: &View<'_>, place: usize) -> Option<Match> {
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

fn may_begin(view: &View<'_>, place: usize) -> bool {
    let is_cue = view.word(place).is_some_and(|word| {
        let is_known = word.cue_tokens == 1 && word.word.has(flags::SURNAME | flags::SURNAME_FAIR);
        let is_before_surname = !word.word.has_exact(flags::ANY_SURNAME)
            && view.is_space(place + 1)
            && view.word(place + 2).is_some_and(|next| next.word.has(flags::SURNAME) && next.case == word.case);
        matches!(word.cue, Cue::Title | Cue::Place | Cue::Name | Cue::Address) && (!is_known || is_before_surname)
            || word.cue == Cue::Plain && word.cue_tokens > 1
    });
    if is_cue {
        return false;
    }
    match view.before(place, 1).map(|token| token.kind) {
        Some(Kind::Word | Kind::Number) => false,
        Some(Kind::Symbol('/' | '_' | '-' | '@')) => view.get(place).is_some_and(|token| token.case != Case::Lower),
        _ => true,
    }
}

/// A surname and what follows.
fn full(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let candidate = Candidate::collect(view, place, matches!(announced, Cue::Name | Cue::Title))?;
    let lexicon = lexicon::lexicon();
    let count = candidate.count()?;
    let words: Vec<Word> = candidate.words.iter().take(count).map(|token| token.word).collect();
    let is_form = announced == Cue::Name;
    let is_known = (3..=words.len()).any(|count| words.get(..count).is_some_and(|words| lexicon.is_no_person(words)));
    let is_word_before = candidate.words.get(2).is_some_and(|third| third.word.has_exact(flags::SURNAME))
        && words.get(..2).is_some_and(|words| lexicon.is_no_person(words));
    if is_word_before {
        return None;
    }
    // Where capitals tell nothing, the words that follow a known name are no part of it.
    let is_prefix = candidate.words.first().is_some_and(|first| first.case != Case::Title)
        && words.get(..2).is_some_and(|words| lexicon.is_no_person(words));
    let is_suffix = words.get(1..).is_some_and(|rest| rest.len() > 1 && lexicon.is_no_person(rest))
        && candidate.words.first().is_some_and(|first| first.cue != Cue::None);
    let is_whole = lexicon.is_no_person(&words) || is_known || is_prefix || is_suffix;
    let is_addressed = announced == Cue::Title
        && view.before(place, 2).is_some_and(|title| !title.is_folded_cue && !title.word.has_exact(flags::OLD_TITLE));
    if is_whole && !is_form && !is_addressed || is_organisation(view, place + count * 2) {
        return None;
    }
    let score = candidate.score(count) + context(view, place, announced);
    (score >= ACCEPTED && !is_inside_title(view, place)).then(|| Match::new(PiiKind::Name, end(view, place, count)))
}

/// One past the last word of a name.
fn end(_: &View<'_>, place: usize, count: usize) -> usize {
    place + count * 2 - 1
}

/// What the words before a name add to its score.
fn context(view: &View<'_>, place: usize, announced: Cue) -> i32 {
    match announced {
        Cue::Name | Cue::Title => 35,
        Cue::Place => -70,
        _ if is_place(view, place) => -70,
        _ => 0,
    }
}

/// Whether a street, a school or a company is called by what follows: "trường THPT …", "công ty Cổ phần …".
fn is_place(view: &View<'_>, place: usize) -> bool {
    let mut index = place;
    for _ in 0..4 {
        let Some(before) = index.checked_sub(2).filter(|_| view.is_space(index.wrapping_sub(1))) else { return false };
        let Some(word) = view.word(before) else { return false };
        match view.get(place).map_or(word.cue, |first| word.cue_for(first)) {
            Cue::Place => return true,
            Cue::Name | Cue::Title => return false,
            _ if word.case == Case::Lower => return false,
            _ => index = before,
        }
    }
    false
}

/// Whether the words before and these together are the name of a place or a person of history.
fn is_inside_title(view: &View<'_>, place: usize) -> bool {
    let mut from = place;
    for _ in 0..3 {
        let is_joined = view.is_space(from.wrapping_sub(1));
        let case = view.word(place).map(|word| word.case);
        let Some(before) = from
            .checked_sub(2)
            .filter(|before| is_joined && view.word(*before).is_some_and(|word| Some(word.case) == case))
        else {
            break;
        };
        from = before;
        let words: Vec<Word> = (0..lexicon::MAX_TITLE_WORDS)
            .map_while(|count| view.word(from + count * 2).map(|token| token.word))
            .collect();
        let first = (place - from) / 2 + 1;
        let mut counts = first..=words.len();
        if counts.any(|count| words.get(..count).is_some_and(|words| lexicon::lexicon().is_no_person(words))) {
            return true;
        }
    }
    false
}

/// Whether the words after say that it is no person: "… Street", "… Group".
fn is_organisation(view: &View<'_>, next: usize) -> bool {
    view.word(next).is_some_and(|word| word.case != Case::Lower && word.word.has(flags::ORGANISATION) && word.is_ascii)
        && view.is_space(next - 1)
}

impl<'a> Candidate<'a> {
    fn collect(view: &View<'a>, place: usize, is_announced: bool) -> Option<Self> {
        let first = view.word(place)?;
        let mut words = vec![first];
        let mut has_initial = false;
        let (mut is_open, mut is_closed) = (false, true);
        let mut index = place;
        while words.len() < MAX_SYLLABLES + 1 && !has_initial {
            let is_space =
                view.get(index + 1).is_some_and(|token| token.kind == Kind::Space && token.chars <= 2 && !token.is_tab);
            let Some(word) = is_space.then(|| view.word(index + 2)).flatten() else { break };
            is_closed = false;
            if !fits(first, word, words.len()) || view.number(index + 3).is_some() {
                is_open = word.case == first.case && first.case != Case::Title;
                break;
            }
            if is_stop(word) || begins_phrase(view, index + 2) {
                is_open = true;
                break;
            }
            has_initial = word.chars == 1 && !is_vowel_name(first, word) && !is_hmong(view, first, word, index + 4);
            if !has_initial && !is_syllable(view, word) {
                is_open = true;
                break;
            }
            words.push(word);
            is_closed = true;
            index += 2;
        }
        if words.len() > MAX_SYLLABLES {
            words.pop();
            is_open = true;
        }
        let is_delimited = match first.case {
            Case::Title => !is_open || words.len() <= 4,
            Case::Upper => !is_open && !first.is_upper_text,
            _ => false,
        };
        (words.len() > 1).then_some(Self { words, is_delimited, has_initial, is_closed, is_announced })
    }

    /// How many words the name has.
    fn count(&self) -> Option<usize> {
        if self.has_initial || self.is_delimited {
            return Some(self.words.len());
        }
        let has = |index: usize, flags: u32| self.words.get(index).is_some_and(|token| self.known(token, flags));
        let is_inner = |count: usize| (1..count - 1).all(|index| has(index, flags::MIDDLE));
        let may_end = |count: usize| count <= self.words.len() && is_inner(count) && has(count - 1, flags::GIVEN);
        let all = self.words.len();
        if self.is_closed && may_end(all) {
            return Some(all);
        }
        if may_end(4) && (has(3, flags::GIVEN_LONE) || has(1, flags::MIDDLE_STRONG) || !may_end(3)) {
            return Some(4);
        }
        [3, 5, 2].into_iter().find(|count| may_end(*count))
    }

    /// Whether a word has a flag; small letters in a text with diacritics only as they are spelt.
    fn known(&self, token: &Token, flags: u32) -> bool {
        if self.is_announced { token.word.has(flags) } else { known(token, flags) }
    }

    fn score(&self, count: usize) -> i32 {
        let Some(first) = self.words.first() else { return 0 };
        let inner = self.words.get(1..count - 1).unwrap_or_default();
        let is_hmong =
            count > 2 && first.word.has_exact(flags::SURNAME_RARE) && inner.iter().all(|token| token.chars == 1);
        if is_hmong {
            return ACCEPTED;
        }
        let has_middle = inner.iter().any(|token| self.known(token, flags::MIDDLE));
        let has_strong = inner.iter().any(|token| self.known(token, flags::MIDDLE_STRONG));
        let has_given = self.words.get(count - 1).is_some_and(|token| self.known(token, flags::GIVEN));
        let surname = match first {
            first if self.known(first, flags::SURNAME) => 30,
            first if self.known(first, flags::SURNAME_FAIR) => 25,
            _ => 15,
        };
        let mut score = surname;
        score += if has_given || self.has_initial { 25 } else { 0 };
        score += if has_middle { 20 } else { 0 };
        score += if has_strong { 15 } else { 0 };
        score += if count >= 3 { 10 } else { 0 };
        if count == 2 && self.has_initial && (surname < 30 || first.is_ascii && !is_distinct(first)) {
            score -= 30;
        }
        if surname == 15 && count > 3 && !has_strong && !self.is_announced {
            score -= 35;
        }
        let is_plain = self.words.iter().take(count).all(|token| token.is_ascii);
        let is_folded = is_plain && !self.words.iter().take(count).all(|token| token.word.has_exact(u32::MAX));
        if is_folded && !has_middle && !is_distinct(first) {
            score -= 20;
        }
        let is_weak = surname < 25 && !has_strong;
        let has_lone = self.words.get(count - 1).is_some_and(|token| self.known(token, flags::GIVEN_LONE));
        let is_sure = count == 2 && surname == 30 && !first.is_ascii && has_lone;
        let is_called = count == 2
            && self.is_announced
            && (!is_plain || is_distinct(first))
            && (first.is_lower_text || first.is_upper_text);
        match first.case {
            Case::Title => score,
            Case::Upper if self.is_announced && self.is_delimited => score,
            Case::Upper if self.is_delimited && (has_given || self.has_initial) && (count > 2 || surname == 30) => {
                score
            }
            Case::Upper | Case::Lower if is_sure && (first.is_lower_text || first.is_upper_text) => score,
            Case::Upper | Case::Lower if is_called && has_given => score - 30,
            Case::Upper => score - if count > 2 && !is_weak { 20 } else { 35 },
            Case::Lower if surname < 30 && !has_strong && !self.is_announced && !(first.is_lower_text && has_lone) => 0,
            _ if !first.is_lower_text && (is_plain || !has_strong || surname < 30) => 0,
            _ => score - if count > 2 && !is_weak { 25 } else { 50 },
        }
    }
}

/// Whether a word has a flag; in a text with diacritics, only as it is spelt.
fn known(token: &Token, flags: u32) -> bool {
    if token.is_accented_text && token.case == Case::Lower {
        token.word.has_exact(flags)
    } else {
        token.word.has(flags)
    }
}

/// Whether a word may go on a name that begins with another.
fn fits(first: &Token, word: &Token, position: usize) -> bool {
    match first.case {
        Case::Title if word.case == Case::Lower => position == 1 && word.word.has_exact(flags::MIDDLE_STRONG),
        Case::Title => word.case == Case::Title,
        Case::Upper => word.case == Case::Upper || word.chars == 1 && word.case == Case::Title,
        Case::Lower => word.case == Case::Lower,
        Case::Mixed => false,
    }
}

/// Whether a word and the next one say what follows: "Sinh ngày", "Liên hệ".
fn begins_phrase(view: &View<'_>, index: usize) -> bool {
    view.is_space(index + 1)
        && view
            .word(index + 2)
            .is_some_and(|next| next.cue != Cue::None && next.cue_tokens == 3 && next.cue != Cue::Plain)
}

/// Whether a word is never part of a name; a text without diacritics has the benefit of the doubt.
fn is_stop(word: &Token) -> bool {
    let is_name = word.word.has(flags::GIVEN | flags::MIDDLE);
    let is_capital = word.case == Case::Title || word.case == Case::Upper && !word.is_upper_text;
    if word.is_ascii && !word.is_accented_text {
        word.word.has(flags::STOP) && !is_name
    } else {
        word.word.has_exact(flags::STOP) && !(is_capital && word.word.has_exact(flags::GIVEN))
    }
}

/// The middle name of the Hmong: Giàng A Páo.
fn is_hmong(view: &View<'_>, first: &Token, word: &Token, next: usize) -> bool {
    let is_middle = word.is_ascii
        && view.is_space(next - 1)
        && view.word(next).is_some_and(|last| last.case == first.case && last.chars > 1);
    is_middle && first.word.has_exact(flags::SURNAME_RARE)
}

/// A given name of one vowel, which is no initial: Lê Ý, Trần Thị Á.
fn is_vowel_name(first: &Token, word: &Token) -> bool {
    !word.is_ascii && first.case != Case::Mixed && !word.word.has_exact(flags::INITIAL)
}

/// Whether a word is a syllable of Vietnamese.
fn is_syllable(view: &View<'_>, word: &Token) -> bool {
    if word.word.has(flags::GIVEN | flags::MIDDLE | flags::ANY_SURNAME) {
        return true;
    }
    let folded: String = view.text(word).chars().map(crate::pii::normal::lower).map(crate::pii::normal::fold).collect();
    crate::pii::syllable::is_syllable(&folded)
}

/// A surname that is no English word, when it stands without diacritics.
fn is_distinct(first: &Token) -> bool {
    first.chars >= 4 && first.word.has(flags::SURNAME | flags::DISTINCT)
}

/// A name after words that announce one, without a surname that is known: "chị Lan", "Họ tên: Hà My".
fn announced_name(view: &View<'_>, place: usize, announced: Cue) -> Option<Match> {
    let first = view.word(place)?;
    let is_title = announced == Cue::Title;
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
        Case::Title if goes_on && is_title => double(view, place),
        Case::Title if goes_on => None,
        Case::Title => lone(first, is_title, has_sign).then(|| Match::new(PiiKind::Name, place + 1)),
        Case::Lower if first.is_lower_text && is_title => {
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
