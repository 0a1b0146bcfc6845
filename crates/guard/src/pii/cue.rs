//! Words before and after a place that tell what stands there.

use crate::pii::lexicon::Cue;
use crate::pii::token::Kind;
use crate::pii::view::View;

/// How far cues reach, in bytes of normal text.
const MAX_LEFT: usize = 60;
const MAX_RIGHT: usize = 40;
const MAX_CUES: usize = 6;
const MAX_LEFT_TOKENS: usize = 28;
/// Signs between a cue and what it stands next to.
const MAX_SIGNS: usize = 12;
/// Last words of what ends a letter.
const SIGN_OFFS: [&str; 12] =
    ["trọng", "trong", "mến", "men", "ái", "ai", "thư", "thu", "regards", "sincerely", "thanks", "cheers"];

/// A cue before a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeftCue {
    pub(crate) cue: Cue,
    /// Words between the cue and the place.
    pub(crate) words: usize,
    /// Long numbers between the cue and the place.
    pub(crate) numbers: usize,
    /// Numbers of any length between.
    pub(crate) digits: usize,
}

/// The cues before a place, the nearest first. A line break ends the search unless the place begins its line.
pub(crate) fn left(view: &View<'_>, place: usize) -> impl Iterator<Item = LeftCue> {
    let mut cues = [None; MAX_CUES];
    let (mut count, mut words, mut numbers, mut digits, mut lines) = (0, 0, 0, 0, 0);
    let mut index = place;
    let Some(at) = view.get(place) else { return cues.into_iter().flatten() };
    while let Some(before) = index.checked_sub(1)
        && place - before <= MAX_LEFT_TOKENS
        && count < MAX_CUES
    {
        let Some(token) = view.get(before).filter(|token| at.start - token.end <= MAX_LEFT) else { break };
        index = before;
        match token.kind {
            Kind::Newline if words + numbers > 0 || lines >= 2 => break,
            Kind::Newline => lines += 1,
            Kind::Number => {
                digits += 1;
                numbers += usize::from(token.chars >= 6);
            }
            Kind::Word if token.cue_for(at) != Cue::None => {
                if let Some(free) = cues.get_mut(count) {
                    *free = Some(LeftCue { cue: token.cue, words, numbers, digits });
                }
                count += 1;
                words += 1;
                index = index + 1 - usize::from(token.cue_tokens).min(index);
            }
            Kind::Word => words += 1,
            _ => {}
        }
    }
    cues.into_iter().flatten()
}

/// The cue that stands before a place with only signs between.
pub(crate) fn adjacent(view: &View<'_>, place: usize) -> Cue {
    nearest(view, place)
        .filter(|cue| !matches!(cue, Cue::Title | Cue::Place) || !is_set_apart(view, place, *cue))
        .unwrap_or_default()
}

/// The cue of the word before a place, over signs that part no list.
fn nearest(view: &View<'_>, place: usize) -> Option<Cue> {
    let at = view.get(place)?;
    let before = view.skip_space_back(place)?;
    if view.is_symbol(before, ';') || view.is_symbol(before, ',') && !is_sign_off(view, before) {
        return None;
    }
    let mut lines = 0;
    for count in 1..=MAX_SIGNS {
        let token = view.before(place, count).filter(|token| at.start - token.end <= MAX_LEFT)?;
        match token.kind {
            Kind::Word => return Some(token.cue_for(at)),
            Kind::Newline if lines >= 2 => return None,
            Kind::Newline => lines += 1,
            Kind::Number if token.chars >= 6 => return None,
            _ => {}
        }
    }
    None
}

/// Whether the words that end a letter stand before a comma: "Trân trọng, …", "Best regards, …".
fn is_sign_off(view: &View<'_>, comma: usize) -> bool {
    let is_last = |word: &str| SIGN_OFFS.contains(&word.to_lowercase().as_str());
    view.before(comma, 1).is_some_and(|word| word.cue == Cue::Name && word.cue_tokens > 0 && is_last(view.text(word)))
}

/// Whether a sign stands before a place that parts a title from a name.
fn is_set_apart(view: &View<'_>, place: usize, cue: Cue) -> bool {
    let before = view.skip_space_back(place).and_then(|before| view.kind(before));
    matches!(before, Some(Kind::Symbol(sign)) if !".*_".contains(sign) && (sign != ':' || cue == Cue::Place))
        || before == Some(Kind::Newline)
}

/// What the words after a place say it is: "… là số CMND", "… (CMND)".
pub(crate) fn right(view: &View<'_>, end: usize) -> Cue {
    let Some(first) = view.get(end) else { return Cue::None };
    let from = first.start;
    let mut index = view.skip_space(end);
    let opens = view.is_symbol(index, '(');
    if opens {
        index += 1;
    } else if let Some(token) = view.word(index) {
        if !is_copula(view.text(token)) {
            return Cue::None;
        }
        index += 2;
    } else {
        return Cue::None;
    }
    let mut best = Cue::None;
    while let Some(token) = view.get(index).filter(|token| token.end - from <= MAX_RIGHT) {
        match token.kind {
            Kind::Word if token.cue != Cue::None => best = token.cue,
            Kind::Word | Kind::Space => {}
            _ => break,
        }
        if best != Cue::None && token.kind == Kind::Word && token.cue == Cue::None {
            break;
        }
        index += 1;
    }
    best
}

fn is_copula(word: &str) -> bool {
    ["là", "la", "is"].iter().any(|copula| word.to_lowercase() == **copula)
}
