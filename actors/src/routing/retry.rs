//! `retry`: how often, on what, and after which wait the same target is tried again.

use std::time::Duration;

use serde_json::{Value, json};

use super::fields::{Fields, Findings};
use crate::failure::{Failure, FailureKind};

const KNOWN_FIELDS: &[&str] = &[
    "attempts",
    "on_status_codes",
    "exponential_backoff",
    "use_retry_after_header",
    "use_retry_after_headers",
    "base_delay_ms",
];

/// Portkey's bound.
const MAX_ATTEMPTS: u32 = 5;

/// Where Portkey stops to wait: for one wait and for all of a target together.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What may pass by itself, as the vendors' own clients see it; 520 to 524 are Cloudflare's, 529 is Anthropic's.
pub const PASSING_STATUSES: [u16; 13] = [408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529];

/// When and how a target is tried again. The default is not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Retries after the first attempt.
    pub attempts: u32,
    /// Statuses that are tried again; those of `PASSING_STATUSES` where absent.
    pub on_status_codes: Option<Vec<u16>>,
    /// Whether waits double and are spread by chance; else they are all `base_delay`.
    pub exponential: bool,
    /// Whether the provider's `Retry-After` is heeded.
    pub use_retry_after: bool,
    /// The first wait, or the longest that the first one may be.
    pub base_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 0,
            on_status_codes: None,
            exponential: true,
            use_retry_after: true,
            base_delay: Duration::from_secs(1),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before retry number `retries_done + 1`, or `None` where there is to be none: too many were
    /// made, the failure is not one that is tried again, or the wait would be too long. `waited` is the sum of the waits
    /// so far, `random` is uniform in 0..1.
    pub fn wait(&self, retries_done: u32, waited: Duration, failure: &Failure, random: f64) -> Option<Duration> {
        let again = failure.should_retry().unwrap_or_else(|| self.repeats(failure.kind));
        if retries_done >= self.attempts || !again {
            return None;
        }
        let wait = match self.asked_by_provider(failure) {
            Some(asked) if asked >= MAX_WAIT => return None,
            Some(asked) => asked,
            None if self.exponential => {
                let longest = self.base_delay.saturating_mul(2_u32.saturating_pow(retries_done)).min(MAX_WAIT);
                // All of it random, so that clients who failed together do not come back together.
                longest.mul_f64(random.clamp(0.0, 1.0))
            }
            None => self.base_delay,
        };
        (waited.saturating_add(wait) <= MAX_WAIT).then_some(wait)
    }

    fn repeats(&self, kind: FailureKind) -> bool {
        match &self.on_status_codes {
            Some(codes) => codes.contains(&kind.status()),
            None => kind.row().is_retried && PASSING_STATUSES.contains(&kind.status()),
        }
    }

    /// `Retry-After` has a meaning with 429 and 503 alone (RFC 6585 and 9110), and with Anthropic's 529.
    fn asked_by_provider(&self, failure: &Failure) -> Option<Duration> {
        let has_meaning = matches!(failure.kind, FailureKind::Status(429 | 503 | 529));
        failure.retry_after.filter(|_| self.use_retry_after && has_meaning)
    }

    pub(super) fn to_json(&self) -> Value {
        let statuses = self.on_status_codes.as_deref().unwrap_or(&PASSING_STATUSES);
        json!({"attempts": self.attempts, "on_status_codes": statuses,
            "exponential_backoff": self.exponential, "use_retry_after_header": self.use_retry_after,
            "base_delay_ms": self.base_delay.as_millis() as u64})
    }
}

pub(super) fn read(fields: &Fields<'_>, found: &mut Findings) -> Option<RetryPolicy> {
    let object = match fields.get("retry")? {
        Value::Object(object) => object,
        _ => {
            found.error(fields.at("retry"), "must be an object with 'attempts'");
            return None;
        }
    };
    let retry = Fields::new(&fields.at("retry"), object, &[KNOWN_FIELDS], found);
    if retry.get("attempts").is_none() {
        found.error(retry.at("attempts"), "must be a number of retries");
    }
    let attempts = retry.number("attempts", 0, 1_000, found).unwrap_or(0) as u32;
    if attempts > MAX_ATTEMPTS {
        found.warn(format!("'{}' is {attempts}, {MAX_ATTEMPTS} is used", retry.at("attempts")));
    }
    let default = RetryPolicy::default();
    let one_name = retry.flag("use_retry_after_header", found);
    let other_name = retry.flag("use_retry_after_headers", found);
    Some(RetryPolicy {
        attempts: attempts.min(MAX_ATTEMPTS),
        on_status_codes: retry.statuses("on_status_codes", found).or(default.on_status_codes),
        exponential: retry.flag("exponential_backoff", found).unwrap_or(default.exponential),
        use_retry_after: one_name.or(other_name).unwrap_or(default.use_retry_after),
        base_delay: retry.number("base_delay_ms", 1, 60_000, found).map_or(default.base_delay, Duration::from_millis),
    })
}
