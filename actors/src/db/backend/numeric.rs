//! PostgreSQL's `NUMERIC` on the wire, from and to whole pico-dollars: base 10,000, so that twelve decimals are exactly
//! three digits.

/// Digits after the point.
const FRACTION: i32 = 3;

const BASE: u128 = 10_000;

const NEGATIVE: u16 = 0x4000;

/// Why a `NUMERIC` is no amount.
#[derive(Debug, thiserror::Error)]
pub(in crate::db) enum BadNumeric {
    #[error("the amount is not a number")]
    NotFinite,
    #[error("the amount has more than twelve decimals")]
    TooFine,
    #[error("the amount is too large")]
    TooLarge,
    #[error("the amount is incomplete")]
    CutShort,
}

/// The amount as PostgreSQL takes it; `scale` is the number of decimals that it prints.
pub(in crate::db) fn encode(picos: i128, scale: u16) -> Vec<u8> {
    let mut digits = Vec::new();
    let mut rest = picos.unsigned_abs();
    while rest > 0 {
        digits.push((rest % BASE) as u16);
        rest /= BASE;
    }
    let weight = digits.len() as i32 - 1 - FRACTION;
    let sign = if picos < 0 { NEGATIVE } else { 0 };
    let mut bytes = Vec::with_capacity(8 + digits.len() * 2);
    bytes.extend((digits.len() as u16).to_be_bytes());
    bytes.extend((weight as i16).to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(scale.to_be_bytes());
    for digit in digits.iter().rev() {
        bytes.extend(digit.to_be_bytes());
    }
    bytes
}

/// The pico-dollars of what PostgreSQL sent.
pub(in crate::db) fn decode(bytes: &[u8]) -> Result<i128, BadNumeric> {
    let words: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | u16::from(*byte))).collect();
    let [count, weight, sign, _scale, digits @ ..] = words.as_slice() else { return Err(BadNumeric::CutShort) };
    if ![0, NEGATIVE].contains(sign) {
        return Err(BadNumeric::NotFinite);
    }
    if usize::from(*count) != digits.len() {
        return Err(BadNumeric::CutShort);
    }
    let mut place = i32::from(*weight as i16) + FRACTION;
    let mut picos: i128 = 0;
    for digit in digits {
        if *digit != 0 {
            let exponent = u32::try_from(place).map_err(|_| BadNumeric::TooFine)?;
            let unit = (BASE as i128).checked_pow(exponent).ok_or(BadNumeric::TooLarge)?;
            let value = unit.checked_mul(i128::from(*digit)).ok_or(BadNumeric::TooLarge)?;
            picos = picos.checked_add(value).ok_or(BadNumeric::TooLarge)?;
        }
        place -= 1;
    }
    Ok(if *sign == NEGATIVE { -picos } else { picos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_come_back_as_they_were() {
        let amounts =
            [0, 1, -1, 9_999, 10_000, 1_000_000_000_000, 10_500_000, i128::from(i64::MAX), i128::MAX / 10_000];
        for picos in amounts {
            assert_eq!(decode(&encode(picos, 12)).unwrap(), picos);
            assert_eq!(decode(&encode(-picos, 12)).unwrap(), -picos);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        assert!(matches!(decode(&words(&[0, 0, 0xC000, 0])), Err(BadNumeric::NotFinite)), "NaN");
        assert!(matches!(decode(&words(&[0, 0, 0xD000, 0])), Err(BadNumeric::NotFinite)), "Infinity");
        assert!(matches!(decode(&words(&[1, (-4_i16) as u16, 0, 16, 1])), Err(BadNumeric::TooFine)));
        assert!(matches!(decode(&words(&[1, 40, 0, 0, 1])), Err(BadNumeric::TooLarge)));
        assert!(matches!(decode(&words(&[2, 0, 0, 0, 1])), Err(BadNumeric::CutShort)));
        assert!(matches!(decode(&[]), Err(BadNumeric::CutShort)));
        // 0.5 and 1500, as PostgreSQL writes them.
        assert_eq!(decode(&words(&[1, (-1_i16) as u16, 0, 1, 5000])).unwrap(), 500_000_000_000);
        assert_eq!(decode(&words(&[1, 0, 0, 0, 1500])).unwrap(), 1_500_000_000_000_000);
    }
}
