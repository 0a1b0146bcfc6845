//! What Redis granted this process of a fleet's limit, to be spent without asking.

use std::collections::{BTreeMap, VecDeque};

/// The part of what is free that one grant may have, so that one process does not take all of it.
const GRANT_DIVISOR: u64 = 8;

/// How long a refusal is believed, in milliseconds: others may give back what they did not use.
const REFUSAL_TTL_MS: u64 = 250;

/// What a taking came from: how much of the grant that ends with which second.
pub type Part = (u64, u64);

/// One grant: it may be spent until its second begins, by Redis' clock.
#[derive(Debug)]
struct Grant {
    second: u64,
    until: u64,
    left: u64,
}

/// The grants of one limit, and what Redis is to be told of them.
#[derive(Debug, Default)]
pub struct Grants {
    grants: VecDeque<Grant>,
    /// Unused amounts by the second of their grant.
    unused: BTreeMap<u64, u64>,
    /// Spent beyond any grant.
    overrun: u64,
    /// What requests wait for.
    wanted: u64,
    /// Taken since the last grant, which tells how large the next one should be.
    taken: u64,
    asked_ahead: bool,
    refused: Option<GrantRefusal>,
    free: u64,
    reset_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct GrantRefusal {
    amount: u64,
    believed_until: u64,
    fits_at: u64,
}

/// Whether a request may go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// It may; this is what it took.
    Taken(Vec<Part>),
    /// Redis has no more; how many milliseconds to wait.
    Refused(u64),
    /// Redis is to be asked.
    Short,
}

/// What Redis is asked and told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// What would be welcome.
    pub want: u64,
    /// What is needed; less is no use.
    pub least: u64,
    /// What is held whatever the limit says.
    pub hold: u64,
    /// Unused amounts by the second of their grant.
    pub unused: Vec<Part>,
}

/// What Redis answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisGrant {
    /// The amount.
    pub amount: u64,
    /// The second until which it may be spent, by Redis' clock.
    pub second: u64,
    /// Milliseconds until then.
    pub lasts: u64,
    /// What is left for others and later.
    pub free: u64,
    /// Milliseconds until what was needed would fit.
    pub wait: u64,
    /// Milliseconds until nothing counts any more.
    pub reset: u64,
}

impl Grants {
    /// Takes from what was granted.
    pub fn take(&mut self, amount: u64, now: u64) -> Take {
        self.expire(now);
        if self.left() < amount {
            return self.refusal(amount, now).map_or(Take::Short, Take::Refused);
        }
        self.taken += amount;
        let mut parts = Vec::with_capacity(1);
        let mut lacking = amount;
        for grant in &mut self.grants {
            let part = lacking.min(grant.left);
            if part > 0 {
                grant.left -= part;
                lacking -= part;
                parts.push((grant.second, part));
            }
        }
        Take::Taken(parts)
    }

    /// Notes what a request waits for, so that one question serves all that wait.
    pub fn want(&mut self, amount: u64) {
        self.wanted = self.wanted.saturating_add(amount);
    }

    /// Takes back an amount of what was taken.
    pub fn give_back(&mut self, parts: &[Part], mut amount: u64, now: u64) {
        self.expire(now);
        for (second, part) in parts.iter().rev() {
            let back = amount.min(*part);
            amount -= back;
            match self.grants.iter_mut().find(|grant| grant.second == *second) {
                Some(grant) => grant.left += back,
                None => *self.unused.entry(*second).or_default() += back,
            }
        }
    }

    /// Counts what was spent beyond what was taken.
    pub fn overrun(&mut self, amount: u64, now: u64) {
        self.expire(now);
        let mut lacking = amount;
        for grant in &mut self.grants {
            let part = lacking.min(grant.left);
            grant.left -= part;
            lacking -= part;
        }
        self.overrun += lacking;
    }

