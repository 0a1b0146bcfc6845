//! Responses that wait to be written, in their order; they can be read meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::waiting_bytes::Reserved;
use crate::db::{At, StoredResponseRow};

/// Responses that are written at once.
const BATCH_SIZE: usize = 16;

/// Bytes after which no further response joins those: other statements wait behind them on PostgreSQL's connection.
const BATCH_BYTES: usize = 1 << 20;

/// The queue, and what is being written.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    /// Names in their order; one that was removed meanwhile is passed over.
    order: VecDeque<String>,
    rows: HashMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    row: Arc<StoredResponseRow>,
    is_being_written: bool,
    _reserved: Reserved,
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// It was not here.
    NotHere,
    /// It is gone, and was never written.
    Unwritten,
    /// It is gone from here, and may be in the database in a moment.
    BeingWritten,
}

impl WriteQueue {
    /// Adds a response; one of the same name stays as it is.
    pub(super) fn push(&mut self, row: StoredResponseRow, reserved: Reserved) {
        if self.rows.contains_key(&row.id) {
            return;
        }
        self.order.push_back(row.id.clone());
        let id = row.id.clone();
        self.rows.insert(id, Waiting { row: Arc::new(row), is_being_written: false, _reserved: reserved });
    }

    /// A tenant's response that has not expired.
    pub(super) fn get(&self, tenant: &str, id: &str, now: At) -> Option<Arc<StoredResponseRow>> {
        let row = &self.rows.get(id)?.row;
        (row.tenant == tenant && row.expires_at > now).then(|| row.clone())
    }

    /// Takes a tenant's response away.
    pub(super) fn remove(&mut self, tenant: &str, id: &str) -> Removal {
        match self.rows.get(id) {
            Some(waiting) if waiting.row.tenant == tenant => {
                let is_being_written = waiting.is_being_written;
                self.rows.remove(id);
                if is_being_written { Removal::BeingWritten } else { Removal::Unwritten }
            }
            _ => Removal::NotHere,
        }
    }

    /// What is to be written next; it stays here until [`WriteQueue::done`].
    pub(super) fn next_batch(&mut self) -> Vec<Arc<StoredResponseRow>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_SIZE && bytes < BATCH_BYTES {
            let Some(id) = self.order.pop_front() else { break };
            if let Some(waiting) = self.rows.get_mut(&id)
                && !waiting.is_being_written
            {
                waiting.is_being_written = true;
                bytes += waiting.row.sealed.len();
                batch.push(waiting.row.clone());
            }
        }
        batch
    }

    /// Forgets what was written, or was given up.
    pub(super) fn done(&mut self, id: &str) {
        self.rows.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::waiting_bytes::WaitingBytes;
    use super::*;

    fn row(id: &str, bytes: usize) -> StoredResponseRow {
        StoredResponseRow {
            id: id.to_owned(),
            tenant: "team:red".to_owned(),
            virtual_key_id: "key".to_owned(),
            model: "model".to_owned(),
            created_at: At(0),
            expires_at: At(10),
            bytes: 0,
            sealed: vec![0; bytes],
        }
    }

    fn queue(rows: &[(&str, usize)]) -> WriteQueue {
        let (mut queue, waiting) = (WriteQueue::default(), WaitingBytes::new(usize::MAX));
        for (id, bytes) in rows {
            queue.push(row(id, *bytes), waiting.reserve(*bytes).unwrap());
        }
        queue
    }

    fn ids(batch: &[Arc<StoredResponseRow>]) -> Vec<&str> {
        batch.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn responses_are_here_until_they_are_written() {
        let mut queue = queue(&[("a", 1), ("b", 1)]);
        assert!(queue.get("team:red", "a", At(9)).is_some());
        assert!(queue.get("team:red", "a", At(10)).is_none(), "it has expired");
        assert!(queue.get("team:blue", "a", At(9)).is_none(), "another tenant's");
        assert_eq!(ids(&queue.next_batch()), ["a", "b"]);
        assert!(queue.next_batch().is_empty());
        assert!(queue.get("team:red", "a", At(9)).is_some());
        queue.done("a");
        assert!(queue.get("team:red", "a", At(9)).is_none());
    }

    #[test]
    fn a_removed_response_is_not_written() {
        let mut queue = queue(&[("a", 1), ("b", 1), ("c", 1)]);
        assert_eq!(queue.remove("team:blue", "a"), Removal::NotHere);
        assert_eq!(queue.remove("team:red", "a"), Removal::Unwritten);
        assert_eq!(queue.remove("team:red", "a"), Removal::NotHere);
        assert_eq!(ids(&queue.next_batch()), ["b", "c"]);
        assert_eq!(queue.remove("team:red", "b"), Removal::BeingWritten);
    }

    #[test]
    fn a_batch_is_bounded_by_bytes_and_by_number() {
        let mut large = queue(&[("a", BATCH_BYTES), ("b", 1), ("c", 4 * BATCH_BYTES), ("d", 1)]);
        assert_eq!(ids(&large.next_batch()), ["a"]);
        assert_eq!(ids(&large.next_batch()), ["b", "c"]);
        assert_eq!(ids(&large.next_batch()), ["d"]);
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let rows: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut many = queue(&rows);
        assert_eq!([many.next_batch().len(), many.next_batch().len(), many.next_batch().len()], [BATCH_SIZE, 4, 0]);
    }
}
