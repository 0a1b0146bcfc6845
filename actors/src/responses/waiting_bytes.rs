//! The bound of what waits to be written, in mailbox and queue together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a response takes beside its bytes.
const OVERHEAD: usize = 1024;

/// Counts the bytes of all responses that wait.
#[derive(Clone, Debug)]
pub(super) struct WaitingBytes {
    waiting: Arc<AtomicUsize>,
    max: usize,
}

/// The bytes of one response; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Reserved {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl WaitingBytes {
    pub(super) fn new(max: usize) -> Self {
        Self { waiting: Arc::default(), max }
    }

    /// Room for a response, if there is any.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let bytes = bytes.saturating_add(OVERHEAD);
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { waiting: self.waiting.clone(), bytes };
        (before.saturating_add(bytes) <= self.max).then_some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_had_again() {
        let waiting = WaitingBytes::new(2 * (OVERHEAD + 10));
        let (one, other) = (waiting.reserve(10), waiting.reserve(10));
        assert!(one.is_some() && other.is_some());
        assert!(waiting.reserve(0).is_none(), "a refusal keeps nothing");
        drop(one);
        assert!(waiting.reserve(10).is_some());
        assert!(waiting.reserve(usize::MAX).is_none());
    }
}
