//! A histogram of whole numbers in powers of two: one atomic addition to record, 65 counters to keep.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of values; bucket `n` holds those of `n` binary digits.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; 65],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; 65] }
    }
}

impl Histogram {
    /// Counts one value.
    pub(super) fn record(&self, value: u64) {
        let digits = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get(digits) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A power of two that `percent` of the values do not reach beyond, or 0 when nothing was recorded.
    pub(super) fn quantile(&self, percent: u64) -> u64 {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = total.saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        for (digits, count) in (0_u32..).zip(counts) {
            seen += count;
            if count > 0 && seen >= rank {
                return if digits == 0 { 0 } else { 1_u64.checked_shl(digits).unwrap_or(u64::MAX) };
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_upper_edge_of_the_bucket_that_holds_the_rank() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(99), 0);
        for _ in 0..98 {
            histogram.record(3);
        }
        histogram.record(900);
        histogram.record(u64::MAX);
        assert_eq!(histogram.quantile(50), 4);
        assert_eq!(histogram.quantile(99), 1024);
        assert_eq!(histogram.quantile(100), u64::MAX);
    }

    #[test]
    fn nothing_but_zeros_is_zero() {
        let histogram = Histogram::default();
        histogram.record(0);
        assert_eq!(histogram.quantile(50), 0);
    }
}
