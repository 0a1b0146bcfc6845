//! How leases go on, and how they end: idle slices go back, what is held is renewed, what is gone is told.

use std::collections::HashSet;

use super::LedgerState;
use crate::budgets::account::Account;
use crate::clock::Moment;
use crate::db::StoreError;
use crate::money::amount::PicoUsd;

/// How often a lease is renewed in the time that it stands.
const RENEWALS_PER_LEASE: u32 = 3;

impl LedgerState {
    /// Gives back what nobody uses, and forgets the budgets of which nothing is needed any more.
    pub(super) async fn return_idle(&self) -> Result<(), StoreError> {
        for account in self.ledger.accounts.all() {
            if let Some(amount) = account.take_idle(self.settings.lease_idle, Moment::now()) {
                self.give_back(&account, amount).await?;
            }
        }
        // An alert that the store did not take is told of a budget that is still there.
        if !self.alerts_due.get() {
            let over = self.ledger.accounts.forget_over(self.settings.lease_idle, Moment::now());
            let mut alerted = self.alerted.borrow_mut();
            for (account, percent) in
                over.iter().flat_map(|of| self.settings.alert_percent.iter().map(move |p| (of, p)))
            {
                alerted.remove(&(account.scope().clone(), account.window().name.clone(), *percent));
            }
        }
        Ok(())
    }

    /// Gives the store back what was taken out of an account.
    pub(super) async fn give_back(&self, account: &Account, amount: PicoUsd) -> Result<(), StoreError> {
        let (scope, period) = (account.scope(), &account.window().name);
        let returned = self.store.return_lease(scope, period, &self.ledger.replica, amount).await;
        // Where the store may have it back, nobody spends it: here it would be spent a second time.
        returned.inspect_err(|error| {
            if error.did_nothing() {
                account.put_back(amount);
            }
            self.doubt(error, scope, period);
        })
    }

    /// Renews what this process holds, a few times in the time that a lease stands, and tells whether it was time to.
    pub(super) async fn renew_leases(&self) -> Result<bool, StoreError> {
        let now = Moment::now();
        let since = self.renewed.get().map(|renewed| now.saturating_duration_since(renewed));
        if since.is_some_and(|since| since < self.settings.lease / RENEWALS_PER_LEASE) {
            return Ok(false);
        }
        let good_until = now + self.settings.good_for();
        let renewed = self.store.renew_leases(&self.ledger.replica, self.settings.lease).await?;
        self.renewed.set(Some(now));
        let mut renewed: HashSet<_> = renewed.into_iter().collect();
        let now = Moment::now();
        for account in self.ledger.accounts.all() {
            match renewed.remove(&(account.scope().clone(), account.window().name.clone())) {
                true => account.renewed(good_until, now),
                false => account.not_renewed(good_until, now),
            }
        }
        // What no budget in use holds was left by an answer that was lost, or by a request that cost more than was reserved.
        self.doubts.borrow_mut().extend(renewed);
        Ok(true)
    }

    /// Tells once of each process that is gone with its journal: what it had leased counts as spent, as nobody knows
    /// what of it was. Its row in the store stands until the process, its journal or the end of the period comes.
    pub(super) async fn tell_abandoned(&self) -> Result<(), StoreError> {
        let mut abandoned: HashSet<String> =
            self.store.expired_replicas(self.settings.orphan_lease).await?.into_iter().collect();
        abandoned.remove(&*self.ledger.replica);
        let mut told = self.abandoned.borrow_mut();
        for replica in abandoned.difference(&told) {
            log::warn!(
                "{replica} is gone with its journal: what it had leased counts as spent until one of them comes back"
            );
        }
        for replica in told.difference(&abandoned) {
            log::info!("the leases of {replica} no longer count as spent");
        }
        *told = abandoned;
        Ok(())
    }
}
