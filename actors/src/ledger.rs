//! What requests use of the ledger without a message: budgets, prices, and the way of a usage row into journal and store.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono_tz::Tz;

use crate::budget::accounts::Accounts;
use crate::budget::reservation::{Claim, Refusal, Reservation};
use crate::journal::{Journal, Written};
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::money::PicoUsd;
use crate::prices::{ModelTable, Price, PriceTable};
use crate::store_health::StoreHealth;
use crate::usage_row::UsageRow;

/// Rows that may wait in memory for the store; further ones wait in the journal alone, for the next start.
const MOST_WAITING: usize = 100_000;

/// A row on its way into the store.
#[derive(Debug)]
pub struct Waiting {
    /// The row.
    pub row: Box<UsageRow>,
    /// Its place in the journal; none where the disk refused it.
    pub written: Option<Written>,
}

/// What the ledger shares with all threads. It writes prices and limits, requests reserve, settle and book.
pub struct Ledger {
    /// This process' name in leases and usage rows.
    pub replica: Arc<str>,
    /// Every budget.
    pub accounts: Accounts,
    /// Where costs and tokens are counted.
    pub metrics: Arc<Metrics>,
    /// Whether requests without a budget are logged too.
    pub log_all: bool,
    /// What models cost.
    pub prices: ArcSwap<PriceTable>,
    /// What is known of models beside their prices.
    pub models: ModelTable,
    /// How the store does.
    pub store: Arc<StoreHealth>,
    /// What a model without a price costs; none where it cannot be used with a budget (C1).
    pub ceiling: Option<Price>,
    journal: Journal,
    outbox: Mutex<Vec<Waiting>>,
    spilled: AtomicU64,
    open: AtomicUsize,
}

/// An attempt whose money is not booked yet. The ledger is not closed as long as there is one.
pub struct OpenAttempt(SharedLedger);

impl OpenAttempt {
    /// One more.
    pub fn of(ledger: &SharedLedger) -> Self {
        ledger.open.fetch_add(1, Ordering::AcqRel);
        Self(ledger.clone())
    }

    /// The ledger.
    pub fn ledger(&self) -> &SharedLedger {
        &self.0
    }
}

impl Drop for OpenAttempt {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Ledger {
    /// Opens the journal of a new process; `zone` is where budget months begin.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn open(
        folder: &Path,
        replica: String,
        zone: Tz,
        prices: PriceTable,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let journal = Journal::open(folder, &replica)?;
        Ok(Self {
            replica: replica.into(),
            accounts: Accounts::new(zone),
            metrics,
            log_all: true,
            prices: ArcSwap::from_pointee(prices),
            models: ModelTable::default(),
            store: Arc::new(StoreHealth::new(Instant::now())),
            ceiling: None,
            journal,
            outbox: Mutex::default(),
            spilled: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        })
    }

    /// Reserves `amount` in all budgets of a request; without any budget nothing is held.
    ///
    /// # Errors
    /// Which budget is short, and whether the store may have more.
    pub fn reserve(&self, claims: Vec<Claim>, amount: PicoUsd) -> Result<Reservation, Box<Refusal>> {
        Reservation::take(claims, amount, Moment::now())
    }

    /// Writes a row to the journal and hands it to the ledger.
    pub fn book(&self, row: Box<UsageRow>) {
        let line = match serde_json::to_string(&row) {
            Ok(line) => line,
            Err(error) => return log::error!("usage row {}: {error}", row.id),
        };
        let written = self.journal.append(line);
        let written =
            written.inspect_err(|error| log::error!("usage journal: {error}; the row is in memory alone")).ok();
        let mut outbox = self.outbox();
        if outbox.len() < MOST_WAITING {
            outbox.push(Waiting { row, written });
        } else {
            self.spilled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Rows that are not in the store yet, and rows that wait in the journal alone.
    pub fn waiting(&self) -> (usize, u64) {
        (self.outbox().len(), self.spilled.load(Ordering::Relaxed))
    }

    /// Attempts whose money is not booked yet.
    pub fn open_attempts(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Takes all rows out.
    pub(crate) fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.outbox())
    }

    /// Puts rows back that the store did not take.
    pub(crate) fn put_back(&self, mut rows: Vec<Waiting>) {
        let mut outbox = self.outbox();
        rows.append(&mut outbox);
        *outbox = rows;
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ledger that all threads share.
pub type SharedLedger = Arc<Ledger>;
