//! What requests use of the ledger without a message: budgets, prices, and the way of a usage row into journal and store.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono_tz::Tz;
use tokio::sync::Notify;

use super::accounts::Accounts;
use super::reservation::{BudgetExceeded, Claim, Reservation};
use crate::clock::Moment;
use crate::db::health::StoreHealth;
use crate::metrics::Metrics;
use crate::money::amount::PicoUsd;
use crate::money::prices::{ModelTable, Price, PriceTable};
use crate::runtime::throttle::Throttle;
use crate::usage::journal::{Journal, JournalPosition};
use crate::usage::outbox::{Counts, Outbox, PendingRow};
use crate::usage::row::UsageRow;
use crate::usage::row_pool::RowPool;
use crate::usage::token_count::CounterPool;

/// What the ledger shares with all threads. It writes prices and limits, requests reserve, settle and book.
pub struct Ledger {
    /// This process' name in leases and usage rows.
    pub replica: Arc<str>,
    /// Every budget.
    pub accounts: Accounts,
    /// Where costs and tokens are counted.
    pub metrics: Arc<Metrics>,
    /// Whether requests without a budget are logged too.
    pub log_unbudgeted: bool,
    /// What models cost.
    pub prices: ArcSwap<PriceTable>,
    /// What is known of models beside their prices.
    pub models: ModelTable,
    /// How the store does.
    pub store: Arc<StoreHealth>,
    /// What a model without a price costs; none where it cannot be used with a budget (C1).
    pub ceiling: Option<Price>,
    /// Who counts the tokens that a vendor does not tell.
    pub counter: CounterPool,
    journal: Journal,
    outbox: Mutex<Outbox>,
    /// Rows whose lines are written together; locked until they are.
    together: Mutex<Vec<(Box<UsageRow>, String)>>,
    /// Rows to be filled again.
    pub(crate) rows: RowPool,
    /// Told when so many rows wait that they are worth a write.
    batches: Notify,
    complaints: Throttle,
    open: AtomicUsize,
}

/// An attempt whose money is not booked yet. The ledger is not closed as long as there is one.
pub struct OpenAttempt(SharedLedger);

