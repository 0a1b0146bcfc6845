//! The part of a breaker that requests touch: a few atomics, no lock, no message.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::BreakerState;

/// The bit of the word that tells that a probe is under way.
const PROBING: u64 = 1 << 47;
/// The bits of the word that hold the end of the cooldown.
const REOPEN: u64 = PROBING - 1;
/// Where the epoch stands in the word.
const EPOCH_SHIFT: u32 = 48;
/// How long to wait for a probe that is under way, whose end nobody knows.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// What requests ask before they go.
#[derive(Debug)]
pub(super) struct Gate {
    base: Instant,
    /// Epoch (16 bits), probe under way (1 bit), end of the cooldown in milliseconds since `base` (47 bits, 0 = closed).
    /// All in one word, so that whoever takes the probe's slot by compare-exchange has seen all of it.
    word: AtomicU64,
    /// Whether a request has failed since the last one that was answered well.
    troubled: AtomicBool,
}

/// Leave to send one request; give it back to the gate with how the request ended.
#[derive(Debug)]
#[must_use = "a probe that is not given back keeps its breaker open"]
pub struct GateTicket {
    /// The time between two transitions in which the request was admitted.
    epoch: u16,
    probe: bool,
}

impl GateTicket {
    /// Leave by a breaker that is new, and therefore closed.
    pub fn by_new_breaker() -> Self {
        Self { epoch: 0, probe: false }
    }

    /// Whether this request decides if the breaker closes.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// What a probe is once it has closed the circuit: an ordinary request of the time after.
    pub fn after_closing(&self) -> Self {
        Self { epoch: self.epoch.wrapping_add(1), probe: false }
    }
}

impl Gate {
    /// A closed gate, whose clock begins at `base`.
    pub(super) fn new(base: Instant) -> Self {
        Self { base, word: AtomicU64::new(0), troubled: AtomicBool::new(false) }
    }

    /// Lets a request go: always while closed, and as the only probe once the cooldown is over.
    ///
    /// # Errors
    /// Otherwise, with how long to wait.
    pub(super) fn admit(&self, now: Instant) -> Result<GateTicket, Duration> {
        let word = self.word.load(Ordering::Acquire);
        let reopen = word & REOPEN;
        if reopen == 0 {
            return Ok(GateTicket { epoch: epoch_of(word), probe: false });
        }
        let remaining = reopen.saturating_sub(self.millis(now));
        if remaining > 0 {
            return Err(Duration::from_millis(remaining));
        }
        let is_free = word & PROBING == 0;
        if is_free && self.word.compare_exchange(word, word | PROBING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return Ok(GateTicket { epoch: epoch_of(word), probe: true });
        }
        Err(PROBE_WAIT)
    }

    /// Whether a request would be refused now.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        let word = self.word.load(Ordering::Acquire);
        self.state_of(word, now) != BreakerState::Closed && (word & PROBING != 0 || word & REOPEN > self.millis(now))
    }

    /// What the breaker lets through now.
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        self.state_of(self.word.load(Ordering::Acquire), now)
    }

    /// Notes that a request failed.
    pub(super) fn note_trouble(&self) {
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// Calls `forget` where a request has failed since this was called last; reading first keeps the cache line shared
    /// between the threads of a healthy provider.
    pub(super) fn forget_trouble(&self, forget: impl FnOnce()) {
        if self.troubled.load(Ordering::Relaxed) && self.troubled.swap(false, Ordering::Relaxed) {
            forget();
        }
    }

    /// Frees the slot of a probe that ended without telling anything about the provider.
    pub(super) fn abandoned(&self, admitted: &GateTicket) {
        let word = self.word.load(Ordering::Acquire);
        if admitted.probe && admitted.epoch == epoch_of(word) {
            // Only this probe may change the word of its epoch, but for what opens or closes the gate: that word has no probe.
            let _ = self.word.compare_exchange(word, word & !PROBING, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Whether the gate is closed, and was since the request was admitted.
    pub(super) fn is_current(&self, admitted: &GateTicket) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & REOPEN == 0 && epoch_of(word) == admitted.epoch
    }

    /// Whether the gate waits for how this probe ends.
    pub(super) fn awaits(&self, probe: &GateTicket) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & REOPEN != 0 && epoch_of(word) == probe.epoch
    }

    /// Stops traffic; under the breaker's lock, while it is closed or its probe has just ended.
    pub(super) fn open(&self, now: Instant, cooldown: Duration) {
        let cooldown = u64::try_from(cooldown.as_millis()).unwrap_or(REOPEN);
        // 0 would mean closed.
        self.begin_epoch(self.millis(now).saturating_add(cooldown).clamp(1, REOPEN));
    }

    /// Lets traffic flow; under the breaker's lock, when its probe has just ended.
    pub(super) fn close(&self) {
        self.begin_epoch(0);
    }

    fn begin_epoch(&self, reopen: u64) {
        let epoch = u64::from(epoch_of(self.word.load(Ordering::Acquire)).wrapping_add(1));
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
