//! Rows for which memory had no room: they are read back from the own journal.

use std::io;
use std::sync::Arc;

use super::rows::Rows;
use super::segment::{JournalPosition, Segment};
use crate::usage::row::UsageRow;

/// Some rows of one file that are in the journal alone.
#[derive(Debug)]
pub struct SpilledRows {
    segment: Arc<Segment>,
    /// Where their lines are; neighbours are one.
    lines: Vec<(u64, u64)>,
    /// How many they are.
    pub count: u64,
}

impl SpilledRows {
    /// One row.
    pub fn from_position(written: JournalPosition) -> Self {
        Self { segment: written.segment, lines: vec![written.line], count: 1 }
    }

    /// Takes in one more, or gives it back where it is in another file.
    pub fn add(&mut self, written: JournalPosition) -> Result<(), JournalPosition> {
        if !Arc::ptr_eq(&self.segment, &written.segment) {
            return Err(written);
        }
        let (at, length) = written.line;
        match self.lines.last_mut() {
            Some((last, bytes)) if *last + *bytes == at => *bytes += length,
            // Of two threads, the later one may have been the quicker.
            Some((last, bytes)) if at + length == *last => (*last, *bytes) = (at, *bytes + length),
            _ => self.lines.push(written.line),
        }
        self.count += 1;
        Ok(())
    }

    /// Reads the rows, in the order in which they were written. What cannot be read stays in the file.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self) -> io::Result<(Vec<(UsageRow, JournalPosition)>, u64)> {
        let mut lines = self.lines.clone();
        lines.sort_unstable();
        let mut all = Vec::new();
        let mut unreadable = 0;
        for line in lines {
            let rows = Rows::read(&self.segment.read(line)?);
            unreadable += rows.unreadable;
            all.extend(rows.rows.into_iter().map(|row| (row, JournalPosition { segment: self.segment.clone(), line })));
        }
        Ok((all, unreadable))
    }
}
