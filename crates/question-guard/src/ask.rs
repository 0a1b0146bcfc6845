//! What a question asks for, as bits: a question may ask for more than one thing.

/// The bit of a question word by its name in the word lists; none (0) for a name that is not one.
pub fn bit(name: &str) -> u16 {
    NAMES.iter().position(|known| *known == name).map_or(0, |at| 1 << at)
}

const NAMES: [&str; 11] =
    ["what", "how", "yes_no", "when", "where", "who", "how_much", "how_many", "how_long", "how_often", "why"];
const WHAT: u16 = 1;
const HOW: u16 = 1 << 1;
/// Yes or no.
pub const YES_NO: u16 = 1 << 2;
/// When.
pub const WHEN: u16 = 1 << 3;
/// Where.
pub const WHERE: u16 = 1 << 4;
/// Who: it acts, as a noun does.
pub const WHO: u16 = 1 << 5;
/// How much.
pub const HOW_MUCH: u16 = 1 << 6;
const HOW_MANY: u16 = 1 << 7;
/// How long: also "how many days".
pub const HOW_LONG: u16 = 1 << 8;
/// What may be counted with a unit.
pub const COUNTS: u16 = HOW_MUCH | HOW_MANY;
const VAGUE: u16 = WHAT | HOW | YES_NO;

/// Whether two questions ask for something else; `implied` is what their common nouns ask for by themselves (a deadline is
/// a "when").
pub fn differ(one: u16, other: u16, implied: u16) -> bool {
    let clear = |asked: u16| asked & !VAGUE & !implied;
    if clear(one) != clear(other) {
        return true;
    }
    if (one | other) & !VAGUE != 0 {
        return false;
    }
    let vague = |asked: u16| match asked & VAGUE {
        asked if asked & HOW != 0 => HOW,
        asked if asked & WHAT != 0 => WHAT,
        asked => asked,
    };
    let (one, other) = (vague(one), vague(other));
    one != other && one != 0 && other != 0
}

/// Whether it can be answered with yes or no.
pub fn is_yes_or_no(asked: u16) -> bool {
    asked & YES_NO != 0 && asked & !VAGUE == 0
}
