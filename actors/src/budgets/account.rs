//! One budget as this process sees it: a slice leased from the store, and what of it is reserved.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::demand::Demand;
use crate::clock::Moment;
use crate::money::amount::PicoUsd;
use crate::money::period::{BudgetPeriod, PeriodWindow};
use crate::scope::Scope;

/// How long the store's word that a budget is used up is believed without asking again.
const EXHAUSTED_TTL: Duration = Duration::from_millis(500);

/// A budget of one scope and one stretch of time in this process. The slice is spent without the store; the sum of all replicas' slices and of
/// what was spent never exceeds the limit, because the store grants them so.
#[derive(Debug)]
pub struct Account {
    scope: Scope,
    window: PeriodWindow,
    state: Mutex<State>,
    demand: Demand,
}

/// What a budget allows at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLimit {
    /// The limit.
    pub limit: PicoUsd,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// The stretch of time that a request of now counts in.
    pub window: PeriodWindow,
}

/// A budget as `GET /admin/budgets` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The limit when it was last used.
    pub limit: PicoUsd,
    /// Settled by all replicas, as far as this one knows.
    pub spent: PicoUsd,
    /// Reserved by requests under way in this process.
    pub reserved: PicoUsd,
    /// Leased to this process and not spent, the reserved part included.
    pub slice: PicoUsd,
}

/// A request that does not fit into this process' slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What is free in the slice; negative where a request cost more than was reserved for it.
    pub free: PicoUsd,
    /// Whether the store may have more than is free here.
    pub ask_store: bool,
}

/// What the store says of a budget after it was asked for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// What was added to this process' slice.
    pub added: PicoUsd,
    /// All that this process may spend by the store, with what was added.
    pub total: PicoUsd,
    /// Settled by all replicas, as far as the store knows.
    pub spent: PicoUsd,
    /// Until when it may be spent, unless it is renewed.
    pub good_until: Moment,
}

#[derive(Debug)]
pub(super) struct State {
    limit: PicoUsd,
    spent_in_store: PicoUsd,
    /// Settled here and not in the store yet.
    unwritten: PicoUsd,
    reserved: PicoUsd,
    slice: PicoUsd,
    /// By the clock of this process; afterwards the store may have given the slice to others.
    good_until: Moment,
    used_up: Option<(PicoUsd, Moment)>,
    last_use: Moment,
}

impl Account {
    /// A budget without any slice.
    pub fn new(scope: Scope, budget: &BudgetLimit) -> Self {
        let (zero, now) = (PicoUsd::default(), Moment::now());
        let state = State {
            limit: budget.limit,
            spent_in_store: zero,
            unwritten: zero,
            reserved: zero,
            slice: zero,
            good_until: now,
            used_up: None,
            last_use: now,
        };
        Self { scope, window: budget.window.clone(), state: Mutex::new(state), demand: Demand::default() }
    }

