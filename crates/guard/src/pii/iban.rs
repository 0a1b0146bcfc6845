//! International bank account numbers.

use crate::pii::PiiKind;
use crate::pii::detect::Match;
use crate::pii::token::Kind;
use crate::pii::view::View;

/// Countries and the length of their numbers.
const LENGTHS: [(&str, usize); 77] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
];
const MAX_TOKENS: usize = 48;

/// The number that begins at the letters of a country.
pub(crate) fn at(view: &View<'_>, place: usize) -> Option<Match> {
    let country = view.word(place).filter(|word| word.chars == 2)?;
    let check = view.number(place + 1).filter(|number| number.chars >= 2)?;
    let code = view.text(country).to_ascii_uppercase();
    let (_, length) = LENGTHS.iter().find(|(known, _)| **known == *code)?;
    if view.is_glued(place) || check.chars > 32 {
        return None;
    }
    let mut chars = code;
    let mut index = place + 1;
    while chars.len() < *length && index - place < MAX_TOKENS {
        let token = view.get(index)?;
        match token.kind {
            Kind::Word | Kind::Number if token.is_ascii => chars.push_str(&view.text(token).to_ascii_uppercase()),
            Kind::Space if token.chars == 1 => {}
            Kind::Symbol('-') => {}
            _ => return None,
        }
        index += 1;
    }
    let is_end = !matches!(view.kind(index), Some(Kind::Word | Kind::Number));
    (chars.len() == *length && is_end && is_checked(&chars)).then(|| Match::new(PiiKind::Iban, index))
}

/// The check of ISO 7064: the digits with the head last are 1 modulo 97.
fn is_checked(chars: &str) -> bool {
    let Some((head, rest)) = chars.split_at_checked(4) else { return false };
    let rest = rest.bytes().chain(head.bytes()).fold(0, |rest: u32, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    });
    rest == 1
}
