//! From memory and journal into the store, in batches.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{LedgerState, part};
use crate::db::StoreError;
use crate::money::amount::PicoUsd;
use crate::scope::Scope;
use crate::usage::charge::Charge;
use crate::usage::outbox::PendingRow;
use crate::usage::row::{SharedRows, UsageRow};

/// Rows in one transaction.
const BATCH_SIZE: usize = 2_000;

/// The size at which the journal begins a new file, so that stored rows do not pile up.
const JOURNAL_BYTES: u64 = 4 << 20;

impl LedgerState {
    /// Writes every waiting row; what the store does not take waits on.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let Ok(_alone) = self.flushing.try_lock() else { return Ok(()) };
        self.flush_all().await
    }

    pub(super) async fn flush_all(&self) -> Result<(), StoreError> {
        let mut result = self.write_out(self.ledger.take()).await;
        // What memory had no room for comes back from the journal (J 6); a file that cannot be read holds no other back.
        let mut unreadable = Vec::new();
        while result.is_ok() && unreadable.len() < self.ledger.spilled_pieces() {
            match self.ledger.take_spilled() {
                Ok(waiting) => result = self.write_out(waiting.unwrap_or_default()).await,
                Err(error) => unreadable.push(error),
            }
        }
        // Where the disk was full, a file of stored rows makes room.
        let journal = self.ledger.journal();
        if (journal.bytes() > JOURNAL_BYTES || (journal.refuses() && journal.bytes() > 0))
            && let Err(error) = journal.rotate()
        {
            log::error!("usage journal: {error}");
        }
        result?;
        self.alert().await?;
        unreadable.pop().map_or(Ok(()), |error| Err(StoreError::Journal(error)))
    }

    /// Writes rows, and gives the places of those that the store refuses. They are found by halving, so that they hold no
    /// other row back.
    pub(super) async fn record(&self, rows: &SharedRows) -> Result<Vec<usize>, StoreError> {
        let (mut refused, mut pieces) = (Vec::new(), vec![(0, rows.len())]);
        while let Some((start, end)) = pieces.pop() {
            match self.store.record_rows(rows, start..end).await {
                Err(error) if error.is_refusal() && end - start == 1 => {
                    let id = rows.get(start).map(|row| row.id).unwrap_or_default();
                    log::error!("the store refuses the usage row {id}, which stays in the journal: {error}");
                    self.stats.fail(&error.to_string());
                    refused.push(start);
                }
                Err(error) if error.is_refusal() => {
                    let middle = start.midpoint(end);
                    pieces.extend([(middle, end), (start, middle)]);
                }
                recorded => recorded?,
            }
        }
        Ok(refused)
    }

    /// Writes some rows; those that the store does not take wait on.
    async fn write_out(&self, mut waiting: Vec<PendingRow>) -> Result<(), StoreError> {
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(BATCH_SIZE));
            let (rows, written): (Vec<_>, Vec<_>) = waiting.into_iter().map(|row| (row.row, row.written)).unzip();
            let rows = Arc::new(rows);
            let recorded = self.record(&rows).await;
            // A write that is given up may still read them.
            let rows = Arc::unwrap_or_clone(rows);
            let taken = rows.into_iter().zip(written).map(|(row, written)| PendingRow { row, written });
            let refused = match recorded {
                Ok(refused) => refused,
                Err(error) => {
                    self.ledger.put_back(taken.chain(rest).collect());
                    return Err(error);
                }
            };
            waiting = rest;
            let mut stored: Vec<PendingRow> = taken.collect();
            for at in refused.into_iter().rev() {
                self.ledger.set_aside(stored.remove(at));
            }
            log::debug!(rows = stored.len(); "usage rows are stored");
            // At once, so that no lease is granted in between with a spend that is then counted twice.
            self.note_written(stored.iter().map(|waiting| &*waiting.row));
            self.ledger.stored(stored);
        }
        Ok(())
    }

    fn note_written<'a>(&self, rows: impl Iterator<Item = &'a UsageRow>) {
        let mut sums: HashMap<(&Scope, &Arc<str>), PicoUsd> = HashMap::new();
        for row in rows {
            let cost = PicoUsd::from_picos(i128::from(row.cost.unwrap_or(0)));
            for Charge { scope, period } in &row.charges {
                let sum = sums.entry((scope, period)).or_default();
                *sum = sum.plus(cost);
            }
        }
        for ((scope, period), cost) in sums {
            if let Some(account) = self.ledger.accounts.find(scope, period) {
                account.written(cost);
            }
        }
    }

    /// Tells once for a scope, a period and a threshold that so much is spent (B8): the store decides which replica.
    async fn alert(&self) -> Result<(), StoreError> {
        self.alerts_due.set(true);
        for account in self.ledger.accounts.all() {
            let (scope, period, balance) = (account.scope(), &account.window().name, account.balance());
            for percent in &self.settings.alert_percent {
                if balance.limit <= PicoUsd::default() || balance.spent < part(balance.limit, *percent) {
                    continue;
                }
                let told = (scope.clone(), period.clone(), *percent);
                if self.alerted.borrow().contains(&told) {
                    continue;
                }
                let name = format!("alert:{}:{}:{period}:{percent}", scope.kind.as_str(), scope.id);
                let (id, now) = (Uuid::now_v7(), Utc::now());
                let event = json!({
                    "event": "budget_threshold", "id": id, "timestamp": now.to_rfc3339_opts(SecondsFormat::Secs, true),
                    "scope": scope.kind.as_str(), "scope_id": scope.id, "period": period,
                    "percent": percent, "spent_usd": balance.spent.to_string(), "limit_usd": balance.limit.to_string(),
                });
                let event = event.to_string();
                let send = self.alert_sender.as_ref().map(|_courier| (id, event.as_str()));
                if self.store.alert_once(&name, send, now.into()).await? {
                    self.ledger.metrics.budget_alert(scope.kind.as_str());
                    log::warn!(
                        scope = scope.kind.as_str(), scope_id = &*scope.id, period = &**period,
                        percent = percent, spent_usd = balance.spent.to_string(), limit_usd = balance.limit.to_string();
                        "a budget has reached {percent} % of its limit"
                    );
                }
                self.alerted.borrow_mut().insert(told);
            }
        }
        self.alerts_due.set(false);
        Ok(())
    }
}
