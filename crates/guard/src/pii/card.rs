//! Payment cards.

use crate::pii::run::Run;

/// Whether digits are a card's: a brand's prefix and length, the groups of a card, and Luhn's check.
pub(crate) fn is_card(run: &Run) -> bool {
    is_brand(run) && is_grouped(run) && is_luhn(&run.digits)
}

fn is_brand(run: &Run) -> bool {
    let four = run.value(0, 4);
    match run.digits.len() {
        13 => four / 1000 == 4 && run.groups.len() == 1,
        14 => matches!(four / 10, 300..=305 | 309) || matches!(four / 100, 36 | 38 | 39),
        15 => matches!(four / 100, 34 | 37),
        16 => four / 1000 == 4 || is_master(four) || matches!(four, 3528..=3589 | 6011 | 9704) || is_other(four),
        19 => four == 9704 || four / 1000 == 4 || is_other(four) || four == 6011,
        17 | 18 => four == 9704 || is_other(four),
        _ => false,
    }
}

fn is_master(four: u64) -> bool {
    matches!(four / 100, 51..=55) || (2221..=2720).contains(&four)
}

/// Discover, UnionPay, Maestro.
fn is_other(four: u64) -> bool {
    matches!(four / 100, 62 | 65 | 50 | 56..=58 | 63 | 67) || matches!(four / 10, 644..=649)
}

fn is_grouped(run: &Run) -> bool {
    let is_same = run.separators.windows(2).all(|pair| matches!(pair, [first, second] if first == second));
    is_same
        && match run.groups.as_slice() {
            [_] | [4, 4, 4, 4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4 | 5] | [6, 10 | 13] => true,
            groups => groups.iter().all(|group| *group == 1),
        }
}

fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().map(|(index, digit)| luhn(index, u32::from(*digit))).sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

fn luhn(index: usize, digit: u32) -> u32 {
    match (index % 2, digit * 2) {
        (0, _) => digit,
        (_, double) if double > 9 => double - 9,
        (_, double) => double,
    }
}
