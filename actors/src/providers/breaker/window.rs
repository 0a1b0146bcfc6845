//! Counts of the last while, which move on by themselves with the clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Counts;

/// The shortest half of a window, whatever the settings say.
const MIN_HALF: Duration = Duration::from_millis(500);

/// The bits of one count, and its largest value.
const COUNT_BITS: u32 = 20;
const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;
/// The bits of the stamp above both counts.
const STAMP: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

/// Two halves of a window; the older one is overwritten when a new one begins, so that the window covers between a half
/// and the whole.
#[derive(Debug)]
pub(super) struct Window {
    base: Instant,
    half_ms: u64,
    /// Each: the number of the half that it counts (24 bits), successes and failures (20 bits each).
    slots: [AtomicU64; 2],
}

impl Window {
    pub(super) fn new(base: Instant, length: Duration) -> Self {
        let half = (length / 2).max(MIN_HALF);
        Self { base, half_ms: u64::try_from(half.as_millis()).unwrap_or(u64::MAX), slots: Default::default() }
    }

    pub(super) fn add(&self, counts: Counts, now: Instant) {
        let half = self.half(now);
        let [even, odd] = &self.slots;
        let slot = if half.is_multiple_of(2) { even } else { odd };
        let add = |word: u64| {
            let counted = if word >> (2 * COUNT_BITS) == half & STAMP { unpacked(word) } else { Counts::default() };
            Some(packed(half, counted.plus(counts)))
        };
        // It cannot fail, as there is always a next value.
        let _added = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(super) fn counts(&self, now: Instant) -> Counts {
        let half = self.half(now);
        let is_of_window = |word: &u64| {
            let stamp = word >> (2 * COUNT_BITS);
            stamp == half & STAMP || stamp == half.wrapping_sub(1) & STAMP
        };
        let words = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        words.filter(is_of_window).map(unpacked).fold(Counts::default(), Counts::plus)
    }

    pub(super) fn clear(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }

    fn half(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.base).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX) / self.half_ms
    }
}

fn packed(half: u64, counts: Counts) -> u64 {
    (half & STAMP) << (2 * COUNT_BITS) | counts.successes.min(MAX_COUNT) << COUNT_BITS | counts.failures.min(MAX_COUNT)
}

fn unpacked(word: u64) -> Counts {
    Counts { successes: word >> COUNT_BITS & MAX_COUNT, failures: word & MAX_COUNT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_with_the_clock() {
        let base = Instant::now();
        let window = Window::new(base, Duration::from_secs(30));
        let at = |seconds| base + Duration::from_secs(seconds);
        window.add(Counts { successes: 1, failures: 2 }, at(14));
        window.add(Counts { successes: 1, failures: 0 }, at(16));
        assert_eq!(window.counts(at(16)), Counts { successes: 2, failures: 2 });
        assert_eq!(window.counts(at(31)), Counts { successes: 1, failures: 0 });
        assert_eq!(window.counts(at(46)), Counts::default());
        window.add(Counts { successes: 0, failures: 1 }, at(46));
        assert_eq!(window.counts(at(46)), Counts { successes: 0, failures: 1 });
        window.clear();
        assert_eq!(window.counts(at(46)), Counts::default());
    }

    #[test]
    fn a_count_that_is_full_stays_so() {
        let base = Instant::now();
        let window = Window::new(base, Duration::ZERO);
        window.add(Counts { successes: MAX_COUNT, failures: MAX_COUNT }, base);
        window.add(Counts { successes: 1, failures: 1 }, base);
        assert_eq!(window.counts(base), Counts { successes: MAX_COUNT, failures: MAX_COUNT });
    }
}
