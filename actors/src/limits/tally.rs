//! A sliding minute: what was taken in the last sixty seconds, by the second.

use std::collections::VecDeque;

/// Seconds for which what was taken counts.
pub const WINDOW: u64 = 60;

/// Amounts by the second in which they were taken. Each counts from then until a minute after the end of its second, so
/// that no sixty seconds ever hold more than the limit (E6).
#[derive(Debug, Default)]
pub struct Tally {
    used: u64,
    seconds: VecDeque<(u64, u64)>,
}

impl Tally {
    /// Counts an amount that fits, and gives the second in which it stands.
    ///
    /// # Errors
    /// In how many milliseconds it would fit, if nobody else takes anything.
    pub fn take(&mut self, limit: u64, amount: u64, now: u64) -> Result<u64, u64> {
        self.forget(now);
        if self.used.saturating_add(amount) > limit {
            return Err(self.wait(limit, amount, now));
        }
        Ok(self.add(amount, now))
    }

    /// Counts an amount whether it fits or not.
    pub fn add(&mut self, amount: u64, now: u64) -> u64 {
        self.forget(now);
        let second = now / 1000;
        self.used += amount;
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += amount,
            _ => self.seconds.push_back((second, amount)),
        }
        second
    }

    /// Takes back an amount that was counted in `second`; what counts no more is taken back already.
    pub fn give_back(&mut self, second: u64, amount: u64) {
        if let Some((_, sum)) = self.seconds.iter_mut().find(|(at, _)| *at == second) {
            let back = amount.min(*sum);
            *sum -= back;
            self.used -= back;
        }
    }

    /// What counts now.
    pub fn used(&mut self, now: u64) -> u64 {
        self.forget(now);
        self.used
    }

    /// Milliseconds until nothing counts any more.
    pub fn reset(&self, now: u64) -> u64 {
        self.seconds.back().map_or(0, |(second, _)| end(*second).saturating_sub(now))
    }

    fn wait(&self, limit: u64, amount: u64, now: u64) -> u64 {
        let mut used = self.used;
        let fits = self.seconds.iter().find(|(_, sum)| {
            used -= sum;
            used.saturating_add(amount) <= limit
        });
        // What is more than the whole limit never fits.
        fits.map_or(WINDOW * 1000, |(second, _)| end(*second).saturating_sub(now))
    }

    fn forget(&mut self, now: u64) {
        while let Some((second, sum)) = self.seconds.front()
            && end(*second) <= now
        {
            self.used -= sum;
            self.seconds.pop_front();
        }
    }
}

/// When what was taken in a second counts no more, in milliseconds.
fn end(second: u64) -> u64 {
    (second + 1 + WINDOW) * 1000
}
