//! The limits of users and teams, as the hot path reads them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::HashMap;

use super::{Counters, Limits};
use crate::scope::Scope;

/// The published limits: readers load them without a lock, the key registry swaps them whole.
pub type SharedLimitTable = Arc<ArcSwap<LimitTable>>;

/// The limits of users and teams, each with its counters.
#[derive(Debug, Default)]
pub struct LimitTable {
    limited: HashMap<Scope, ScopeLimits>,
}

/// What someone may do, and what was counted.
#[derive(Clone, Debug)]
pub struct ScopeLimits {
    /// The limits.
    pub limits: Limits,
    /// The counters.
    pub counters: Arc<Counters>,
}

impl LimitTable {
    /// A book of these limits; what was counted under the former ones goes on counting.
    pub fn with(&self, limits: impl IntoIterator<Item = (Scope, Limits)>) -> Self {
        let limited = limits.into_iter().map(|(scope, limits)| {
            let former = self.limited.get(&scope).map(|former| former.counters.clone());
            let counters = former.unwrap_or_else(|| Arc::new(Counters::new(scope.clone())));
            (scope, ScopeLimits { limits, counters })
        });
        Self { limited: limited.collect() }
    }

    /// A book in which the limits of some are set, and those of `gone` are taken away.
    pub fn changed(&self, limits: impl IntoIterator<Item = (Scope, Limits)>, gone: &[Scope]) -> Self {
        let mut limited = self.limited.clone();
        limited.extend(self.with(limits).limited);
        gone.iter().for_each(|scope| drop(limited.remove(scope)));
        Self { limited }
    }

    /// Whether nobody is limited.
    pub fn is_empty(&self) -> bool {
        self.limited.is_empty()
    }

    /// The limits of a user or team, where there are any.
    pub fn get(&self, scope: &Scope) -> Option<&ScopeLimits> {
        self.limited.get(scope)
    }

    /// All limits, in a fixed order.
    pub fn all(&self) -> Vec<(&Scope, Limits)> {
        let mut all: Vec<_> = self.limited.iter().map(|(scope, limited)| (scope, limited.limits)).collect();
        all.sort_by_key(|(scope, _)| *scope);
        all
    }
}
