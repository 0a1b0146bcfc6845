//! Usage rows on their way into the store, oldest first: in memory as long as there is room, then in the journal alone.

use std::collections::VecDeque;

use super::journal::{JournalPosition, SpilledRows};
use super::row::UsageRow;

/// Rows that wait in memory for the store; further ones wait in the journal alone.
const MAX_IN_MEMORY: usize = 100_000;

/// Rows that wait in memory where the disk refuses them too; further ones are lost.
const MAX_WITHOUT_JOURNAL: usize = 400_000;

/// So many rows are written before their time: the fewer wait, the less memory each request makes cold.
const BATCH_ROWS: usize = 1_000;

/// A row on its way into the store.
#[derive(Debug)]
pub struct PendingRow {
    /// The row.
    pub row: Box<UsageRow>,
    /// Its place in the journal; none where the disk refused it.
    pub written: Option<JournalPosition>,
}

/// How many rows are not in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In memory.
    pub in_memory: usize,
    /// In the journal alone; they are read back as soon as the store takes rows.
    pub in_journal_only: u64,
    /// In the journal, as the store refuses them.
    pub refused: u64,
    /// Lost, since the process began.
    pub lost: u64,
}

/// The rows.
#[derive(Debug)]
pub struct Outbox {
    rows: Vec<PendingRow>,
    /// Rows that are being written to the store.
    taken: usize,
    /// Rows in the journal alone; all of them are younger than those in memory.
    spilled: VecDeque<SpilledRows>,
    refused: u64,
    lost: u64,
    max_in_memory: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        let (rows, spilled) = (Vec::new(), VecDeque::new());
        Self { rows, taken: 0, spilled, refused: 0, lost: 0, max_in_memory: MAX_IN_MEMORY }
    }
}

impl Outbox {
    /// Takes in a row; false where there is room nowhere.
    pub fn add(&mut self, waiting: PendingRow) -> bool {
        let in_memory = self.rows.len() + self.taken;
        let PendingRow { row, written } = waiting;
        match written {
            Some(written) if in_memory >= self.max_in_memory || !self.spilled.is_empty() => self.spill(written),
            None if in_memory >= MAX_WITHOUT_JOURNAL => {
                self.lost += 1;
                return false;
            }
            written => self.rows.push(PendingRow { row, written }),
        }
        true
    }

    fn spill(&mut self, written: JournalPosition) {
        let added = match self.spilled.back_mut() {
            Some(last) => last.add(written),
            None => Err(written),
        };
        if let Err(written) = added {
            self.spilled.push_back(SpilledRows::from_position(written));
        }
    }

    /// Whether one more row makes a whole batch of those in memory.
    pub fn has_batch(&self) -> bool {
        !self.rows.is_empty() && self.rows.len().is_multiple_of(BATCH_ROWS)
    }

    /// Takes all rows out of memory.
    pub fn take(&mut self) -> Vec<PendingRow> {
        let rows = std::mem::take(&mut self.rows);
        self.taken += rows.len();
        rows
    }

    /// Takes out what is in the journal alone, of one file.
    pub fn take_spilled(&mut self) -> Option<SpilledRows> {
        self.spilled.pop_front()
    }

    /// What was taken out of the journal is in memory now.
    pub fn has_read(&mut self, spilled: &SpilledRows, rows: usize) {
        self.taken += rows;
        self.lost += spilled.count.saturating_sub(rows as u64);
    }

    /// How many pieces are in the journal alone.
    pub fn spilled_pieces(&self) -> usize {
        self.spilled.len()
    }

    /// Puts back what could not be read, behind what may be.
    pub fn put_spilled_back(&mut self, spilled: SpilledRows) {
        self.spilled.push_back(spilled);
    }

    /// Puts rows back that the store did not take.
    pub fn put_back(&mut self, mut rows: Vec<PendingRow>) {
        self.stored(rows.len());
        rows.append(&mut self.rows);
        self.rows = rows;
    }

    /// So many of the rows that were taken out are not under way any more.
    pub fn stored(&mut self, rows: usize) {
        self.taken = self.taken.saturating_sub(rows);
    }

    /// One of the rows that were taken out is not tried again: the journal keeps it, or it is lost.
    pub fn set_aside(&mut self, is_kept: bool) {
        self.stored(1);
        *(if is_kept { &mut self.refused } else { &mut self.lost }) += 1;
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        let in_journal_only = self.spilled.iter().map(|spilled| spilled.count).sum();
        Counts { in_memory: self.rows.len() + self.taken, in_journal_only, refused: self.refused, lost: self.lost }
    }

    /// Gives memory less room.
    #[cfg(test)]
    pub fn keep_at_most(&mut self, rows: usize) {
        self.max_in_memory = rows;
    }
}
