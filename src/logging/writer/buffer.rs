//! Lines that wait to be written.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes from which the writer is woken before its time.
const WAKE_BYTES: usize = 64 << 10;

/// A buffer that many fill and one empties; its lock is held for a copy, never for a system call.
pub(super) struct Buffer {
    waiting: Mutex<PendingLines>,
    filled: Condvar,
    emptied: Condvar,
    max_bytes: usize,
}

#[derive(Default)]
struct PendingLines {
    bytes: Vec<u8>,
    lines: usize,
    /// What the writer gave back, to be filled again.
    spare: Vec<u8>,
    is_woken: bool,
    /// Whether the writer waits for a first line; any other time it looks by itself.
    is_idle: bool,
    writing_since: Option<Instant>,
}

impl Buffer {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { waiting: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new(), max_bytes }
    }

    /// Takes a line in, where there is room.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        if waiting.bytes.len() + line.len() > self.max_bytes {
            return false;
        }
        waiting.bytes.extend_from_slice(line);
        waiting.lines += 1;
        let now_many = waiting.bytes.len() >= WAKE_BYTES && waiting.bytes.len() - line.len() < WAKE_BYTES;
        let is_first = std::mem::take(&mut waiting.is_idle);
        drop(waiting);
        if is_first || now_many {
            self.filled.notify_one();
        }
        true
    }

    /// Waits for lines, `idle` at most, and for more of them `longest_wait`; takes them all. Nothing where there are none
    /// in time, or the writer was woken for something else.
    pub(super) fn take(&self, idle: Duration, longest_wait: Duration) -> Vec<u8> {
        let few = |waiting: &mut PendingLines| waiting.bytes.len() < WAKE_BYTES && !waiting.is_woken;
        let wait_for_many = |waiting| {
            self.filled.wait_timeout_while(waiting, longest_wait, few).unwrap_or_else(PoisonError::into_inner).0
        };
        // First without being woken for the first line: where much is logged, there is always one.
        let mut waiting = wait_for_many(self.lock());
        if waiting.bytes.is_empty() && !waiting.is_woken {
            waiting.is_idle = true;
            let none = |waiting: &mut PendingLines| waiting.bytes.is_empty() && !waiting.is_woken;
            waiting = self.filled.wait_timeout_while(waiting, idle, none).unwrap_or_else(PoisonError::into_inner).0;
            waiting.is_idle = false;
            if !waiting.bytes.is_empty() {
                waiting = wait_for_many(waiting);
            }
        }
        waiting.is_woken = false;
        waiting.lines = 0;
        waiting.writing_since = Some(Instant::now());
        let spare = std::mem::take(&mut waiting.spare);
        std::mem::replace(&mut waiting.bytes, spare)
    }

    /// What was taken is written, or lost.
    pub(super) fn written(&self, mut lines: Vec<u8>) {
        let mut waiting = self.lock();
        waiting.writing_since = None;
        // What a flood took is not kept.
        if lines.capacity() <= 2 * WAKE_BYTES {
            lines.clear();
            waiting.spare = lines;
        }
        self.emptied.notify_all();
    }

    /// Wakes the writer.
    pub(super) fn wake(&self) {
        self.lock().is_woken = true;
        self.filled.notify_one();
    }

    /// Waits until every line is written, but not longer than this.
    pub(super) fn wait_until_written(&self, longest: Duration) {
        self.wake();
        let busy = |waiting: &mut PendingLines| !waiting.bytes.is_empty() || waiting.writing_since.is_some();
        let waited = self.emptied.wait_timeout_while(self.lock(), longest, busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether at least half of the buffer is free.
    pub(super) fn has_room(&self) -> bool {
        self.lock().bytes.len() <= self.max_bytes / 2
    }

    /// Lines and bytes that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.lines, waiting.bytes.len())
    }

    /// Since when the writer writes what it took.
    pub(super) fn writing_since(&self) -> Option<Instant> {
        self.lock().writing_since
    }

    fn lock(&self) -> MutexGuard<'_, PendingLines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
