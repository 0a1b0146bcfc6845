//! Rows that are filled again: each request has one, whose texts would else be made on one thread and dropped on another.

use std::sync::{Mutex, PoisonError};

use super::row::UsageRow;

/// Rows that are kept, at most.
const MAX_ROWS: usize = 4_096;

/// Rows that nobody needs any more, with what they held last.
#[expect(clippy::vec_box, reason = "the boxes are what is used again")]
#[derive(Default)]
pub struct RowPool(Mutex<Vec<Box<UsageRow>>>);

impl RowPool {
    /// A row whose every field is to be set.
    pub fn take(&self) -> Box<UsageRow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes rows back, as many as are worth keeping.
    pub fn put_back(&self, mut rows: Vec<Box<UsageRow>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.truncate(MAX_ROWS.saturating_sub(kept.len()));
        kept.append(&mut rows);
    }
}
