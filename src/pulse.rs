//! Whether every worker thread still turns: each notes now and then that it does, and whoever asks compares times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::state::Worker;

/// How often a worker notes that it turns.
const BEAT: Duration = Duration::from_secs(1);

/// The silence after which a worker counts as stuck.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// When each worker was last seen to turn.
pub struct Pulses {
    born: Instant,
    workers: Mutex<Vec<Arc<AtomicU64>>>,
}

impl Default for Pulses {
    fn default() -> Self {
        Self { born: Instant::now(), workers: Mutex::default() }
    }
}

impl Pulses {
    /// Whether every worker was seen lately.
    pub fn all_beat(&self, now: Instant) -> bool {
        let (now, silence) = (self.millis(now), u64::try_from(MAX_SILENCE.as_millis()).unwrap_or(u64::MAX));
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().all(|seen| now.saturating_sub(seen.load(Ordering::Relaxed)) < silence)
    }

    fn add(&self) -> Arc<AtomicU64> {
        let seen = Arc::new(AtomicU64::new(self.millis(Instant::now())));
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        seen
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Notes for as long as the thread lives that its event loop turns and its router answers, which is started again where
/// it has ended.
pub async fn beat(worker: Arc<Worker>) {
    let pulses = &worker.shared.pulses;
    let seen = pulses.add();
    let mut beats = tokio::time::interval(BEAT);
    loop {
        beats.tick().await;
        if worker.router.is_alive() {
            seen.store(pulses.millis(Instant::now()), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M-11: one worker that stands still is seen, however many others turn.
    #[test]
    fn m11_one_silent_worker_is_enough() {
        let pulses = Pulses::default();
        let (one, other) = (pulses.add(), pulses.add());
        let later = pulses.born + MAX_SILENCE + BEAT;
        assert!(pulses.all_beat(pulses.born + MAX_SILENCE / 2));
        one.store(pulses.millis(later), Ordering::Relaxed);
        assert!(!pulses.all_beat(later));
        other.store(pulses.millis(later), Ordering::Relaxed);
        assert!(pulses.all_beat(later));
    }
}
