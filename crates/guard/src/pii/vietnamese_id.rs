//! The citizen identity number of Vietnam.

use crate::pii::run::{Run, Separator};

/// Codes of the provinces where births are registered.
const PROVINCES: [u8; 63] = [
    1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38, 40, 42, 44, 45,
    46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77, 79, 80, 82, 83, 84, 86, 87, 89, 91, 92,
    93, 94, 95, 96,
];
/// The last two digits of the youngest year of birth.
const MAX_YEAR: u64 = 27;
/// The last two digits of the oldest one's.
const MIN_YEAR: u64 = 15;

/// Whether twelve digits are a citizen's number by province, century and year of birth.
pub(crate) fn is_cccd(run: &Run) -> bool {
    let province = u8::try_from(run.value(0, 3)).unwrap_or_default();
    let year = run.value(4, 6);
    let is_born = match run.digits.get(3) {
        Some(0 | 1) => year >= MIN_YEAR,
        Some(2 | 3) => year <= MAX_YEAR,
        _ => false,
    };
    run.digits.len() == 12 && is_born && PROVINCES.binary_search(&province).is_ok() && is_grouped(run)
}

fn is_grouped(run: &Run) -> bool {
    let is_same = run.separators.windows(2).all(|pair| matches!(pair, [first, second] if first == second));
    let is_group = match run.groups.as_slice() {
        [12] | [3, 3, 3, 3] | [4, 4, 4] | [3, 1, 2, 6] | [3, 3, 6] | [6, 6] | [3, 9] | [2, 2, 2, 2, 2, 2] => true,
        groups => groups.len() == 12,
    };
    is_same && is_group && !run.separators.contains(&Separator::Dot) | (run.groups.len() > 2)
}
