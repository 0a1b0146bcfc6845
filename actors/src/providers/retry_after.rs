//! How long an upstream asks to wait before the next attempt (E4).

use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime, Utc};

/// The three date formats of RFC 9110, section 5.6.7; the first is the one in use.
const HTTP_DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads the wait from the first of `retry-after-ms`, `x-ms-retry-after-ms` and `retry-after` that makes sense.
///
/// `header` looks a header up by its lower-case name. Fractions are understood, a date in the past means no wait, and the
/// caller caps what comes out: an upstream may ask for a year.
pub fn parse<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    let wait_in_ms = |name| header(name).and_then(|value| number(value, 0.001));
    wait_in_ms("retry-after-ms").or_else(|| wait_in_ms("x-ms-retry-after-ms")).or_else(|| {
        let value = header("retry-after")?;
        number(value, 1.0).or_else(|| until_date(value, now))
    })
}

/// `value` times `unit` seconds, unless it is negative, infinite or no number.
fn number(value: &str, unit: f64) -> Option<Duration> {
    let number: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

fn until_date(value: &str, now: SystemTime) -> Option<Duration> {
    let date = HTTP_DATES.iter().find_map(|format| NaiveDateTime::parse_from_str(value.trim(), format).ok())?;
    let wait = date.and_utc() - DateTime::<Utc>::from(now);
    // A negative wait does not convert.
    Some(wait.to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn wait(headers: &[(&str, &str)]) -> Option<Duration> {
        let headers = headers.to_vec();
        parse(|name| headers.iter().find(|(given, _)| *given == name).map(|(_, value)| *value), now())
    }

    /// E4: seconds, milliseconds and dates.
    #[test]
    fn e4_every_form_is_understood() {
        let cases = [
            ("retry-after", "2", 2_000),
            ("retry-after", " 0.25 ", 250),
            ("retry-after", "0", 0),
            ("retry-after-ms", "1500", 1_500),
            ("retry-after-ms", "0.5", 0),
            ("x-ms-retry-after-ms", "42", 42),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", 10_000),
            ("retry-after", "Sunday, 06-Nov-94 08:49:47 GMT", 10_000),
            ("retry-after", "Sun Nov  6 08:49:47 1994", 10_000),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ];
        for (name, value, ms) in cases {
            assert_eq!(wait(&[(name, value)]).map(|wait| wait.as_millis()), Some(ms), "{name}: {value}");
        }
    }

    /// E4: the finer header wins, and one that makes no sense does not hide the next.
    #[test]
    fn e4_milliseconds_come_before_seconds() {
        assert_eq!(wait(&[("retry-after", "2"), ("retry-after-ms", "1900")]), Some(Duration::from_millis(1_900)));
        assert_eq!(wait(&[("retry-after", "2"), ("retry-after-ms", "soon")]), Some(Duration::from_secs(2)));
    }

    #[test]
    fn nonsense_is_no_wait_asked() {
        for value in ["", "soon", "-1", "NaN", "inf", "1e300", "Sun, 31 Feb 1994 08:49:37 GMT"] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(wait(&[]), None);
    }
}
