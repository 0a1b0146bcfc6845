//! The part of a breaker that requests touch: a few atomics, no lock, no message.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{BreakerState, Counts};

/// The bit of the word that tells that a probe is under way.
const PROBING: u64 = 1 << 47;
/// The bits of the word that hold the end of the cooldown.
const REOPEN: u64 = PROBING - 1;
/// Where the epoch stands in the word.
const EPOCH_SHIFT: u32 = 48;
/// How long to wait for a probe that is under way, whose end nobody knows.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// What requests ask before they go, and tell how they ended.
#[derive(Debug)]
pub struct Gate {
    base: Instant,
    /// Epoch (16 bits), probe under way (1 bit), end of the cooldown in milliseconds since `base` (47 bits, 0 = closed).
    /// All in one word, so that whoever takes the probe's slot by compare-exchange has seen all of it.
    word: AtomicU64,
    consecutive: AtomicU32,
    successes: AtomicU64,
    failures: AtomicU64,
}

/// Leave to send one request; give it back to the gate with how the request ended.
#[derive(Debug)]
#[must_use = "a probe that is not given back keeps its breaker open"]
pub struct Admitted {
    epoch: u16,
    probe: bool,
}

impl Admitted {
    /// Whether this request decides if the breaker closes.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// What a probe is once it has closed the circuit: an ordinary request of the time after.
    pub fn after_closing(&self) -> Self {
        Self { epoch: self.epoch.wrapping_add(1), probe: false }
    }

    /// The time between two transitions in which the request was admitted.
    pub fn epoch(&self) -> u16 {
        self.epoch
    }
}

/// A failure that counts, for the breaker to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The time between two transitions in which the request was admitted; failures of an earlier one are stale.
    pub epoch: u16,
    /// Failures since the last success, this one included.
    pub consecutive: u32,
}

impl Gate {
    /// A closed gate, whose clock begins at `base`.
    pub(super) fn new(base: Instant) -> Self {
        Self {
            base,
            word: AtomicU64::new(0),
            consecutive: AtomicU32::new(0),
            successes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Lets a request go: always while closed, and as the only probe once the cooldown is over.
    ///
    /// # Errors
    /// Otherwise, with how long to wait.
    pub fn admit(&self, now: Instant) -> Result<Admitted, Duration> {
        let word = self.word.load(Ordering::Acquire);
        let reopen = word & REOPEN;
        if reopen == 0 {
            return Ok(Admitted { epoch: epoch_of(word), probe: false });
        }
        let remaining = reopen.saturating_sub(self.millis(now));
        if remaining > 0 {
            return Err(Duration::from_millis(remaining));
        }
        let is_free = word & PROBING == 0;
        if is_free && self.word.compare_exchange(word, word | PROBING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return Ok(Admitted { epoch: epoch_of(word), probe: true });
        }
        Err(PROBE_WAIT)
    }

    /// Whether a request would be refused now.
    pub fn refuses(&self, now: Instant) -> bool {
        let word = self.word.load(Ordering::Acquire);
        self.state_of(word, now) != BreakerState::Closed && (word & PROBING != 0 || word & REOPEN > self.millis(now))
    }

    /// What the breaker lets through now.
    pub fn state(&self, now: Instant) -> BreakerState {
        self.state_of(self.word.load(Ordering::Acquire), now)
    }

    /// Counts a request that was answered well. A probe's owner must hear of it besides.
    pub fn succeeded(&self) {
        self.successes.fetch_add(1, Ordering::Relaxed);
        // Reading first keeps the cache line shared between the threads of a healthy provider.
        if self.consecutive.load(Ordering::Relaxed) != 0 {
            self.consecutive.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a request that failed by the provider's fault, unless the breaker has opened or closed meanwhile.
    pub fn failed(&self, admitted: &Admitted) -> Option<Strike> {
        if admitted.epoch != self.epoch() {
            return None;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let consecutive = self.consecutive.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        Some(Strike { epoch: admitted.epoch, consecutive })
    }

    /// Frees the slot of a probe that ended without telling anything about the provider.
    pub fn abandoned(&self, admitted: &Admitted) {
        let word = self.word.load(Ordering::Acquire);
        if admitted.probe && admitted.epoch == epoch_of(word) {
            // Only this probe may change the word of its epoch, but for the owner, whose new word has no probe.
            let _ = self.word.compare_exchange(word, word & !PROBING, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) & REOPEN == 0
    }

    pub(super) fn epoch(&self) -> u16 {
        epoch_of(self.word.load(Ordering::Acquire))
    }

    /// Stops traffic; only the breaker does, while it is closed or its probe has just ended.
    pub(super) fn open(&self, now: Instant, cooldown: Duration) {
        let cooldown = u64::try_from(cooldown.as_millis()).unwrap_or(REOPEN);
        // 0 would mean closed.
        self.begin_epoch(self.millis(now).saturating_add(cooldown).clamp(1, REOPEN));
    }

    /// Lets traffic flow; only the breaker does, when its probe has just ended.
    pub(super) fn close(&self) {
        self.begin_epoch(0);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { successes: self.successes.load(Ordering::Relaxed), failures: self.failures.load(Ordering::Relaxed) }
    }

    pub(super) fn take_counts(&self) -> Counts {
        Counts {
            successes: self.successes.swap(0, Ordering::Relaxed),
            failures: self.failures.swap(0, Ordering::Relaxed),
        }
    }

    fn begin_epoch(&self, reopen: u64) {
        self.consecutive.store(0, Ordering::Relaxed);
        self.take_counts();
        let epoch = u64::from(self.epoch().wrapping_add(1));
        self.word.store(epoch << EPOCH_SHIFT | reopen, Ordering::Release);
    }

    fn state_of(&self, word: u64, now: Instant) -> BreakerState {
        match word & REOPEN {
            0 => BreakerState::Closed,
            reopen if reopen > self.millis(now) => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.base).as_millis()).unwrap_or(REOPEN)
    }
}

fn epoch_of(word: u64) -> u16 {
    (word >> EPOCH_SHIFT) as u16
}
