//! How many retries a provider takes, so that an outage is not answered with more load (E8).

use std::sync::atomic::{AtomicI64, Ordering};

use governor::clock::{Clock, DefaultClock};

use crate::limits::local_rate::LocalRateLimiter;

/// What one retry costs, and a request at 100 % earns.
const RETRY: i64 = 100;
/// Retries that quiet times can save up for, beside the floor.
const MAX_SAVED: i64 = 100 * RETRY;
/// Retries that need no requests to earn them: ten at once, and one every six seconds after.
const FLOOR_PER_MINUTE: u32 = 10;

/// Retries that requests have earned, above a floor that refills by itself.
#[derive(Debug)]
pub(super) struct RetryBudget<C: Clock = DefaultClock> {
    percent: i64,
    /// In hundredths of a retry.
    earned: AtomicI64,
    floor: LocalRateLimiter<C>,
}

impl RetryBudget {
    /// A budget of `percent` retries per hundred requests.
    pub(super) fn new(percent: u32) -> Self {
        Self::with_clock(percent, DefaultClock::default())
    }
}

impl<C: Clock> RetryBudget<C> {
    fn with_clock(percent: u32, clock: C) -> Self {
        let floor = LocalRateLimiter::with_clock(FLOOR_PER_MINUTE, clock);
        Self { percent: i64::from(percent), earned: AtomicI64::new(0), floor }
    }

    /// Earns the share of one request.
    pub(super) fn deposit(&self) {
        // Some threads may each go one step beyond; the bound need not be sharp, and a full budget costs no write.
        if self.earned.load(Ordering::Relaxed) < MAX_SAVED {
            self.earned.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    /// Takes one retry, if there is one left.
    pub(super) fn try_take(&self) -> bool {
        let pay = |earned: i64| (earned >= RETRY).then_some(earned - RETRY);
        let paid = self.earned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok();
        let granted = paid || self.floor.check().is_ok();
        if granted {
            // The retry will be admitted as a request, and must not earn by that.
            self.earned.fetch_sub(self.percent, Ordering::Relaxed);
        }
        granted
    }

    /// Whole retries that requests have earned, without the floor.
    pub(super) fn left(&self) -> i64 {
        self.earned.load(Ordering::Relaxed).max(0) / RETRY
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn budget(percent: u32) -> (RetryBudget<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (RetryBudget::with_clock(percent, clock.clone()), clock)
    }

    /// As in an outage: every request and every retry fails, and each wants a retry.
    fn retries_of(requests: usize, budget: &RetryBudget<FakeRelativeClock>) -> usize {
        let mut retries = 0;
        for _ in 0..requests {
            budget.deposit();
            while budget.try_take() {
                retries += 1;
                budget.deposit();
            }
        }
        retries
    }

    /// E8: retries stay within the percentage of the requests, above the floor of ten.
    #[test]
    fn e8_retries_stay_within_the_percentage() {
        let (budget, _) = budget(20);
        let retries = retries_of(1_000, &budget);
        assert!((190..=210).contains(&retries), "{retries} retries of 1000 requests");
    }

    /// E8: an outage after hours of health begins with a bounded number of retries.
    #[test]
    fn e8_health_saves_up_only_so_much() {
        let (budget, _) = budget(20);
        for _ in 0..1_000_000 {
            budget.deposit();
        }
        let retries = retries_of(1, &budget);
        assert!((80..=120).contains(&retries), "{retries} retries at once");
    }

    #[test]
    fn the_floor_needs_no_traffic_and_refills_slowly() {
        let (budget, clock) = budget(0);
        assert_eq!(retries_of(100, &budget), 10);
        clock.advance(Duration::from_secs(6));
        assert_eq!(retries_of(100, &budget), 1);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(retries_of(100, &budget), 10);
    }
}
