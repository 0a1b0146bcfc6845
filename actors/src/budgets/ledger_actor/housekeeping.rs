//! What the ledger does now and then: limits, prices, idle slices, and the journals of processes that are gone.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

use super::{LedgerState, LimitOf, SetLimit, SetPrice};
use crate::db::StoreError;
use crate::fleet::announce::Change;
use crate::usage::journal::{Orphan, take_orphans};
use crate::usage::outbox::Counts;

/// How long the end of the process waits for attempts that are being cut or counted.
const LAST_ATTEMPTS_TIMEOUT: Duration = Duration::from_secs(3);

/// How long spend is kept after its period ended: more than a year, and a day in which it ends in every time zone.
const SPEND_DAYS: i64 = 401;

/// How long what a process that is gone had leased is kept after its period ended: it has ended in every time zone.
const LEASE_DAYS: i64 = 1;

/// Rows of a left journal in one transaction.
const BATCH_SIZE: usize = 500;

/// Old rows that go in one statement.
const PRUNE_BATCH_SIZE: u32 = 500;

impl LedgerState {
    /// Each step by itself: what one of them cannot do keeps no other from its work.
    pub(super) async fn keep_house(&self) {
        let Ok(_alone) = self.housekeeping.try_lock() else { return };
        log::trace!("the ledger keeps house");
        self.note("limits and prices", self.refresh().await);
        self.note("idle slices", self.return_idle().await);
        self.note("doubtful leases", self.settle_doubts().await);
        self.note("left journals", self.take_up_orphans().await);
        let renewed = self.renew_leases().await;
        // All leases are read for it, so that it is done no more often than they are renewed.
        if matches!(renewed, Ok(true)) {
            self.note("abandoned leases", self.tell_abandoned().await);
        }
        self.note("renewal of leases", renewed);
    }

    pub(super) async fn seed_prices(&self) -> Result<(), StoreError> {
        self.store.seed_prices(self.ledger.prices.load().rows()).await
    }

    /// Removes what was spent in periods that are long over, and the rows of the usage log that are older than they are
    /// kept (G7), some at a time.
    pub(super) async fn prune(&self, now: SystemTime) -> Result<(), StoreError> {
        let ago = |days| DateTime::<Utc>::from(now) - TimeDelta::days(days);
        self.store.delete_spend_before(ago(SPEND_DAYS)).await?;
        self.store.delete_leases_before(ago(LEASE_DAYS), self.settings.orphan_lease).await?;
        let Some(before) = self.settings.keep_usage.and_then(|keep| now.checked_sub(keep)) else { return Ok(()) };
        let mut count = 0;
        loop {
            let removed = self.store.delete_usage_before(before, PRUNE_BATCH_SIZE).await?;
            count += removed;
            if removed == 0 {
                break;
            }
            // Whatever else waits for the store has its turn.
            tokio::task::yield_now().await;
        }
        if count > 0 {
            log::info!("removed {count} expired rows of the usage log");
        }
        Ok(())
    }

    /// Writes the rows of processes that were killed, then gives back what they had leased (B2).
    /// What one of them cannot do keeps no other from being taken up.
    ///
    /// # Errors
    /// Where the store is away, or the folder cannot be read.
    pub(super) async fn take_up_orphans(&self) -> Result<(), StoreError> {
        for orphan in take_orphans(&self.settings.journal).map_err(StoreError::Journal)? {
            if self.refused.borrow().contains(&orphan.replica) {
                continue;
            }
            let work = format!("journal of {}", orphan.replica);
            match self.take_up(orphan).await {
                Err(error) if error.is_away() => return Err(error),
                taken => self.note(&work, taken),
            }
        }
        Ok(())
    }

    async fn take_up(&self, orphan: Orphan) -> Result<(), StoreError> {
        let (mut count, mut refused) = (0, 0);
        let read = orphan.read(BATCH_SIZE, async |rows| {
            count += rows.len();
            refused += self.record(&Arc::new(rows.iter().cloned().map(Box::new).collect())).await?.len();
            Ok::<_, StoreError>(())
        });
        let unreadable = read.await?;
        if unreadable > 0 {
            log::error!("{unreadable} pieces of the usage journal of {} are no rows", orphan.replica);
        }
        if refused > 0 {
            log::error!(
                "the store refuses {refused} usage rows that {} left: its journal stays, and its leases count as spent",
                orphan.replica
            );
            self.refused.borrow_mut().insert(orphan.replica);
            return Ok(());
        }
        self.store.release_replica(&orphan.replica).await?;
        log::info!("recovered {count} usage rows that {} left", orphan.replica);
        orphan.remove().map_err(StoreError::Journal)
    }

    pub(super) async fn set_limit(&self, set: SetLimit) -> Result<(), StoreError> {
        let limit = serde_json::json!({ "monthly_limit_usd": set.limit });
        match set.of {
            LimitOf::User(user) => {
                self.store.set_user_budget(&user, set.limit).await?;
                self.store.audit("user_budget.set", &user, limit).await;
            }
            LimitOf::Team(team) => {
                self.store.set_team_budget(&team, set.limit).await?;
                self.store.audit("team_budget.set", &team, limit).await;
            }
        }
        self.announcer.announce(Change::Money);
        // The change is made, whatever becomes of the look at it; a later look succeeds.
        self.note("limits and prices", self.refresh().await);
        Ok(())
    }

    pub(super) async fn set_price(&self, SetPrice(price): SetPrice) -> Result<(), StoreError> {
        self.store.set_price(&price).await?;
        let subject = format!("{}/{}", price.provider, price.model);
        self.store.audit("price.set", &subject, serde_json::json!(price)).await;
        self.announcer.announce(Change::Money);
        self.note("limits and prices", self.refresh().await);
        Ok(())
    }

    /// The end of the process: rows into the store, leases back, journal away.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let begun = Instant::now();
        while self.ledger.open_attempts() > 0 && begun.elapsed() < LAST_ATTEMPTS_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _alone = self.flushing.lock().await;
        let flushed = self.flush_all().await;
        // A file that cannot be read stays for the next start, as does all that an attempt has still to write to.
        if !matches!(flushed, Ok(()) | Err(StoreError::Journal(_))) || self.ledger.open_attempts() > 0 {
            return flushed;
        }
        // What a row costs that is in the journal alone stays leased until whoever takes the journal up has booked it (L-4).
        if self.ledger.waiting() == Counts::default()
            && !self.ledger.journal().has_rows().map_err(StoreError::Journal)?
        {
            self.store.release_replica(&self.ledger.replica).await?;
        }
        self.ledger.journal().close();
        flushed
    }
}
