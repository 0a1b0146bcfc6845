//! The circuit breaker of one provider.
//!
//! The words are those of an electrical circuit: *closed* = traffic flows, *open* = nothing is sent, *half-open* = the
//! cooldown is over and one request, the probe, may try. Requests only touch the atomics of a [`Gate`]; the [`Breaker`]
//! has one owner, which is told of failures and of how probes ended, and alone opens and closes the gate.

mod gate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::settings::BreakerSettings;
pub use gate::{Admitted, Gate, Strike};

/// How often the cooldown doubles at most: up to eight times the configured one.
const MAX_DOUBLINGS: u32 = 3;

/// What a circuit breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// What a message to the breaker changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Traffic stopped for this long.
    Opened(Duration),
    /// Traffic flows again.
    Closed,
}

/// The breaker's rules, which open and close its gate. Instants are arguments; whoever owns it brings the clock.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    gate: Arc<Gate>,
    /// The counts of the half window before the one that the gate counts in.
    earlier: Counts,
    /// How often the breaker opened since it was last closed.
    openings: u32,
}

impl Breaker {
    /// A closed breaker; `now` is where its gate's clock begins.
    pub fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self { settings, gate: Arc::new(Gate::new(now)), earlier: Counts::default(), openings: 0 }
    }

    /// What requests ask before they go, and tell how they ended.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Hears of a failure, and opens when it was one too many.
    pub fn failed(&mut self, strike: Strike, now: Instant) -> Option<Transition> {
        let current = self.gate.is_closed() && self.gate.epoch() == strike.epoch;
        (current && self.is_too_much(strike.consecutive)).then(|| self.open(now))
    }

    /// Hears that the probe of this epoch was answered well, and closes.
    pub fn probe_succeeded(&mut self, epoch: u16) -> Option<Transition> {
        self.awaits_probe(epoch).then(|| {
            self.openings = 0;
            self.earlier = Counts::default();
            self.gate.close();
            Transition::Closed
        })
    }

    /// Hears that the probe of this epoch failed, and opens again for twice as long, up to eight cooldowns.
    pub fn probe_failed(&mut self, epoch: u16, now: Instant) -> Option<Transition> {
        self.awaits_probe(epoch).then(|| self.open(now))
    }

    /// Ends a half window; call it twice per `window_ms`, so that the window always covers between a half and the whole.
    pub fn rotate(&mut self) {
        self.earlier = self.gate.take_counts();
    }

    /// How the requests of the window ended.
    pub fn counts(&self) -> Counts {
        let current = self.gate.counts();
        Counts {
            successes: self.earlier.successes + current.successes,
            failures: self.earlier.failures + current.failures,
        }
    }

    fn is_too_much(&self, consecutive: u32) -> bool {
        let BreakerSettings { failure_threshold, failure_threshold_percentage, minimum_requests, .. } = self.settings;
        if failure_threshold == 0 {
            return false;
        }
        let Counts { successes, failures } = self.counts();
        let requests = successes + failures;
        let percentage_reached = failure_threshold_percentage > 0
            && requests >= u64::from(minimum_requests)
            && failures * 100 >= requests * u64::from(failure_threshold_percentage);
        consecutive >= failure_threshold || percentage_reached
    }

    fn awaits_probe(&self, epoch: u16) -> bool {
        !self.gate.is_closed() && self.gate.epoch() == epoch
    }

    fn open(&mut self, now: Instant) -> Transition {
        let doubled = 1 << self.openings.min(MAX_DOUBLINGS);
        let cooldown = Duration::from_millis(self.settings.cooldown_ms).saturating_mul(doubled);
        self.openings += 1;
        self.earlier = Counts::default();
        self.gate.open(now, cooldown);
        Transition::Opened(cooldown)
    }
}

#[cfg(test)]
mod tests;
