//! Limits and prices in memory: read again where anybody has changed them.

use std::collections::HashMap;
use std::sync::Arc;

use super::LedgerState;
use crate::budgets::accounts::MonthlyLimits;
use crate::db::{Changes, StoreError, TableRows, Which};
use crate::money::amount::PicoUsd;
use crate::money::prices::PriceTable;

impl LedgerState {
    /// Reads the limits and prices that anybody has changed.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        // Of two at once the slower one would publish what it read before the other.
        let mut mark = self.seen.lock().await;
        let changes = self.store.changes_since(mark.as_ref()).await?;
        let limits = self.read_limits(&changes).await;
        if changes.of("pricing_config").is_some() {
            self.read_prices().await?;
        }
        limits?;
        *mark = Some(changes.mark);
        Ok(())
    }

    async fn read_limits(&self, changes: &Changes) -> Result<(), StoreError> {
        let (users, teams) = (changes.of("user_budgets"), changes.of("team_budgets"));
        if users.is_none() && teams.is_none() {
            return Ok(());
        }
        let mut limits = MonthlyLimits::clone(&self.ledger.accounts.limits());
        if let Some(which) = users {
            let read = self.store.user_budgets(&which).await?;
            put(&mut limits.users, &which, read.limits);
            self.store.note_bad("user_budgets", &which, read.bad);
        }
        if let Some(which) = teams {
            let read = self.store.team_budgets(&which).await?;
            put(&mut limits.teams, &which, read.limits);
            self.store.note_bad("team_budgets", &which, read.bad);
        }
        self.ledger.accounts.publish(limits);
        Ok(())
    }

    async fn read_prices(&self) -> Result<(), StoreError> {
        let TableRows { rows, bad } = self.store.read_prices().await?;
        let mut table = PriceTable::new(rows);
        for (provider, model) in bad.iter().filter_map(|row| row.id.split_once('/')) {
            table = table.without(provider, model);
        }
        self.ledger.prices.store(Arc::new(table));
        self.store.note_bad("pricing_config", &Which::All, bad);
        Ok(())
    }

    /// Removes the changes of rows that every process has read: those of before the last time.
    pub(super) async fn forget_changes(&self) -> Result<(), StoreError> {
        let now = self.seen.lock().await.clone();
        let before = self.seen_before.replace(now.clone());
        if let (Some(before), Some(now)) = (before, now)
            && before.is_of_the_server_of(&now)
        {
            self.store.forget_changes(&before).await?;
        }
        Ok(())
    }
}

/// Puts limits in place of those that were read anew.
fn put(limits: &mut HashMap<String, PicoUsd>, which: &Which, read: HashMap<String, PicoUsd>) {
    match which {
        Which::All => *limits = read,
        Which::Some(ids) => {
            limits.retain(|id, _| !ids.contains(id));
            limits.extend(read);
        }
    }
}
