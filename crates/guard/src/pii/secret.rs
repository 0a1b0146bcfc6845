//! Credentials. What begins like one for sure is one up to its end, however long.

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::token::Kind;
use crate::pii::view::View;

/// How a secret goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Letters, digits, `_` and `-`.
    Key,
    /// The same, and dots between.
    WebToken,
    /// Lines of base 64 up to the end mark.
    PrivateKey,
}

/// Prefixes, the characters that must follow, and how the secret goes on.
const PREFIXES: [(&str, usize, Tail); 41] = [
    // The gateway's own keys.
    ("vk-", 24, Tail::Key),
    ("sk-proj-", 16, Tail::Key),
    ("sk-ant-", 16, Tail::Key),
    ("sk-or-", 16, Tail::Key),
    ("sk-svcacct-", 16, Tail::Key),
    ("sk-admin-", 16, Tail::Key),
    ("sk-", 20, Tail::Key),
    ("sk_live_", 16, Tail::Key),
    ("sk_test_", 16, Tail::Key),
    ("rk_live_", 16, Tail::Key),
    ("rk_test_", 16, Tail::Key),
    ("pk_live_", 16, Tail::Key),
    ("whsec_", 20, Tail::Key),
    ("ghp_", 30, Tail::Key),
    ("gho_", 30, Tail::Key),
    ("ghu_", 30, Tail::Key),
    ("ghs_", 30, Tail::Key),
    ("ghr_", 30, Tail::Key),
    ("github_pat_", 20, Tail::Key),
    ("glpat-", 18, Tail::Key),
    ("AKIA", 16, Tail::Key),
    ("ASIA", 16, Tail::Key),
    ("AIza", 30, Tail::Key),
    ("xoxb-", 10, Tail::Key),
    ("xoxp-", 10, Tail::Key),
    ("xoxa-", 10, Tail::Key),
    ("xoxr-", 10, Tail::Key),
    ("xoxs-", 10, Tail::Key),
    ("xapp-", 10, Tail::Key),
    ("hf_", 30, Tail::Key),
    ("npm_", 30, Tail::Key),
    ("pypi-", 30, Tail::Key),
    ("dop_v1_", 30, Tail::Key),
    ("gsk_", 30, Tail::Key),
    ("xai-", 30, Tail::Key),
    ("pplx-", 30, Tail::Key),
    ("nvapi-", 30, Tail::Key),
    ("SG.", 20, Tail::WebToken),
    ("eyJhbGci", 8, Tail::WebToken),
    ("eyJ0eXAi", 8, Tail::WebToken),
    ("eyJraWQi", 8, Tail::WebToken),
];
/// The header of another web token ends within so many characters.
const MAX_HEADER: usize = 200;
/// More tokens than the characters that make a secret certain.
const MAX_TOKENS: usize = 120;

/// The secret that begins at a token; it goes on as its tail tells.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    if view.is_symbol(place, '-') {
        return private_key(view, place);
    }
    let text = view.text(view.word(place)?);
    let first = text.bytes().next().unwrap_or_default();
    let begins_alike = |prefix: &str| prefix.as_bytes().first().is_some_and(|byte| byte.eq_ignore_ascii_case(&first));
    let mut prefixes =
        PREFIXES.iter().filter(|(prefix, ..)| begins_alike(prefix) && may_be_head(text, prefix)).peekable();
    let is_candidate = prefixes.peek().is_some() || text.starts_with("eyJ");
    if !is_candidate || view.is_glued(place) {
        return None;
    }
    prefixes.find_map(|prefix| prefixed(view, place, prefix)).or_else(|| web_token(view, place))
}

fn prefixed(view: &View<'_>, place: usize, (prefix, length, tail): &(&str, usize, Tail)) -> Option<Match> {
    let mut text = String::new();
    let mut has_digit = false;
    for index in place..place + MAX_TOKENS {
        if text.len() >= prefix.len() && !begins(&text, prefix) {
            return None;
        }
        if text.len() >= prefix.len() + length {
            let rest = text.get(prefix.len()..).unwrap_or_default();
            has_digit |= rest.bytes().any(|byte| byte.is_ascii_digit());
            let is_random = has_digit || !rest.contains(['-', '_', '.']);
            return is_random.then_some(Match { kind: PiiKind::Secret, end: index, tail: Some(*tail) });
        }
        let token = view.get(index)?;
        let is_part = match token.kind {
            Kind::Word => token.is_ascii,
            Kind::Number | Kind::Symbol('_' | '-') => true,
            Kind::Symbol('.') => *tail == Tail::WebToken,
            _ => false,
        };
        if !is_part {
            return None;
        }
        text.push_str(view.text(token));
    }
    None
}

