//! An attempt that is over and not booked yet, as its tokens are being counted: whatever happens, it becomes a row.

use chrono::{DateTime, Utc};
use gateway_wire::Usage;

use super::{AttemptHolds, Draft, book, fill};
use crate::budgets::ledger::OpenAttempt;
use crate::budgets::reservation::Reservation;
use crate::money::amount::PicoUsd;
use crate::usage::journal::JournalPosition;

/// An ended attempt whose tokens are still to be counted. Dropped before, it books the estimate.
pub(super) struct UncountedAttempt {
    open: OpenAttempt,
    draft: Option<Box<Draft>>,
    priced_at: DateTime<Utc>,
    status: &'static str,
    estimate: Usage,
    reservation: Option<Reservation>,
    /// The estimate's line in the journal.
    noted: Option<JournalPosition>,
}

impl UncountedAttempt {
    pub(super) fn new(
        open: OpenAttempt,
        draft: Box<Draft>,
        priced_at: DateTime<Utc>,
        status: &'static str,
        estimate: Usage,
        reservation: Option<Reservation>,
    ) -> Self {
        Self { open, draft: Some(draft), priced_at, status, estimate, reservation, noted: None }
    }

    /// Writes the estimate to the journal, and gives it: a process that is killed before the count leaves this row.
    pub(super) fn note(&mut self) -> Usage {
        let ledger = self.open.ledger();
        if let Some(draft) = self.draft.as_mut().filter(|_| ledger.log_unbudgeted || self.reservation.is_some()) {
            fill(ledger, draft, &self.estimate, self.priced_at, self.status, true);
            self.noted = ledger.book_provisionally(&draft.row);
        }
        self.estimate
    }

    pub(super) fn settle(mut self, usage: Usage) -> Option<PicoUsd> {
        self.book(&usage)
    }

    fn book(&mut self, usage: &Usage) -> Option<PicoUsd> {
        let draft = self.draft.take()?;
        let held = AttemptHolds { reservation: self.reservation.take(), noted: self.noted.take(), is_together: false };
        book(self.open.ledger(), *draft, usage, self.priced_at, self.status, true, held)
    }
}

impl Drop for UncountedAttempt {
    fn drop(&mut self) {
        let estimate = self.estimate;
        self.book(&estimate);
    }
}
