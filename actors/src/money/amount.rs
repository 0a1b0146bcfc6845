//! Money, exactly: integers of pico-dollars (10⁻¹² US dollars).
//!
//! A price per million tokens in whole micro-dollars times a number of tokens is a whole number of pico-dollars.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decimal;

const PICOS_PER_USD: i128 = 1_000_000_000_000;
/// The same, as the fraction of an amount is found by it.
const FRACTIONS: u64 = 1_000_000_000_000;
const MICROS_PER_USD: u64 = 1_000_000;

/// An exact amount of US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PicoUsd(i128);

impl PicoUsd {
    /// An amount of pico-dollars.
    pub fn from_picos(picos: i128) -> Self {
        Self(picos)
    }

    /// The sum, which stops at the largest amount there is.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, which may be negative.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount in pico-dollars.
    pub fn picos(self) -> i128 {
        self.0
    }

    /// The amount as Prometheus takes it; not exact.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PICOS_PER_USD as f64
    }

    /// Appends the amount as plain decimal text: no exponent, no trailing zeros.
    pub fn push_to(self, text: &mut String) {
        let picos = self.0.unsigned_abs();
        if self.0 < 0 {
            text.push('-');
        }
        let fraction = match u64::try_from(picos) {
            // A division of 128 bits takes several times as long, and a request writes its cost three times.
            Ok(picos) => {
                text.push_str(itoa::Buffer::new().format(picos / FRACTIONS));
                picos % FRACTIONS
            }
            Err(_) => {
                text.push_str(itoa::Buffer::new().format(picos / u128::from(FRACTIONS)));
                (picos % u128::from(FRACTIONS)) as u64
            }
        };
        if fraction == 0 {
            return;
        }
        let mut digits = *b".000000000000";
        let mut rest = fraction;
        for digit in digits.iter_mut().skip(1).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        text.push_str(std::str::from_utf8(&digits).unwrap_or_default().trim_end_matches('0'));
    }
}

impl fmt::Display for PicoUsd {
    /// Plain decimal text: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(24);
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

/// What a million tokens cost, in whole micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerMillion(i64);

impl PerMillion {
    /// A price in whole micro-dollars.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The price in whole micro-dollars.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The cost of some tokens.
    pub fn times(self, tokens: u64) -> PicoUsd {
        PicoUsd(i128::from(self.0) * i128::from(tokens))
    }
}

impl FromStr for PerMillion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a price: write US dollars with at most six decimals, such as \"0.15\"");
        decimal::units(text, 6).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for PerMillion {
    /// Plain decimal text in US dollars: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs();
        let (dollars, fraction) = (micros / MICROS_PER_USD, micros % MICROS_PER_USD);
        if fraction == 0 {
            return write!(f, "{dollars}");
        }
        let fraction = format!("{fraction:06}");
        write!(f, "{dollars}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for PerMillion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PerMillion {
    /// Takes a decimal text or a number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = PerMillion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("US dollars with at most six decimals, such as \"0.15\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PerMillion, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, dollars: u64) -> Result<PerMillion, E> {
                self.visit_str(&dollars.to_string())
            }

            fn visit_i64<E: Error>(self, dollars: i64) -> Result<PerMillion, E> {
                self.visit_str(&dollars.to_string())
            }

            // A float prints as the shortest text that reads back as it, which is the text that it was read from.
            fn visit_f64<E: Error>(self, dollars: f64) -> Result<PerMillion, E> {
                self.visit_str(&dollars.to_string())
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_exactly() {
        let large = 98_765_432_109_876_543_210_000_000_001;
        let cases = [
            (10_500_000, "0.0000105"),
            (large, "98765432109876543.210000000001"),
            (0, "0"),
            (1, "0.000000000001"),
            (-1_500_000_000_000, "-1.5"),
        ];
        for (picos, text) in cases {
            assert_eq!(PicoUsd::from_picos(picos).to_string(), text);
        }
        assert_eq!(PicoUsd::from_picos(PICOS_PER_USD * 500).to_string(), "500");
    }

    #[test]
    fn prices_are_read_exactly_or_not_at_all() {
        assert_eq!("0.0375".parse::<PerMillion>().unwrap().times(2), PicoUsd::from_picos(75_000));
        assert_eq!("15".parse::<PerMillion>().unwrap().times(1), PicoUsd::from_picos(15_000_000));
        for text in ["", ".5", "-1", "1e-7", "0.0000001", "1,5", "99999999999999999999"] {
            assert!(text.parse::<PerMillion>().is_err(), "{text}");
        }
    }

    #[test]
    fn prices_travel_as_text_and_may_come_as_numbers() {
        for (json, text) in [
            ("0.15", "0.15"),
            ("\"0.150\"", "0.15"),
            ("5E2", "500"),
            ("1e-05", "0.00001"),
            ("\"1e-05\"", "0.00001"),
            ("3", "3"),
            ("0.000001", "0.000001"),
            ("0", "0"),
        ] {
            let price: PerMillion = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&price).unwrap(), format!("\"{text}\""), "{json}");
        }
        for json in ["-1", "1e-7", "null", "true", "[1]", "\"a\""] {
            assert!(serde_json::from_str::<PerMillion>(json).is_err(), "{json}");
        }
    }
}
