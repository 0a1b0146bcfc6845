//! What `GET /admin/actors` shows of the ledger.

use serde_json::{Value, json};

use super::ledger::Ledger;
use crate::money::amount::PicoUsd;

/// Open reservations, and the way of the usage rows.
pub(crate) fn ledger_figures(ledger: &Ledger) -> Value {
    let balances = ledger.accounts.all().into_iter().map(|account| account.balance());
    let open = balances.map(|balance| balance.reserved).filter(|reserved| *reserved > PicoUsd::default());
    let waiting = ledger.waiting();
    json!({
        "replica": ledger.replica,
        "budgets": ledger.accounts.all().len(),
        "open_attempts": ledger.open_attempts(),
        "open_reservations": open.clone().count(),
        "reserved_usd": open.fold(PicoUsd::default(), PicoUsd::plus).to_string(),
        "rows_waiting": waiting.in_memory,
        "rows_in_journal_only": waiting.in_journal_only,
        "rows_lost": waiting.lost,
        "store_fails": ledger.store.fails(),
        "prices": ledger.prices.load().rows().len(),
    })
}