/// A web token with an unusual header: `eyJ….eyJ`.
fn web_token(view: &View<'_>, place: usize) -> Option<Match> {
    let mut chars = 0;
    for index in place..place + MAX_TOKENS {
        let token = view.get(index)?;
        match token.kind {
            Kind::Word | Kind::Number | Kind::Symbol('_' | '-') => chars += usize::from(token.chars),
            Kind::Symbol('.') if chars >= 12 => {
                let is_body = view.word(index + 1).is_some_and(|body| view.text(body).starts_with("eyJ"));
                return is_body.then_some(Match { kind: PiiKind::Secret, end: index + 2, tail: Some(Tail::WebToken) });
            }
            _ => return None,
        }
        if chars == usize::from(token.chars) && !view.text(token).starts_with("eyJ") || chars > MAX_HEADER {
            return None;
        }
    }
    None
}

/// `-----BEGIN … PRIVATE KEY-----`.
fn private_key(view: &View<'_>, place: usize) -> Option<Match> {
    if !marked(view, place, "BEGIN") {
        return None;
    }
    (place + 6..place + 18).find(|index| is_private_key(view, *index)).map(|index| Match {
        kind: PiiKind::Secret,
        end: index + 3,
        tail: Some(Tail::PrivateKey),
    })
}

fn marked(view: &View<'_>, place: usize, word: &str) -> bool {
    (place..place + 5).all(|index| view.is_symbol(index, '-'))
        && view.word(place + 5).is_some_and(|token| view.text(token).eq_ignore_ascii_case(word))
}

fn is_private_key(view: &View<'_>, index: usize) -> bool {
    let is =
        |index: usize, word: &str| view.word(index).is_some_and(|token| view.text(token).eq_ignore_ascii_case(word));
    is(index, "PRIVATE") && is(index + 2, "KEY")
}

/// A step along the tail of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) next: usize,
    pub(crate) is_last: bool,
}

impl Tail {
    /// The next step of the secret after a token, if it goes on.
    pub(crate) fn step(self, view: &View<'_>, place: usize) -> Option<Step> {
        if self == Self::PrivateKey && view.is_symbol(place, '-') && marked(view, place, "END") {
            let key = (place + 6..place + 24).find(|index| is_private_key(view, *index))?;
            let end = (key + 3..key + 8).find(|index| !view.is_symbol(*index, '-')).unwrap_or(key + 8);
            return Some(Step { next: end, is_last: true });
        }
        let goes_on = match (self, view.kind(place)?) {
            (Self::PrivateKey, Kind::Symbol(sign)) => "+/=-:,\\".contains(sign),
            (Self::PrivateKey, _) | (_, Kind::Number | Kind::Symbol('_' | '-')) => true,
            (_, Kind::Word) => view.get(place)?.is_ascii,
            (Self::WebToken, Kind::Symbol('.')) => {
                matches!(view.kind(place + 1), Some(Kind::Word | Kind::Number | Kind::Symbol('_' | '-')))
            }
            _ => false,
        };
        goes_on.then_some(Step { next: place + 1, is_last: false })
    }
}

/// Whether a prefix may begin with a word: the letters of the prefix end where the word does, or are all of it.
fn may_be_head(word: &str, prefix: &str) -> bool {
    let letters = prefix.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters < prefix.len() { word.len() == letters && begins(prefix, word) } else { begins(word, prefix) }
}

/// Whether a text begins with a prefix. Two prefixes are words of another case.
fn begins(text: &str, prefix: &str) -> bool {
    let is_word = matches!(prefix, "ASIA" | "SG.");
    text.get(..prefix.len())
        .is_some_and(|start| if is_word { start == prefix } else { start.eq_ignore_ascii_case(prefix) })
}
