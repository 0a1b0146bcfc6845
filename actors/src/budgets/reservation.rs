//! Money held for one attempt: in all of its budgets, or in none.

use std::sync::Arc;

use super::account::{Account, BudgetLimit, Shortage};
use crate::clock::Moment;
use crate::money::amount::PicoUsd;

/// One budget that a request must fit into.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The budget.
    pub account: Arc<Account>,
    /// What it allows at the moment.
    pub budget: BudgetLimit,
}

/// Money reserved in every budget of a request. Dropping it, on whatever ending, gives it back (B2).
#[derive(Debug)]
#[must_use = "dropping the reservation gives the money back"]
pub struct Reservation {
    held: Vec<Claim>,
    amount: PicoUsd,
}

/// The first budget that a request does not fit into.
#[derive(Clone, Debug)]
pub struct BudgetExceeded {
    /// The budget.
    pub claim: Claim,
    /// How much it lacks.
    pub shortage: Shortage,
}

impl Reservation {
    /// Reserves `amount` in all budgets at once. The claims come in one order for all requests (key, user, team), so
    /// that two requests never wait for each other.
    ///
    /// # Errors
    /// Where one of the budgets is short; nothing is then reserved.
    pub fn take(claims: Vec<Claim>, amount: PicoUsd, now: Moment) -> Result<Self, Box<BudgetExceeded>> {
        let mut states: Vec<_> = claims.iter().map(|claim| claim.account.lock()).collect();
        for (state, claim) in states.iter_mut().zip(&claims) {
            state.note_limit(claim.budget.limit);
            if let Err(shortage) = state.check(amount, now) {
                return Err(Box::new(BudgetExceeded { claim: claim.clone(), shortage }));
            }
        }
        states.iter_mut().for_each(|state| state.reserve(amount, now));
        drop(states);
        Ok(Self { held: claims, amount })
    }

    /// What is reserved.
    pub fn amount(&self) -> PicoUsd {
        self.amount
    }

    /// Books what the attempt cost instead of what was reserved.
    pub fn settle(mut self, cost: PicoUsd) {
        self.give_back(cost);
    }

    fn give_back(&mut self, cost: PicoUsd) {
        for claim in self.held.drain(..) {
            claim.account.settle(self.amount, cost);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(PicoUsd::default());
    }
}
