//! All budgets of the process, and the calendar that they count by.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use foldhash::HashMap;

use super::account::{Account, BudgetLimit};
use super::reservation::Claim;
use crate::clock::Moment;
use crate::keys::virtual_key::VirtualKey;
use crate::money::amount::PicoUsd;
use crate::money::period::{BudgetPeriod, PeriodWindow};
use crate::scope::{BudgetName, Scope, ScopeKind};
use crate::usage::charge::Charge;

/// The monthly limits of users and teams, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthlyLimits {
    /// `user_budgets`.
    pub users: std::collections::HashMap<String, PicoUsd>,
    /// `team_budgets`.
    pub teams: std::collections::HashMap<String, PicoUsd>,
}

/// Every budget of the process. The ledger publishes the limits, requests reserve and settle.
pub struct Accounts {
    calendar: Calendar,
    limits: ArcSwap<MonthlyLimits>,
    accounts: RwLock<HashMap<BudgetName, Arc<Account>>>,
}

impl Accounts {
    /// No budgets yet; months begin by the calendar of `zone`.
    pub fn new(zone: Tz) -> Self {
        Self { calendar: Calendar::new(zone), limits: ArcSwap::default(), accounts: RwLock::default() }
    }

    /// Publishes the limits of users and teams.
    pub fn publish(&self, limits: MonthlyLimits) {
        self.limits.store(Arc::new(limits));
    }

    /// The limits of users and teams.
    pub fn limits(&self) -> Arc<MonthlyLimits> {
        self.limits.load_full()
    }

    /// The stretch of time that `now` falls into.
    pub fn window(&self, period: BudgetPeriod, now: DateTime<Utc>) -> Arc<PeriodWindow> {
        self.calendar.window(period, now)
    }

    /// The budgets that a request of this key must fit into: none where nothing limits it.
    pub fn claims(&self, key: &VirtualKey, now: DateTime<Utc>) -> Vec<Claim> {
        let limits = self.limits.load();
        let mut claims = Vec::new();
        let mut claim = |kind, id: &str, limit, period| {
            let budget = BudgetLimit { limit, period, window: (*self.window(period, now)).clone() };
            claims.push(Claim { account: self.account(Scope::new(kind, id), &budget), budget });
        };
        if let Some(limit) = key.budget_limit_usd {
            claim(ScopeKind::Key, &key.id_text, limit.into(), key.budget_period);
        }
        for (kind, id, limits) in
            [(ScopeKind::User, &key.user_id, &limits.users), (ScopeKind::Team, &key.team_id, &limits.teams)]
        {
            if let Some(id) = id.as_deref()
                && let Some(limit) = limits.get(id)
            {
                claim(kind, id, *limit, BudgetPeriod::Month);
            }
        }
        claims
    }

    /// Adds where a request of this key that begins now is added up.
    pub fn charge(&self, key: &VirtualKey, now: DateTime<Utc>, charges: &mut Vec<Charge>) {
        let month = || self.window(BudgetPeriod::Month, now).name.clone();
        let period = self.window(key.budget_period, now).name.clone();
        charges.push(Charge { scope: Scope::new(ScopeKind::Key, key.id_text.clone()), period });
        for (kind, id) in [(ScopeKind::User, &key.user_id), (ScopeKind::Team, &key.team_id)] {
            if let Some(id) = id.as_deref() {
                charges.push(Charge { scope: Scope::new(kind, id), period: month() });
            }
        }
    }

    /// The budget of a scope and of the stretch of time with this name, if it is in use.
    pub fn find(&self, scope: &Scope, period: &Arc<str>) -> Option<Arc<Account>> {
        self.get(&(scope.clone(), period.clone()))
    }

