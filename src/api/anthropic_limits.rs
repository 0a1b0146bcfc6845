//! What is left of a client's limits, in the headers that Anthropic's clients read.

use std::time::Duration;

use actix_web::http::header::HeaderName;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use gateway_actors::limits::RemainingLimit;
use gateway_actors::limits::admission::RemainingLimits;

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// Adds the headers.
pub fn add(left: &RemainingLimits, add: &mut impl FnMut(HeaderName, &str)) {
    for (left, [limit_name, remaining_name, reset_name]) in [(left.requests, REQUESTS), (left.tokens, TOKENS)] {
        let Some(RemainingLimit { limit, remaining, reset }) = left else { continue };
        add(limit_name, &limit.to_string());
        add(remaining_name, &remaining.to_string());
        add(reset_name, &time_after(reset, Utc::now()));
    }
}

/// The time after a wait (RFC 3339), in whole seconds: not before the wait is over.
fn time_after(wait: Duration, now: DateTime<Utc>) -> String {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    let time = now.checked_add_signed(wait).and_then(|time| time.checked_add_signed(TimeDelta::milliseconds(999)));
    time.unwrap_or(DateTime::<Utc>::MAX_UTC).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_a_time_that_is_not_too_early() {
        let now = DateTime::from_timestamp(1_795_608_000, 0).unwrap();
        let at = |millis| time_after(Duration::from_millis(millis), now);
        assert_eq!((at(0), at(1)), ("2026-11-25T12:00:00Z".to_owned(), "2026-11-25T12:00:01Z".to_owned()));
        assert_eq!(at(60_000), "2026-11-25T12:01:00Z");
    }
}
