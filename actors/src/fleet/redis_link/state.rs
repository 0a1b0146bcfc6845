//! Whether Redis serves, for other threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a link knows; clones share it.
#[derive(Clone, Debug, Default)]
pub struct RedisState(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    is_up: AtomicBool,
    is_deaf: AtomicBool,
    refusal: Mutex<Option<&'static str>>,
}

impl RedisState {
    /// Whether Redis answered when it was last asked.
    pub fn is_up(&self) -> bool {
        self.0.is_up.load(Ordering::Relaxed)
    }

    /// The code with which Redis refuses to serve, where it is there and does.
    pub fn refusal(&self) -> Option<&'static str> {
        *self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the subscription is lost by which this process hears what others announce.
    pub fn is_deaf(&self) -> bool {
        self.0.is_deaf.load(Ordering::Relaxed)
    }

    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.0.is_deaf.store(is_deaf, Ordering::Relaxed);
    }

    pub(super) fn up(&self) {
        *self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.is_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn down(&self, refusal: Option<&'static str>) {
        *self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
        self.0.is_up.store(false, Ordering::Relaxed);
    }
}
