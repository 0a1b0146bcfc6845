//! A circuit breaker, which opens and closes by its own counters: whoever sends requests needs nobody else for it.
//!
//! The words are those of an electrical circuit: *closed* = traffic flows, *open* = nothing is sent, *half-open* = the
//! cooldown is over and one request, the probe, may try. A request that ends well touches atomics only; failures, which
//! are rare or already slow, take a lock for some nanoseconds.

mod gate;
mod streak;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::settings::BreakerSettings;
use gate::Gate;
pub use gate::GateTicket;
pub use streak::Fault;
use streak::Streak;
use window::Window;

/// How often the cooldown doubles at most: up to eight times the configured one.
const MAX_DOUBLINGS: u32 = 3;

/// What a circuit breaker lets through, from all to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Traffic flows.
    Closed,
    /// The cooldown is over: one probe may try.
    HalfOpen,
    /// Nothing is sent until the cooldown is over.
    Open,
}

impl BreakerState {
    /// The value of the `llm_circuit_breaker_state` gauge: 0 closed, 1 half-open, 2 open.
    pub fn gauge(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// How requests ended within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that the provider answered well.
    pub successes: u64,
    /// Requests that failed by the provider's fault.
    pub failures: u64,
}

impl Counts {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { successes: self.successes + other.successes, failures: self.failures + other.failures }
    }
}

/// What the end of a request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Traffic stopped for this long.
    Opened(Duration),
    /// Traffic flows again.
    Closed,
}

/// The breaker. Instants are arguments; whoever uses it brings the clock.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    gate: Gate,
    window: Window,
    /// Held by whoever opens or closes the gate, so that this happens once.
    streak: Mutex<Streak>,
    times_opened: AtomicU64,
}

impl Breaker {
    /// A closed breaker whose clock begins at `base`.
    pub fn new(settings: BreakerSettings, base: Instant) -> Self {
        Self {
            settings,
            gate: Gate::new(base),
            window: Window::new(base, Duration::from_millis(settings.window_ms)),
            streak: Mutex::default(),
            times_opened: AtomicU64::new(0),
        }
    }

    /// Lets a request go: always while closed, and as the only probe once the cooldown is over.
    ///
    /// # Errors
    /// Otherwise, with how long to wait.
    pub fn admit(&self, now: Instant) -> Result<GateTicket, Duration> {
        self.gate.admit(now)
    }

    /// Whether a request would be refused now.
    pub fn refuses(&self, now: Instant) -> bool {
        self.gate.refuses(now)
    }

    /// What the breaker lets through now.
    pub fn state(&self, now: Instant) -> BreakerState {
        self.gate.state(now)
    }

    /// How the requests of the window ended.
    pub fn counts(&self, now: Instant) -> Counts {
        self.window.counts(now)
    }

    /// How often it opened.
    pub fn times_opened(&self) -> u64 {
        self.times_opened.load(Ordering::Relaxed)
    }

    /// Counts a request that was answered well; a probe closes the breaker by that.
    pub fn succeeded(&self, admitted: &GateTicket, now: Instant) -> Option<Transition> {
        if admitted.is_probe() {
            let mut streak = self.streak();
            return self.gate.awaits(admitted).then(|| {
                *streak = Streak::default();
                self.window.clear();
                self.gate.close();
                Transition::Closed
            });
        }
        if self.gate.is_current(admitted) {
            self.window.add(Counts { successes: 1, failures: 0 }, now);
            self.gate.forget_trouble(|| self.streak().end());
        }
        None
    }

    /// Counts a request that failed by the provider's fault. One too many opens the breaker, and a probe opens it again;
    /// what was admitted before it last opened or closed is no news.
    pub fn failed(&self, admitted: &GateTicket, fault: Fault, now: Instant) -> Option<Transition> {
        let mut streak = self.streak();
        if admitted.is_probe() {
            return self.gate.awaits(admitted).then(|| {
                streak.probe_failed(fault, now);
                self.open(&mut streak, now)
            });
        }
        if !self.gate.is_current(admitted) {
            return None;
        }
        self.window.add(Counts { successes: 0, failures: 1 }, now);
        streak.failed(fault, now, Duration::from_millis(self.settings.window_ms));
        self.gate.note_trouble();
        self.is_too_much(&streak, now).then(|| self.open(&mut streak, now))
    }

    /// Frees the place of a probe that ended without telling anything about the provider.
    pub fn abandoned(&self, admitted: &GateTicket) {
        self.gate.abandoned(admitted);
    }

    /// With traffic the share of failures alone decides. Without, failures in a row do where they do not come from one
    /// key, which may ask for what the provider cannot do, or where nobody can be served (J 3).
    fn is_too_much(&self, streak: &Streak, now: Instant) -> bool {
        let BreakerSettings { failure_threshold, failure_threshold_percentage, minimum_requests, .. } = self.settings;
        if failure_threshold == 0 {
            return false;
        }
        let Counts { successes, failures } = self.window.counts(now);
        let requests = successes + failures;
        if failure_threshold_percentage > 0 && requests >= u64::from(minimum_requests) {
            return failures * 100 >= requests * u64::from(failure_threshold_percentage);
        }
        streak.blames_provider(failure_threshold)
    }

    fn open(&self, streak: &mut Streak, now: Instant) -> Transition {
        let doubled = 1 << streak.doublings().min(MAX_DOUBLINGS);
        let cooldown = Duration::from_millis(self.settings.cooldown_ms).saturating_mul(doubled);
        streak.end();
        self.window.clear();
        self.times_opened.fetch_add(1, Ordering::Relaxed);
        self.gate.open(now, cooldown);
        Transition::Opened(cooldown)
    }

    fn streak(&self) -> MutexGuard<'_, Streak> {
        self.streak.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
