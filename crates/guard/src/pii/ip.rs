//! IP addresses.

use std::net::Ipv6Addr;

use crate::pii::detect::Match;
use crate::pii::lexicon::Cue;
use crate::pii::token::Kind;
use crate::pii::view::View;
use crate::pii::{PiiKind, cue};

const MAX_TOKENS: usize = 40;
const MAX_CHARS: usize = 45;

/// Four numbers with dots between, which are neither a version nor nobody's address.
pub(crate) fn version_4(view: &View<'_>, place: usize) -> Option<Match> {
    let mut octets = [0; 4];
    for (count, octet) in octets.iter_mut().enumerate() {
        let index = place + count * 2;
        let token = view.number(index).filter(|number| number.chars <= 3)?;
        let text = view.text(token);
        if text.len() > 1 && text.starts_with('0') {
            return None;
        }
        *octet = text.parse::<u8>().ok()?;
        if count < 3 && !view.is_symbol(index + 1, '.') {
            return None;
        }
    }
    let end = place + 7;
    let is_longer = view.is_symbol(end, '.') && view.number(end + 1).is_some() || view.word(end).is_some();
    let is_inside = view.is_glued(place)
        || matches!(view.before(place, 1).map(|token| token.kind), Some(Kind::Symbol('.' | '-')))
            && view.before(place, 2).is_some_and(|token| token.kind == Kind::Number);
    let is_network = view.is_symbol(end, '/') && view.number(end + 1).is_some() && octets[3] == 0;
    if is_longer || is_inside || is_network || matches!(octets[0], 0 | 127 | 224..) || octets == [255; 4] {
        return None;
    }
    let nearest = cue::left(view, place).next();
    let is_ip = nearest.is_some_and(|cue| cue.cue == Cue::Ip);
    let is_version = nearest.is_some_and(|cue| cue.cue == Cue::Version && cue.words <= 1);
    let is_small = octets.iter().all(|octet| *octet < 10);
    (is_ip || !is_version && !is_small).then(|| Match::new(PiiKind::Ip, end))
}

/// Hexadecimal groups with colons between.
pub(crate) fn version_6(view: &View<'_>, place: usize) -> Option<Match> {
    if view.is_glued(place) || view.is_symbol(place.wrapping_sub(1), ':') && view.is_glued(place.wrapping_sub(1)) {
        return None;
    }
    let mut text = String::new();
    let mut index = place;
    while let Some(token) = view.get(index) {
        let is_part = match token.kind {
            Kind::Word | Kind::Number => {
                view.text(token).bytes().all(|byte| byte.is_ascii_hexdigit()) && token.chars <= 4
            }
            Kind::Symbol(':') => true,
            Kind::Symbol('.') => view.number(index + 1).is_some(),
            _ => false,
        };
        if !is_part || index - place > MAX_TOKENS || text.len() > MAX_CHARS {
            break;
        }
        text.push_str(view.text(token));
        index += 1;
        if index == place + 3 && !text.contains(':') {
            return None;
        }
    }
    if text.ends_with(':') && !text.ends_with("::") {
        text.pop();
        index -= 1;
    }
    let is_distinct = text.bytes().any(|byte| byte.is_ascii_digit()) && text.matches(':').count() >= 2;
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let is_word_next = view.word(index).is_some();
    (is_distinct && groups >= 3 && !is_word_next && text.parse::<Ipv6Addr>().is_ok())
        .then(|| Match::new(PiiKind::Ip, index))
}