    /// Whether what is left is so little that more should be asked for before it is needed; true once a grant.
    pub fn is_low(&mut self) -> bool {
        let low = self.taken > 1 && self.left() <= self.taken / 4 && self.refused.is_none();
        low && !std::mem::replace(&mut self.asked_ahead, true)
    }

    /// Whether a request that waits for `amount` has its answer.
    pub fn is_answered(&mut self, amount: u64, now: u64) -> bool {
        self.expire(now);
        self.left() >= amount || self.refusal(amount, now).is_some()
    }

    /// What Redis is to be asked for a request of `amount`; zero asks ahead.
    pub fn ask(&mut self, limit: u64, amount: u64, now: u64) -> Ask {
        self.expire(now);
        let waiting = std::mem::take(&mut self.wanted).max(amount);
        let ahead = std::mem::take(&mut self.taken).saturating_mul(2).min(limit / GRANT_DIVISOR);
        Ask {
            want: waiting.max(ahead).max(1),
            least: amount.max(1),
            hold: std::mem::take(&mut self.overrun),
            unused: std::mem::take(&mut self.unused).into_iter().filter(|(_, amount)| *amount > 0).collect(),
        }
    }

    /// What Redis is to be told though nobody asks for anything.
    pub fn news(&mut self, now: u64) -> Option<Ask> {
        self.expire(now);
        if self.unused.is_empty() && self.overrun == 0 {
            return None;
        }
        let unused = std::mem::take(&mut self.unused).into_iter().collect();
        Some(Ask { want: 0, least: 0, hold: std::mem::take(&mut self.overrun), unused })
    }

    /// Takes in an answer that came `now`; `sent` is when it was asked for, so that a grant never lasts longer here than in
    /// Redis.
    pub fn granted(&mut self, ask: &Ask, granted: RedisGrant, sent: u64, now: u64) {
        self.asked_ahead = false;
        self.free = granted.free;
        self.reset_at = sent + granted.reset;
        if ask.want > 0 && granted.amount == 0 {
            let (amount, believed_until, fits_at) = (ask.least, now + REFUSAL_TTL_MS, sent + granted.wait);
            self.refused = Some(GrantRefusal { amount, believed_until, fits_at });
        } else if self.refused.is_some_and(|refused| refused.amount <= granted.amount) {
            // A smaller grant says nothing of what was refused.
            self.refused = None;
        }
        if granted.amount == 0 {
            return;
        }
        match self.grants.iter_mut().find(|grant| grant.second == granted.second) {
            Some(grant) => grant.left += granted.amount,
            None => self.grants.push_back(Grant {
                second: granted.second,
                until: sent + granted.lasts,
                left: granted.amount,
            }),
        }
    }

    /// Nobody knows what became of a question: what it gave back is not given back twice, what it held is told again.
    pub fn unanswered(&mut self, ask: &Ask) {
        self.asked_ahead = false;
        self.overrun += ask.hold;
    }

    /// What may still be taken, here or elsewhere, as far as is known.
    pub fn remaining(&self) -> u64 {
        self.left() + self.free
    }

    /// Milliseconds until nothing counts any more, as far as is known.
    pub fn reset(&self, now: u64) -> u64 {
        self.reset_at.saturating_sub(now)
    }

    fn left(&self) -> u64 {
        self.grants.iter().map(|grant| grant.left).sum()
    }

    /// How many milliseconds a request has to wait that Redis has no room for.
    fn refusal(&self, amount: u64, now: u64) -> Option<u64> {
        let refused = self.refused.filter(|refused| now < refused.believed_until && amount >= refused.amount)?;
        Some(refused.fits_at.saturating_sub(now).max(1))
    }

    fn expire(&mut self, now: u64) {
        while let Some(grant) = self.grants.front()
            && grant.until <= now
        {
            if grant.left > 0 {
                *self.unused.entry(grant.second).or_default() += grant.left;
            }
            self.grants.pop_front();
        }
    }
}
