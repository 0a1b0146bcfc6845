//! Leases: a slice of a budget for this process.

use std::sync::Arc;

use super::{Fund, LedgerState, part};
use crate::budgets::account::{Account, LeaseGrant};
use crate::clock::Moment;
use crate::db::StoreError;
use crate::scope::Scope;

/// The slice that is asked for beyond what a request needs, in hundredths of the limit. The store grants less near the
/// limit, so that money is not stranded on one replica.
const SLICE_PERCENT: u32 = 5;

impl LedgerState {
    /// Leases enough for a request, and some more for those that follow: of many at once, one asks the store for all.
    pub(super) async fn fund(&self, fund: Fund) -> Result<(), StoreError> {
        let Fund { claim, amount } = fund;
        let (account, budget) = (claim.account, claim.budget);
        let Some((_turn, wanted)) = account.demand().turn(amount).await else { return Ok(()) };
        if account.has_lapsed(Moment::now()) {
            self.end_lapsed(&account).await?;
        }
        let balance = account.balance();
        let lacking =
            wanted.minus(balance.slice.minus(balance.reserved)).max(crate::money::amount::PicoUsd::from_picos(1));
        let want = lacking.max(part(budget.limit, SLICE_PERCENT));
        // From before the store is asked, so that it never ends later than there.
        let good_until = Moment::now() + self.settings.good_for();
        let lease = crate::db::LeaseRequest {
            scope: account.scope(),
            period: &budget.window.name,
            replica: &self.ledger.replica,
            want,
            at_least: lacking,
            limit: budget.limit,
            stands: self.settings.lease,
        };
        let granted = self.store.lease(lease).await;
        let granted = granted.inspect_err(|error| self.doubt(error, account.scope(), &budget.window.name))?;
        let granted =
            LeaseGrant { added: granted.added, total: granted.granted_total, spent: granted.spent, good_until };
        account.granted(granted, amount, Moment::now());
        Ok(())
    }

    /// Gives back what this process may not spend any more, should the store still hold it for it.
    async fn end_lapsed(&self, account: &Account) -> Result<(), StoreError> {
        // As what is held must not be looked at in between, see `settle_doubts`.
        let _no_other = self.housekeeping.lock().await;
        let Some(amount) = account.take_lapsed(Moment::now()) else { return Ok(()) };
        log::warn!("the lease of the {} expired while the store was unavailable", account.scope());
        // Others may have leased what was granted here: they must first know what was spent of it.
        let _alone = self.flushing.lock().await;
        let flushed = self.flush_all().await;
        flushed.inspect_err(|_| account.put_back(amount))?;
        self.give_back(account, amount).await
    }

    /// Remembers a budget whose lease the store may have changed, or not.
    pub(super) fn doubt(&self, error: &StoreError, scope: &Scope, period: &Arc<str>) {
        if !error.did_nothing() {
            self.doubts.borrow_mut().insert((scope.clone(), period.clone()));
        }
    }

    /// Lets the store believe what is so (B2).
    pub(super) async fn settle_doubts(&self) -> Result<(), StoreError> {
        let doubts: Vec<_> = self.doubts.borrow().iter().cloned().collect();
        for doubt in doubts {
            let (scope, period) = &doubt;
            // What is not in use any more holds nothing.
            let held = || self.ledger.accounts.find(scope, period).map(|account| account.held()).unwrap_or_default();
            self.store.true_up(scope, period, &self.ledger.replica, held).await?;
            self.doubts.borrow_mut().remove(&doubt);
        }
        Ok(())
    }
}