    /// Every budget that is in use.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Forgets the budgets that nobody used for `idle` and that hold nothing, and gives them.
    pub fn forget_over(&self, idle: Duration, now: Moment) -> Vec<Arc<Account>> {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        // Who has an account may still reserve in it: there must never be two for the same budget. With the lock held,
        // nobody gets one.
        let over = accounts.extract_if(|_, account| Arc::strong_count(account) == 1 && account.is_over(idle, now));
        over.map(|(_, account)| account).collect()
    }

    fn get(&self, key: &BudgetName) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn account(&self, scope: Scope, budget: &BudgetLimit) -> Arc<Account> {
        let key = (scope, budget.window.name.clone());
        if let Some(account) = self.get(&key) {
            return account;
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let scope = key.0.clone();
        accounts.entry(key).or_insert_with(|| Arc::new(Account::new(scope, budget))).clone()
    }
}

/// The current day, week and month, worked out once for each.
struct Calendar {
    zone: Tz,
    windows: [(BudgetPeriod, ArcSwap<PeriodWindow>); 4],
}

impl Calendar {
    fn new(zone: Tz) -> Self {
        let now = Utc::now();
        let cell = |period: BudgetPeriod| (period, ArcSwap::from_pointee(period.at(now, zone)));
        let windows = [BudgetPeriod::Total, BudgetPeriod::Day, BudgetPeriod::Week, BudgetPeriod::Month].map(cell);
        Self { zone, windows }
    }

    fn window(&self, period: BudgetPeriod, now: DateTime<Utc>) -> Arc<PeriodWindow> {
        let Some((_, cell)) = self.windows.iter().find(|(of, _)| *of == period) else {
            return Arc::new(period.at(now, self.zone));
        };
        let current = cell.load_full();
        if current.contains(now) {
            return current;
        }
        let wanted = Arc::new(period.at(now, self.zone));
        // A request of an earlier stretch may still make attempts (B6).
        if current.is_over(now) {
            cell.store(wanted.clone());
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    /// B6, M-4: whatever was asked for before, a moment is in its own day and month: after midnight, across a month's
    /// end, and where the clocks change.
    #[test]
    fn b6_a_moment_has_its_own_period_in_any_order() {
        for (zone, before, after, day, month) in [
            (
                Tz::UTC,
                "2027-01-31T23:59:59Z",
                "2027-02-01T00:00:00Z",
                ("2027-01-31", "2027-02-01"),
                ("2027-01", "2027-02"),
            ),
            (
                chrono_tz::Asia::Ho_Chi_Minh,
                "2027-01-31T16:59:59Z",
                "2027-01-31T17:00:00Z",
                ("2027-01-31", "2027-02-01"),
                ("2027-01", "2027-02"),
            ),
            // The clocks go from 02:00 to 03:00 on this day.
            (
                chrono_tz::Europe::Berlin,
                "2027-03-28T21:59:59Z",
                "2027-03-28T22:00:00Z",
                ("2027-03-28", "2027-03-29"),
                ("2027-03", "2027-03"),
            ),
        ] {
            let accounts = Accounts::new(zone);
            let name = |period, moment| accounts.window(period, at(moment)).name.clone();
            for _ in 0..2 {
                assert_eq!(&*name(BudgetPeriod::Day, before), day.0, "{zone}");
                assert_eq!(&*name(BudgetPeriod::Day, after), day.1, "{zone}");
                assert_eq!(&*name(BudgetPeriod::Month, before), month.0, "{zone}");
                assert_eq!(&*name(BudgetPeriod::Month, after), month.1, "{zone}");
                assert_eq!(&*name(BudgetPeriod::Total, before), "total");
            }
            let week = |moment| name(BudgetPeriod::Week, moment);
            assert_eq!(week("2027-01-04T12:00:00Z"), week("2027-01-10T12:00:00Z"));
            assert_ne!(week("2027-01-04T12:00:00Z"), week("2027-01-11T12:00:00Z"));
            assert_eq!(&*week("2027-01-04T12:00:00Z"), "2027-W01");
        }
    }
}
