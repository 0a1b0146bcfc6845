//! Requests for the same answer at once: one asks the provider, the others wait for what it stores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::key::CacheKey;
use super::lookup::CacheHit;

/// The answers that are being made.
#[derive(Clone, Debug, Default)]
pub struct SingleFlight {
    under_way: Arc<Mutex<HashMap<CacheKey, watch::Receiver<Option<CacheHit>>>>>,
}

/// Who makes an answer.
#[derive(Debug)]
pub enum Turn {
    /// The caller, until it drops this.
    Mine(Flight),
    /// Another request; wait for it.
    Others(watch::Receiver<Option<CacheHit>>),
}

/// An answer that is being made; dropping it wakes those who wait.
#[derive(Debug)]
pub struct Flight {
    single_flight: SingleFlight,
    key: CacheKey,
    ended: watch::Sender<Option<CacheHit>>,
}

impl SingleFlight {
    /// Whose turn it is.
    pub fn turn(&self, key: CacheKey) -> Turn {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(&key) {
            return Turn::Others(flight.clone());
        }
        let (ended, flight) = watch::channel(None);
        under_way.insert(key, flight);
        Turn::Mine(Flight { single_flight: self.clone(), key, ended })
    }
}

impl Flight {
    /// Nothing is made: another question's answer will do, for those who wait too.
    pub fn found(&self, found: CacheHit) {
        self.ended.send_replace(Some(found));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.single_flight.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Waits until whoever makes an answer has done with it, well or not; gives what was found in its place.
pub async fn landed(mut flight: watch::Receiver<Option<CacheHit>>) -> Option<CacheHit> {
    // The channel's end is what is waited for.
    while flight.changed().await.is_ok() {}
    flight.borrow().clone()
}
