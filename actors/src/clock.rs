//! Moments by a clock that also runs while the machine is suspended: a lease ends there as it does in the store.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;

/// Elsewhere the monotonic clock is the best there is; macOS counts the time of sleep in it.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment since the machine was started, the time in which it was suspended included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Self(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()))
    }

    /// The time since an earlier moment; nothing where that is later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// The latest moment there is, where the sum is beyond it.
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L-5: the clock is the one of the machine's uptime, which a suspension does not stop.
    #[cfg(target_os = "linux")]
    #[test]
    fn l5_the_clock_counts_the_time_of_suspension() {
        let uptime = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
        };
        let before = uptime();
        let now = Moment::now();
        // The uptime is told in hundredths of a second.
        let hundredth = Duration::from_millis(10);
        assert!(before <= now.0 + hundredth && now.0 <= uptime() + hundredth, "{before:?} {now:?}");
    }
}
