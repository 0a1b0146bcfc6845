//! Admission: how many client requests may be under way in this process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The count of client requests under way, and its limit.
#[derive(Clone, Debug)]
pub struct InFlight {
    count: Arc<AtomicUsize>,
    limit: usize,
}

impl InFlight {
    /// A counter that admits `limit` requests at once.
    pub fn new(limit: usize) -> Self {
        Self { count: Arc::default(), limit }
    }

    /// A place for one request, or `None` when all are taken.
    pub fn try_acquire(&self) -> Option<InFlightPermit> {
        let taken = self.count.fetch_add(1, Ordering::Relaxed);
        let permit = InFlightPermit { count: self.count.clone() };
        (taken < self.limit).then_some(permit)
    }

    /// Whether all places are taken.
    pub fn is_full(&self) -> bool {
        self.count() >= self.limit
    }

    /// How many requests are under way.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// One request's place; dropping it, on whatever ending, gives the place back (D7).
#[derive(Debug)]
pub struct InFlightPermit {
    count: Arc<AtomicUsize>,
}

impl Drop for InFlightPermit {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D7: places come back, and a refused request takes none.
    #[test]
    fn d7_places_are_given_back() {
        let in_flight = InFlight::new(2);
        let held: Vec<_> = (0..3).filter_map(|_| in_flight.try_acquire()).collect();
        assert_eq!((held.len(), in_flight.count()), (2, 2));
        drop(held);
        assert_eq!(in_flight.count(), 0);
        assert!(in_flight.try_acquire().is_some());
    }
}
