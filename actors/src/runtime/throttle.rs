//! A line of the log that may be due very often is written at most once a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Lets one through, and counts the others.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    /// Whether a line may be written now, and how many were held back since the last one.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let (last, held) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_duration_since(last) < LINE_INTERVAL) {
            *held += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_tells_how_many_there_were() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let at = |millis| throttle.pass(now + Duration::from_millis(millis));
        assert_eq!(
            [at(0), at(1), at(999), at(1_000), at(1_001), at(3_000)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