    /// Whose budget it is.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The stretch of time that it is for.
    pub fn window(&self) -> &PeriodWindow {
        &self.window
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures.
    pub fn balance(&self) -> Balance {
        let state = self.lock();
        Balance { limit: state.limit, spent: state.spent(), reserved: state.reserved, slice: state.slice }
    }

    /// The requests that wait for more.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Takes in what the store granted.
    pub fn granted(&self, granted: LeaseGrant, asked: PicoUsd, now: Moment) {
        let mut state = self.lock();
        if granted.total == granted.added {
            // Whatever was there is no longer this process' own.
            state.slice = state.slice.min(state.reserved);
        }
        state.slice = state.slice.plus(granted.added);
        state.good_until = granted.good_until;
        state.spent_in_store = granted.spent;
        let short = asked > state.free();
        state.used_up = short.then_some((asked, now));
    }

    /// Whether there is a slice that may not be spent any more.
    pub fn has_lapsed(&self, now: Moment) -> bool {
        let state = self.lock();
        state.has_lapsed(now) && state.free() > PicoUsd::default()
    }

    /// Lets the slice be spent until `good_until`, unless it may be gone already.
    pub fn renewed(&self, good_until: Moment, now: Moment) {
        let mut state = self.lock();
        if !state.has_lapsed(now) {
            state.good_until = state.good_until.max(good_until);
        }
    }

    /// The store knows of no lease when it is renewed: others may have the slice. A grant that came since, whose end is
    /// later than `good_until`, stands.
    pub fn not_renewed(&self, good_until: Moment, now: Moment) {
        let mut state = self.lock();
        if state.slice > PicoUsd::default() && state.good_until < good_until {
            state.good_until = state.good_until.min(now);
        }
    }

    /// Frees a reservation and books what the request really cost.
    pub(super) fn settle(&self, reserved: PicoUsd, cost: PicoUsd) {
        let mut state = self.lock();
        state.reserved = state.reserved.minus(reserved);
        state.slice = state.slice.minus(cost);
        state.unwritten = state.unwritten.plus(cost);
    }

    /// Notes that the store now knows of some costs.
    pub fn written(&self, cost: PicoUsd) {
        let mut state = self.lock();
        state.unwritten = state.unwritten.minus(cost);
        state.spent_in_store = state.spent_in_store.plus(cost);
    }

    /// What the store has to believe that this process may spend.
    pub fn held(&self) -> PicoUsd {
        let state = self.lock();
        state.slice.plus(state.unwritten)
    }

    /// Puts back what was taken and could not be given to the store.
    pub fn put_back(&self, amount: PicoUsd) {
        let mut state = self.lock();
        state.slice = state.slice.plus(amount);
    }

    /// Takes the part of the slice that nobody has used for `idle`, or may use any more, to give it back to the store.
    pub fn take_idle(&self, idle: Duration, now: Moment) -> Option<PicoUsd> {
        let mut state = self.lock();
        if state.is_idle(idle, now) || state.has_lapsed(now) { state.take_free() } else { None }
    }

    /// Takes the part of the slice that may not be used any more, to give it back to the store, should it still be there.
    pub fn take_lapsed(&self, now: Moment) -> Option<PicoUsd> {
        let mut state = self.lock();
        if state.has_lapsed(now) { state.take_free() } else { None }
    }

    /// Whether nothing of it is needed any more: unused for `idle`, nothing reserved, nothing to spend, all of it written.
    pub(super) fn is_over(&self, idle: Duration, now: Moment) -> bool {
        let (state, zero) = (self.lock(), PicoUsd::default());
        state.is_idle(idle, now) && state.reserved == zero && state.unwritten == zero && state.slice <= zero
    }
}

impl State {
    fn spent(&self) -> PicoUsd {
        self.spent_in_store.plus(self.unwritten)
    }

    fn free(&self) -> PicoUsd {
        self.slice.minus(self.reserved)
    }

    fn has_lapsed(&self, now: Moment) -> bool {
        self.good_until <= now
    }

    fn is_idle(&self, idle: Duration, now: Moment) -> bool {
        now.saturating_duration_since(self.last_use) >= idle
    }

    fn take_free(&mut self) -> Option<PicoUsd> {
        let free = Some(self.free()).filter(|free| *free > PicoUsd::default())?;
        self.slice = self.slice.minus(free);
        Some(free)
    }

    /// Takes note of a changed limit.
    pub(super) fn note_limit(&mut self, limit: PicoUsd) {
        if self.limit != limit {
            self.limit = limit;
            self.used_up = None;
        }
    }

    /// Whether `amount` fits. What is spent counts beside the slice, so that a lowered limit holds at once.
    pub(super) fn check(&self, amount: PicoUsd, now: Moment) -> Result<(), Shortage> {
        let under_limit = self.limit.minus(self.spent()).minus(self.reserved);
        let free = self.free().min(under_limit);
        if self.has_lapsed(now) && amount > PicoUsd::default() {
            return Err(Shortage { free: free.min(PicoUsd::default()), ask_store: true });
        }
        if amount <= free {
            return Ok(());
        }
        let believed =
            |(asked, at): (PicoUsd, Moment)| asked <= amount && now.saturating_duration_since(at) < EXHAUSTED_TTL;
        // What is known of the spend may be out of date, so that only the store can say that a budget is used up.
        let ask_store = !self.used_up.is_some_and(believed);
        Err(Shortage { free, ask_store })
    }

    pub(super) fn reserve(&mut self, amount: PicoUsd, now: Moment) {
        self.reserved = self.reserved.plus(amount);
        self.last_use = now;
    }
}
