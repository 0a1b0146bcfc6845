//! Exact US dollars.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::amount::PicoUsd;
use super::decimal;

/// Billionths of a dollar in a dollar.
const NANOS: u64 = 1_000_000_000;

/// An amount of US dollars, exact to a billionth; written in JSON as a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd {
    nanos: i64,
}

/// A text that is no amount of dollars from 0 to 9,223,372,036 with at most nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an amount from 0 to 9223372036 with at most 9 decimals")]
pub struct BadUsd;

impl Usd {
    /// An amount in billionths of a dollar.
    pub fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// The amount in billionths of a dollar.
    pub fn nanos(self) -> i64 {
        self.nanos
    }
}

impl From<Usd> for PicoUsd {
    fn from(usd: Usd) -> Self {
        Self::from_picos(i128::from(usd.nanos) * 1_000)
    }
}

impl FromStr for Usd {
    type Err = BadUsd;

    /// Reads any spelling of a number (`500`, `0.000001`, `1e-6`), never through a float.
    fn from_str(text: &str) -> Result<Self, BadUsd> {
        decimal::units(text, 9).map(Self::from_nanos).ok_or(BadUsd)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let (whole, decimals) = (self.nanos.unsigned_abs() / NANOS, self.nanos.unsigned_abs() % NANOS);
        if decimals == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{}", format!("{decimals:09}").trim_end_matches('0'))
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As raw JSON text, because a float would not hold nineteen digits.
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_in_both_directions() {
        for (text, nanos) in [
            ("500", 500 * 1_000_000_000),
            ("0", 0),
            ("0.5", 500_000_000),
            ("0.000000001", 1),
            ("123456789.123456789", 123_456_789_123_456_789),
            ("9223372036.854775807", i64::MAX),
        ] {
            let usd: Usd = text.parse().unwrap();
            assert_eq!(usd.nanos(), nanos, "{text}");
            assert_eq!(serde_json::to_string(&usd).unwrap(), text);
        }
        assert_eq!("1e-05".parse::<Usd>().unwrap().to_string(), "0.00001");
        assert_eq!("500.00".parse::<Usd>().unwrap().to_string(), "500");
        assert_eq!(Usd::from_nanos(-1_500_000_000).to_string(), "-1.5");
        assert_eq!(Usd::from_nanos(i64::MIN).to_string(), "-9223372036.854775808");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", ".5", "5.", "-1", "+1", "1e10", "0.0000000001", "9223372036.854775808", "99999999999999999999", "a"]
        {
            assert_eq!(text.parse::<Usd>(), Err(BadUsd), "{text}");
        }
    }
}
