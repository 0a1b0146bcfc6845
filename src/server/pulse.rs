//! Whether every worker thread still turns: each notes now and then that it does, and whoever asks compares times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::state::Worker;

/// How often a worker notes that it turns.
const PULSE_INTERVAL: Duration = Duration::from_secs(1);

/// The silence after which a worker counts as stuck.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// The silence of all workers together after which the whole process stood still: it was stopped or suspended, and no
/// worker is to blame.
const MIN_STANDSTILL: Duration = Duration::from_secs(5);

/// When each worker was last seen to turn.
pub struct Pulses {
    born: Instant,
    times: Mutex<PulseTimes>,
}

/// Times in milliseconds since the pulses were born.
#[derive(Default)]
struct PulseTimes {
    /// Each worker's own, which is gone when the worker has ended.
    workers: Vec<Weak<AtomicU64>>,
    /// When any of them last ran.
    ran: u64,
    /// When the process last went on after a standstill.
    resumed: u64,
}

impl PulseTimes {
    fn note(&mut self, now: u64) {
        if now.saturating_sub(self.ran) >= millis(MIN_STANDSTILL) {
            self.resumed = now;
        }
        self.ran = self.ran.max(now);
    }
}

impl Default for Pulses {
    fn default() -> Self {
        Self { born: Instant::now(), times: Mutex::default() }
    }
}

impl Pulses {
    /// Whether every worker was seen lately, asked by one of them. After a standstill of the process each has time to be
    /// seen again.
    pub fn all_beat(&self, now: Instant) -> bool {
        let now = self.since_born(now);
        let mut times = self.times();
        times.note(now);
        let resumed = times.resumed;
        let is_late = |last: u64| now.saturating_sub(last.max(resumed)) >= millis(MAX_SILENCE);
        !times.workers.iter().filter_map(Weak::upgrade).any(|last| is_late(last.load(Ordering::Relaxed)))
    }

    /// The pulse of a worker, which counts for as long as it is held.
    fn add(&self, now: Instant) -> Arc<AtomicU64> {
        let pulse = Arc::new(AtomicU64::new(self.since_born(now)));
        let mut times = self.times();
        times.workers.retain(|worker| worker.strong_count() > 0);
        times.workers.push(Arc::downgrade(&pulse));
        pulse
    }

    /// Notes that a worker's event loop turns, and where its router answers that all is well with it.
    fn beat(&self, pulse: &AtomicU64, router_answers: bool, now: Instant) {
        let now = self.since_born(now);
        self.times().note(now);
        if router_answers {
            pulse.store(now, Ordering::Relaxed);
        }
    }

    fn times(&self) -> MutexGuard<'_, PulseTimes> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_born(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.born))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Notes for as long as the thread lives that its event loop turns and its router answers, which is started again where
/// it has ended. When the thread ends this is dropped, and its pulse with it.
pub async fn beat(worker: Arc<Worker>) {
    let pulses = &worker.shared.pulses;
    let pulse = pulses.add(Instant::now());
    let mut beats = tokio::time::interval(PULSE_INTERVAL);
    loop {
        beats.tick().await;
        pulses.beat(&pulse, worker.router.is_alive(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a worker beat once a second up to a time after the pulses were born; gives that time.
    fn beats(pulses: &Pulses, worker: &AtomicU64, seconds: std::ops::RangeInclusive<u64>) -> Instant {
        let times = seconds.map(|second| pulses.born + PULSE_INTERVAL * u32::try_from(second).unwrap());
        times.inspect(|now| pulses.beat(worker, true, *now)).last().unwrap()
    }

    /// M-11: one worker that stands still is seen, however many others turn.
    #[test]
    fn m11_one_silent_worker_is_enough() {
        let pulses = Pulses::default();
        let (one, other) = (pulses.add(pulses.born), pulses.add(pulses.born));
        assert!(pulses.all_beat(beats(&pulses, &one, 1..=9)));
        let later = beats(&pulses, &one, 10..=11);
        assert!(!pulses.all_beat(later));
        pulses.beat(&other, true, later);
        assert!(pulses.all_beat(later));
    }

    /// M-11: so is one whose router does not answer, though it asks by itself.
    #[test]
    fn m11_a_worker_without_a_router_is_seen() {
        let pulses = Pulses::default();
        let alone = pulses.add(pulses.born);
        for second in 1..=11 {
            pulses.beat(&alone, false, pulses.born + PULSE_INTERVAL * second);
        }
        assert!(!pulses.all_beat(pulses.born + PULSE_INTERVAL * 11));
    }

    /// M-11: a process that was stopped is alive when it goes on, whether a probe or a beat comes first; a worker that
    /// stands still from then on is seen.
    #[test]
    fn m11_a_process_that_was_stopped_is_alive() {
        for beat_first in [false, true] {
            let pulses = Pulses::default();
            let (one, _other) = (pulses.add(pulses.born), pulses.add(pulses.born));
            beats(&pulses, &one, 1..=2);
            let resumed = pulses.born + PULSE_INTERVAL * 60;
            if beat_first {
                pulses.beat(&one, true, resumed);
            }
            assert!(pulses.all_beat(resumed) && pulses.all_beat(resumed + PULSE_INTERVAL / 10), "{beat_first}");
            assert!(pulses.all_beat(beats(&pulses, &one, 61..=69)), "{beat_first}");
            assert!(!pulses.all_beat(beats(&pulses, &one, 70..=71)), "{beat_first}");
        }
    }

    /// M-11: a worker that has ended, and was started again, is not missed for good.
    #[test]
    fn m11_a_worker_that_ended_is_forgotten() {
        let pulses = Pulses::default();
        let (one, ended) = (pulses.add(pulses.born), pulses.add(pulses.born));
        let later = beats(&pulses, &one, 1..=11);
        assert!(!pulses.all_beat(later));
        drop(ended);
        assert!(pulses.all_beat(later));
        let _again = pulses.add(later);
        assert_eq!(pulses.times().workers.len(), 2);
    }
}
