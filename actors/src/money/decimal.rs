//! Decimal numbers as people and programs write them, read exactly.

/// The whole number that `text` is of units of 10^-`decimals`: `1.5` is 150 at two decimals, and so are `15e-1` and
/// `0.15E+1`. None where the text is no number of JSON's, is negative, or is no whole number of units.
pub(crate) fn units(text: &str, decimals: i64) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (is_negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if !are_digits(whole) || !are_digits(fraction) || !are_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
    {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let trimmed = digits.trim_end_matches('0');
    let significant = trimmed.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let fraction = i64::try_from(fraction.len()).ok()?;
    // An exponent beyond 64 bits is beyond every amount.
    let exponent: i64 = exponent.parse().ok()?;
    let shift = exponent.checked_add(decimals)?.checked_add(zeros)?.checked_sub(fraction)?;
    let factor = 10_i64.checked_pow(u32::try_from(shift).ok()?)?;
    let units = significant.parse::<i64>().ok()?.checked_mul(factor)?;
    (!is_negative).then_some(units)
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B17: every way to write a number is that number, exactly.
    #[test]
    fn b17_every_spelling_is_the_same_number() {
        for text in ["0.00001", "1e-05", "1E-5", "10e-6", "0.1e-4", "0.000010", "1.0e-5", "00.00001"] {
            assert_eq!(units(text, 9), Some(10_000), "{text}");
        }
        for text in ["500", "5E2", "5e+2", "500.0", "0.5e3", "5000e-1"] {
            assert_eq!(units(text, 6), Some(500_000_000), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0.0e9", "0e999999999999999999999999", "0.000000000000000000000"] {
            assert_eq!(units(text, 9), Some(0), "{text}");
        }
        assert_eq!(units("9223372036.854775807", 9), Some(i64::MAX));
        assert_eq!(units("9223372036854775807e-9", 9), Some(i64::MAX));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        let texts = ["", ".5", "5.", "-1", "+1", "1e", "e5", "1e5.0", "1e1e1", "a", "1 ", "0x1", "1_0", "NaN", "--0"];
        for text in
            texts.into_iter().chain(["1e-10", "9223372036.854775808", "1e10", "1e99999999999999999999", "1e-400"])
        {
            assert_eq!(units(text, 9), None, "{text}");
        }
    }
}
