//! Limits of keys, users and teams: requests and tokens in any minute, and requests under way at once.
//!
//! A process counts by itself. With Redis the limits hold for all processes together: each is granted a part of what is
//! free, spends it without asking, and gives back what it did not use.

pub mod admission;
mod grants;
pub mod in_flight;
pub mod limit_table;
pub mod local_rate;
mod minute;
mod parallel;
pub mod redis_limiter;
mod tally;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;
use std::time::Instant;

pub(crate) use grants::{Ask, RedisGrant};
pub use minute::RemainingLimit;
pub(crate) use tally::WINDOW;

use crate::scope::Scope;
use minute::Minute;
use parallel::Parallel;

/// What a key, a user or a team may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in any minute; none means no limit.
    pub requests_per_minute: Option<u32>,
    /// Tokens in any minute, of questions and answers together; none means no limit.
    pub tokens_per_minute: Option<u32>,
    /// Requests under way at once; none means no limit.
    pub max_parallel: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// Requests in any minute.
    Requests,
    /// Tokens in any minute.
    Tokens,
    /// Requests under way at once.
    Parallel,
}

impl LimitKind {
    /// The word for it in Redis' keys and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Parallel => "parallel",
        }
    }
}

/// The counters of one key, user or team.
#[derive(Debug)]
pub struct Counters {
    scope: Scope,
    requests: Minute,
    tokens: Minute,
    parallel: Parallel,
}

impl Counters {
    /// Counters at zero.
    pub fn new(scope: Scope) -> Self {
        Self { scope, requests: Minute::default(), tokens: Minute::default(), parallel: Parallel::default() }
    }

    /// Whose they are.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The lock that lets one question to Redis go at a time.
    pub(crate) fn asking(&self, kind: LimitKind) -> &tokio::sync::Mutex<()> {
        match kind {
            LimitKind::Requests => &self.requests.asking,
            LimitKind::Tokens => &self.tokens.asking,
            LimitKind::Parallel => &self.parallel.asking,
        }
    }

    /// What Redis is to be asked for a request; none where there is no need any more.
    pub(crate) fn ask(&self, kind: LimitKind, limit: u64, amount: u64, now: u64) -> Option<Ask> {
        match kind {
            LimitKind::Requests => self.requests.ask(limit, amount, now),
            LimitKind::Tokens => self.tokens.ask(limit, amount, now),
            LimitKind::Parallel => self.parallel.ask(now),
        }
    }

    /// What Redis is to be told though no request waits for it.
    pub(crate) fn news(&self, kind: LimitKind, now: u64) -> Option<Ask> {
        match kind {
            LimitKind::Requests => self.requests.news(now),
            LimitKind::Tokens => self.tokens.news(now),
            LimitKind::Parallel => self.parallel.news(now),
        }
    }

    /// Takes in what came `now` of a question that was asked at `sent`; none where nobody knows.
    pub(crate) fn answered(&self, kind: LimitKind, ask: &Ask, granted: Option<RedisGrant>, (sent, now): (u64, u64)) {
        match kind {
            LimitKind::Requests => self.requests.answered(ask, granted, sent, now),
            LimitKind::Tokens => self.tokens.answered(ask, granted, sent, now),
            LimitKind::Parallel => self.parallel.answered(ask, granted, sent, now),
        }
    }
}

/// Milliseconds of this process' own clock, which only goes forward.
pub(crate) fn now() -> u64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX)
}
