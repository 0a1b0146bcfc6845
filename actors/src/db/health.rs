//! What requests know of the store without asking it: whether it fails, and when it last answered anybody.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::bad_rows::BadRows;

/// Written by whoever asks the store, read by everybody.
#[derive(Debug)]
pub struct StoreHealth {
    born: Instant,
    answered_us: AtomicU64,
    fails: AtomicBool,
    /// The rows that cannot be read.
    pub bad_rows: BadRows,
}

impl StoreHealth {
    /// A store that nothing is known of yet.
    pub fn new(now: Instant) -> Self {
        Self { born: now, answered_us: AtomicU64::new(0), fails: AtomicBool::new(false), bad_rows: BadRows::default() }
    }

    /// Notes an answer; gives whether it ends a time of failures.
    pub fn answered(&self, now: Instant) -> bool {
        self.answered_us.store(self.micros(now), Ordering::Relaxed);
        self.fails.load(Ordering::Relaxed) && self.fails.swap(false, Ordering::Relaxed)
    }

    /// Notes a failure; gives whether it is the first one since the last answer.
    pub fn failed(&self) -> bool {
        !self.fails.swap(true, Ordering::Relaxed)
    }

    /// Whether the store failed when it was last asked.
    pub fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// Whether the store has answered anybody since `moment`.
    pub fn has_answered_since(&self, moment: Instant) -> bool {
        self.answered_us.load(Ordering::Relaxed) > self.micros(moment)
    }

    fn micros(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.born).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each time of failures is told once at its begin and once at its end.
    #[test]
    fn changes_are_told_once() {
        let now = Instant::now();
        let health = StoreHealth::new(now);
        assert!(!health.answered(now));
        assert_eq!([health.failed(), health.failed()], [true, false]);
        assert!(health.fails());
        assert_eq!([health.answered(now), health.answered(now)], [true, false]);
        assert!(!health.fails());
    }

    #[test]
    fn an_answer_is_heard_by_those_who_waited_for_it() {
        let now = Instant::now();
        let health = StoreHealth::new(now);
        let at = |millis| now + Duration::from_millis(millis);
        assert!(!health.has_answered_since(at(0)));
        health.answered(at(10));
        assert!(health.has_answered_since(at(5)));
        assert!(!health.has_answered_since(at(10)));
    }
}
