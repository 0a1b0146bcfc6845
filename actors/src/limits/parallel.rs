//! One limit of requests under way at once: counted here, and in a fleet within what Redis granted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::grants::{Ask, RedisGrant};

/// How long a refusal is believed, in milliseconds.
const REFUSAL_TTL_MS: u64 = 50;

/// How long before its end a grant is renewed, in milliseconds.
const RENEWAL_MS: u64 = 5_000;

/// The counter of requests under way; the limit itself is told with each request.
#[derive(Debug, Default)]
pub struct Parallel {
    state: Mutex<State>,
    /// One question to Redis at a time.
    pub(super) asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    busy: u64,
    /// The most that were under way since Redis was last told.
    peak: u64,
    wanted: u64,
    /// Places that Redis granted until a second of its clock, which is `until` by ours.
    held: u64,
    /// What Redis counts for this process until then.
    told: u64,
    second: u64,
    until: u64,
    refused_until: u64,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// All are taken.
    Full,
    /// The fleet is to be asked first.
    Short,
}

impl Parallel {
    /// Takes a place by this process' own count.
    ///
    /// # Errors
    /// Where all are taken.
    pub fn take_here(&self, limit: u64) -> Result<(), NoPlace> {
        let mut state = self.state();
        if state.busy >= limit {
            return Err(NoPlace::Full);
        }
        state.take();
        Ok(())
    }

    /// Takes one of the places that the fleet granted.
    ///
    /// # Errors
    /// Where all are taken, or the fleet must be asked.
    pub fn take_granted(&self, limit: u64, now: u64) -> Result<(), NoPlace> {
        let mut state = self.state();
        if state.busy >= limit {
            return Err(NoPlace::Full);
        }
        if state.has_place(now) {
            state.take();
            return Ok(());
        }
        if now < state.refused_until {
            return Err(NoPlace::Full);
        }
        state.wanted += 1;
        Err(NoPlace::Short)
    }

    /// Whether this process alone has as many under way as all may.
    pub fn is_full_here(&self, limit: u64) -> bool {
        self.state().busy >= limit
    }

    /// Gives a place back.
    pub fn release(&self) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
    }

    /// What Redis is to be asked for one request; none where it has its answer already. All that is held moves along.
    pub(super) fn ask(&self, now: u64) -> Option<Ask> {
        let mut state = self.state();
        if state.has_place(now) || now < state.refused_until {
            return None;
        }
        let want = std::mem::take(&mut state.wanted).max(1);
        Some(state.moving(want, now))
    }

    /// What Redis is to be told: that idle places are given up, or that the held ones are held on.
    pub(super) fn news(&self, now: u64) -> Option<Ask> {
        let mut state = self.state();
        let needed = state.peak.max(state.busy);
        state.peak = state.busy;
        let ends = state.held > 0 && state.until.saturating_sub(now) < RENEWAL_MS;
        if state.held <= needed && !ends {
            return None;
        }
        state.held = state.held.min(needed);
        Some(state.moving(0, now))
    }

    /// Takes in what came `now` of a question that was asked at `sent`.
    pub(super) fn answered(&self, ask: &Ask, granted: Option<RedisGrant>, sent: u64, now: u64) {
        let mut state = self.state();
        match granted {
            Some(granted) => {
                state.held = ask.hold + granted.amount;
                state.told = state.held;
                (state.second, state.until) = (granted.second, sent + granted.lasts);
                if ask.want > 0 && granted.amount == 0 {
                    state.refused_until = now + REFUSAL_TTL_MS;
                }
            }
            // The former grant may be there or not; it ends by itself, and those under way are told of with the next question.
            None => (state.held, state.told, state.until) = (0, 0, 0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) {
        self.busy += 1;
        self.peak = self.peak.max(self.busy);
    }

    fn has_place(&self, now: u64) -> bool {
        now < self.until && self.busy < self.held
    }

    /// What is held, moved to a new end. Requests that began while Redis was away are told of here.
    fn moving(&mut self, want: u64, now: u64) -> Ask {
        let hold = if now < self.until { self.held.max(self.busy) } else { self.busy };
        let least = u64::from(want > 0);
        let former = (self.second, self.told);
        Ask { want, least, hold, unused: if self.told > 0 { vec![former] } else { Vec::new() } }
    }
}
