//! Bytes of request bodies under way: bounded for the process, and for each key so that others have room too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use uuid::Uuid;

/// The bound, and what is held of it.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    max_bytes: usize,
    /// The most of one key: a quarter is always left to others.
    max_bytes_of_key: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bodies: usize,
    bytes: usize,
    of_keys: HashMap<Uuid, usize>,
}

/// The bytes that one request's body holds; dropping it gives them back.
#[derive(Debug)]
pub struct BodyShare {
    budget: BodyBudget,
    key: Uuid,
    bytes: usize,
}

impl BodyBudget {
    /// A bound in which at least one body of the largest size fits, whoever sends it.
    pub fn new(max_bytes: usize, max_body_bytes: usize) -> Self {
        let max_bytes_of_key = (max_bytes / 4 * 3).max(max_body_bytes);
        Self { max_bytes: max_bytes.max(max_body_bytes), max_bytes_of_key, state: Arc::default() }
    }

    /// A share of nothing yet.
    pub fn share(&self, key: Uuid) -> BodyShare {
        self.state().bodies += 1;
        BodyShare { budget: self.clone(), key, bytes: 0 }
    }

    /// The requests whose body is being read, or is here.
    pub fn bodies(&self) -> usize {
        self.state().bodies
    }

    /// The bytes that are held.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyShare {
    /// Takes more bytes, or none where they do not fit.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let mut state = self.budget.state();
        let of_key = state.of_keys.get(&self.key).copied().unwrap_or_default();
        let fits = state.bytes.saturating_add(bytes) <= self.budget.max_bytes
            && of_key.saturating_add(bytes) <= self.budget.max_bytes_of_key;
        if fits {
            state.bytes += bytes;
            state.of_keys.insert(self.key, of_key + bytes);
            self.bytes += bytes;
        }
        fits
    }

    /// Gives bytes back.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.state().give_back(self.key, bytes);
    }
}

impl State {
    fn give_back(&mut self, key: Uuid, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_key) = self.of_keys.get_mut(&key) {
            *of_key = of_key.saturating_sub(bytes);
            if *of_key == 0 {
                self.of_keys.remove(&key);
            }
        }
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.bodies = state.bodies.saturating_sub(1);
        state.give_back(self.key, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J 9: nobody takes more than the bound, no key takes all of it, and everything comes back.
    #[test]
    fn j9_bodies_share_a_bound() {
        let budget = BodyBudget::new(1000, 100);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut shares: Vec<BodyShare> = (0..10).map(|_| budget.share(one)).collect();
        let fitting = shares.iter_mut().filter_map(|share| share.grow(100).then_some(())).count();
        assert_eq!(fitting, 7, "three quarters");
        let mut second = budget.share(other);
        assert!(second.grow(300) && !second.grow(1));
        second.shrink(100);
        assert_eq!((budget.bytes(), budget.bodies()), (900, 11));
        drop((shares, second));
        assert_eq!((budget.bytes(), budget.bodies()), (0, 0));
        assert!(budget.state().of_keys.is_empty());
        assert!(BodyBudget::new(10, 100).share(one).grow(100), "the largest body always fits");
    }
}
