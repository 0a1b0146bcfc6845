//! One limit of a minute: counted here, and in a fleet also granted by Redis.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::grants::{Ask, Grants, Part, RedisGrant, Take};
use super::tally::Tally;

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemainingLimit {
    /// Requests, or tokens, in a minute.
    pub limit: u64,
    /// What may be taken at once now.
    pub remaining: u64,
    /// Until the whole limit is there again, if nobody takes anything.
    pub reset: Duration,
}

/// What was taken, to be given back or settled.
#[derive(Debug)]
pub struct Ticket {
    amount: u64,
    second: u64,
    parts: Vec<Part>,
}

/// Why nothing was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The limit is reached; when it would fit.
    Full(Duration),
    /// The fleet is to be asked first.
    Short,
}

/// The counter of one limit; the limit itself is told with each request, so that an edit keeps what was counted.
#[derive(Debug, Default)]
pub struct Minute {
    state: Mutex<State>,
    /// One question to Redis at a time: those that wait for it share its answer.
    pub(super) asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    grants: Grants,
}

impl Minute {
    /// Takes an amount by this process' own count.
    ///
    /// # Errors
    /// When it would fit.
    pub fn take_here(&self, limit: u64, amount: u64, now: u64) -> Result<Ticket, NotTaken> {
        let amount = amount.min(limit);
        let second = self.state().tally.take(limit, amount, now).map_err(|wait| NotTaken::Full(millis(wait)))?;
        Ok(Ticket { amount, second, parts: Vec::new() })
    }

    /// Takes an amount from what the fleet granted; the own count goes along, for when Redis is away.
    ///
    /// # Errors
    /// When it would fit, or that the fleet must be asked.
    pub fn take_granted(&self, limit: u64, amount: u64, now: u64) -> Result<Ticket, NotTaken> {
        let amount = amount.min(limit);
        let mut state = self.state();
        match state.grants.take(amount, now) {
            Take::Taken(parts) => Ok(Ticket { amount, second: state.tally.add(amount, now), parts }),
            Take::Refused(wait) => Err(NotTaken::Full(millis(wait))),
            Take::Short => {
                state.grants.want(amount);
                Err(NotTaken::Short)
            }
        }
    }

    /// Whether more should be asked for before it is needed.
    pub fn is_low(&self) -> bool {
        self.state().grants.is_low()
    }

    /// What is left by this process' own count.
    pub fn left_here(&self, limit: u64, now: u64) -> RemainingLimit {
        let mut state = self.state();
        let remaining = limit.saturating_sub(state.tally.used(now));
        RemainingLimit { limit, remaining, reset: millis(state.tally.reset(now)) }
    }

    /// What is left in the fleet, as far as this process knows.
    pub fn left_granted(&self, limit: u64, now: u64) -> RemainingLimit {
        let state = self.state();
        RemainingLimit { limit, remaining: state.grants.remaining().min(limit), reset: millis(state.grants.reset(now)) }
    }

    /// Corrects what was taken to what was used.
    pub fn settle(&self, ticket: &Ticket, used: u64, now: u64) {
        let mut state = self.state();
        if used > ticket.amount {
            let overrun = used - ticket.amount;
            state.tally.add(overrun, now);
            // Without a grant it was counted here alone.
            if !ticket.parts.is_empty() {
                state.grants.overrun(overrun, now);
            }
        } else {
            let unused = ticket.amount - used;
            state.tally.give_back(ticket.second, unused);
            state.grants.give_back(&ticket.parts, unused, now);
        }
    }

    /// What Redis is to be asked for a request; none where it has its answer already.
    pub(super) fn ask(&self, limit: u64, amount: u64, now: u64) -> Option<Ask> {
        let mut state = self.state();
        let amount = amount.min(limit);
        (amount == 0 || !state.grants.is_answered(amount, now)).then(|| state.grants.ask(limit, amount, now))
    }

    /// What Redis is to be told.
    pub(super) fn news(&self, now: u64) -> Option<Ask> {
        self.state().grants.news(now)
    }

    /// Takes in what came `now` of a question that was asked at `sent`.
    pub(super) fn answered(&self, ask: &Ask, granted: Option<RedisGrant>, sent: u64, now: u64) {
        let mut state = self.state();
        match granted {
            Some(granted) => state.grants.granted(ask, granted, sent, now),
            None => state.grants.unanswered(ask),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