impl OpenAttempt {
    /// One more.
    pub fn new(ledger: &SharedLedger) -> Self {
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

/// What an answer waits for: dropping it writes every row to the journal that was booked to be written together. Calls
/// that end in the same turn of a thread share one write so, for each answer is handed on after all of them ended.
pub struct WrittenTogether(SharedLedger);

impl WrittenTogether {
    /// The wait of one answer; to be there before its row is booked.
    pub fn new(ledger: &SharedLedger) -> Self {
        Self(ledger.clone())
    }
}

impl std::fmt::Debug for WrittenTogether {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrittenTogether")
    }
}

impl Drop for WrittenTogether {
    fn drop(&mut self) {
        self.0.write_together();
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
            log_unbudgeted: true,
            prices: ArcSwap::from_pointee(prices),
            models: ModelTable::default(),
            store: Arc::new(StoreHealth::new(Instant::now())),
            ceiling: None,
            counter: CounterPool::default(),
            journal,
            outbox: Mutex::default(),
            together: Mutex::default(),
            rows: RowPool::default(),
            batches: Notify::new(),
            complaints: Throttle::default(),
            open: AtomicUsize::new(0),
        })
    }

    /// Reserves `amount` in all budgets of a request; without any budget nothing is held.
    ///
    /// # Errors
    /// Which budget is short, and whether the store may have more.
    pub fn reserve(&self, claims: Vec<Claim>, amount: PicoUsd) -> Result<Reservation, Box<BudgetExceeded>> {
        Reservation::take(claims, amount, Moment::now())
    }

    /// Writes a row to the journal and hands it to the ledger.
    pub fn book(&self, row: Box<UsageRow>) {
        self.book_instead(row, None);
    }

    /// Hands a row to the ledger that is in the journal once any [`WrittenTogether`] is dropped.
    pub fn book_together(&self, row: Box<UsageRow>) {
        let line = row.to_line();
        self.together().push((row, line));
    }

    fn write_together(&self) {
        let mut together = self.together();
        if together.is_empty() {
            return;
        }
        let lines: Vec<&str> = together.iter().map(|(_, line)| line.as_str()).collect();
        let written = self.journal.append_all(&lines);
        let rows = together.drain(..).map(|(row, _)| row);
        match written {
            Ok(written) => rows.zip(written).for_each(|(row, written)| self.add(row, Some(written))),
            // A disk that has no room for all of them may have some for a few.
            Err(_) => rows.for_each(|row| self.book(row)),
        }
    }

    fn add(&self, row: Box<UsageRow>, written: Option<JournalPosition>) {
        let mut outbox = self.outbox();
        if !outbox.add(PendingRow { row, written }) {
            log::error!("a usage row was lost: store, disk and memory have no room for it");
        }
        if outbox.has_batch() {
            drop(outbox);
            self.batches.notify_one();
        }
    }

    /// Does so with a row that has a provisional line, which stands for it where the disk refuses the final one.
    pub fn book_instead(&self, row: Box<UsageRow>, provisional: Option<JournalPosition>) {
        let written = match (self.journal.append(&row.to_line()).inspect_err(|error| self.complain(error)), provisional)
        {
            (Ok(written), provisional) => {
                provisional.into_iter().for_each(JournalPosition::stored);
                Some(written)
            }
            (Err(_), provisional) => provisional,
        };
        self.add(row, written);
    }

    /// Writes a row to the journal alone, whose tokens are estimated until they are counted. Whoever takes up this journal
    /// keeps the last line of an id: this one, if nobody came to [`book`](Self::book) the counted row.
    pub fn book_provisionally(&self, row: &UsageRow) -> Option<JournalPosition> {
        self.journal.append(&row.to_line()).inspect_err(|error| self.complain(error)).ok()
    }

    /// Rows that are not in the store yet.
    pub fn waiting(&self) -> Counts {
        self.outbox().counts()
    }

    /// What of usage rows an operator should know of.
    pub fn troubles(&self) -> Vec<String> {
        let Counts { in_memory, in_journal_only, refused, lost } = self.waiting();
        let mut troubles = Vec::new();
        if self.store.fails() {
            let rows = in_memory as u64 + in_journal_only;
            troubles.push(format!("store: {rows} usage rows wait for it, and budgets are spent up to what is leased"));
        }
        if in_journal_only > 0 {
            troubles.push(format!(
                "usage log: {in_journal_only} rows are in the journal alone until the store has taken them"
            ));
        }
        if self.journal.refuses() {
            troubles.push(format!(
                "usage journal: the disk refuses rows; {in_memory} are in memory, some of them there alone"
            ));
        }
        if refused > 0 {
            troubles.push(format!(
                "usage log: the store refuses {refused} rows, which stay in the journal; their budgets keep what was leased"
            ));
        }
        if lost > 0 {
            troubles.push(format!("usage log: {lost} rows are lost; their budgets keep what was leased"));
        }
        troubles
    }

    /// Removes the journal of a process that does not serve.
    pub fn discard(&self) {
        self.journal.close();
    }

    /// Gives rows less room in memory.
    #[cfg(test)]
    pub(crate) fn keep_at_most(&self, rows: usize) {
        self.outbox().keep_at_most(rows);
    }

    fn complain(&self, error: &std::io::Error) {
        if let Some(more) = self.complaints.pass(Instant::now()) {
            log::error!(
                "usage journal: {error}; rows are in memory alone until the store or the disk takes them ({more} more \
                 since the last line)"
            );
        }
    }

    /// Attempts whose money is not booked yet.
    pub fn open_attempts(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until so many rows wait that they are worth a write before its time.
    pub(crate) async fn batch(&self) {
        self.batches.notified().await;
    }

    /// Takes all rows out of memory.
    pub(crate) fn take(&self) -> Vec<PendingRow> {
        self.write_together();
        self.outbox().take()
    }

    /// Reads some rows back that are in the journal alone; all that are in memory are older and must be taken before.
    ///
    /// # Errors
    /// Where the journal cannot be read; those rows are then tried after all others.
    pub(crate) fn take_spilled(&self) -> std::io::Result<Option<Vec<PendingRow>>> {
        let Some(spilled) = self.outbox().take_spilled() else { return Ok(None) };
        match spilled.read() {
            Ok((rows, unreadable)) => {
                self.outbox().has_read(&spilled, rows.len());
                if unreadable > 0 {
                    log::error!("usage journal: {unreadable} rows cannot be read");
                }
                let waiting = |(row, written)| PendingRow { row: Box::new(row), written: Some(written) };
                Ok(Some(rows.into_iter().map(waiting).collect()))
            }
            Err(error) => {
                self.outbox().put_spilled_back(spilled);
                Err(error)
            }
        }
    }

    /// Puts rows back that the store did not take; the journal gets those that it does not have yet.
    pub(crate) fn put_back(&self, mut rows: Vec<PendingRow>) {
        for waiting in rows.iter_mut().filter(|waiting| waiting.written.is_none()) {
            match self.journal.append(&waiting.row.to_line()) {
                Ok(written) => waiting.written = Some(written),
                Err(error) => {
                    self.complain(&error);
                    break;
                }
            }
        }
        self.outbox().put_back(rows);
    }

    /// Sets a row aside that the store refuses: the journal keeps it for the next start.
    pub(crate) fn set_aside(&self, waiting: PendingRow) {
        let PendingRow { row, written } = waiting;
        // What is not told to be stored keeps its file.
        let is_kept = written.is_some() || self.book_provisionally(&row).is_some();
        self.outbox().set_aside(is_kept);
    }

    /// How many pieces of the journal wait to be read back.
    pub(crate) fn spilled_pieces(&self) -> usize {
        self.outbox().spilled_pieces()
    }

    /// Notes that the store has some rows that were taken out.
    pub(crate) fn stored(&self, rows: Vec<PendingRow>) {
        self.outbox().stored(rows.len());
        let rows = rows.into_iter().map(|PendingRow { row, written }| {
            written.into_iter().for_each(JournalPosition::stored);
            row
        });
        self.rows.put_back(rows.collect());
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    fn together(&self) -> std::sync::MutexGuard<'_, Vec<(Box<UsageRow>, String)>> {
        self.together.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ledger that all threads share.
pub type SharedLedger = Arc<Ledger>;

#[cfg(test)]
mod tests {
    use gateway_testkit::temp_dir::TestDir;

    use super::*;
    use crate::usage::row::tests::row;

    fn lines(dir: &TestDir) -> usize {
        std::fs::read_to_string(dir.path().join("a.0.jsonl")).unwrap().lines().count()
    }

    /// Each answer has its row in the journal before it goes on, and whoever takes rows out finds them all.
    #[test]
    fn rows_booked_together_are_written_before_any_of_their_answers() {
        let dir = TestDir::new();
        let metrics = Arc::new(Metrics::new().unwrap());
        let prices = PriceTable::new(Vec::new());
        let ledger = Arc::new(Ledger::open(dir.path(), "a".to_owned(), Tz::UTC, prices, metrics).unwrap());
        let answers = [1, 2].map(|number| {
            let written = WrittenTogether::new(&ledger);
            ledger.book_together(Box::new(row(number)));
            written
        });
        let [first, second] = answers;
        assert_eq!((lines(&dir), ledger.waiting().in_memory), (0, 0));
        drop(first);
        assert_eq!((lines(&dir), ledger.waiting().in_memory), (2, 2));
        drop(second);
        assert_eq!(lines(&dir), 2);
        ledger.book_together(Box::new(row(3)));
        assert_eq!((ledger.take().len(), lines(&dir)), (3, 3));
    }
}
