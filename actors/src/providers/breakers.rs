//! The circuit breakers of one provider: one for each model that was asked for, so that a model that fails takes none of
//! the others away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::breaker::{Breaker, BreakerState, Counts, GateTicket};
use super::settings::BreakerSettings;
use crate::failure::FailureKind;

/// Models with a breaker of their own; all further ones share that of the provider.
pub(super) const MAX_MODELS: usize = 64;

/// How often room is looked for, once there are so many.
const ROOM_POLL_INTERVAL_MS: u64 = 1_000;

/// What all that ask one provider share.
#[derive(Debug)]
pub(super) struct Breakers {
    settings: BreakerSettings,
    base: Instant,
    models: RwLock<foldhash::HashMap<Arc<str>, Arc<Breaker>>>,
    /// That of models without one of their own.
    others: Arc<Breaker>,
    /// When room was last looked for, in milliseconds since `base`.
    looked_ms: AtomicU64,
    times_opened: AtomicU64,
    last_failure: Mutex<Option<&'static str>>,
}

/// One breaker as `GET /admin/actors` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerReport {
    /// What it lets through.
    pub breaker: BreakerState,
    /// How the requests of its window ended.
    pub window: Counts,
    /// How often it opened.
    pub times_opened: u64,
}

/// The breaker that lets a request through.
#[derive(Debug)]
pub(super) enum BreakerPass {
    By(Arc<Breaker>, GateTicket),
    /// The model has none yet, and gets it when its first answer or failure is here: a name that no provider knows never
    /// takes a place.
    NoBreakerYet,
}

impl Breakers {
    pub(super) fn new(settings: BreakerSettings, base: Instant) -> Self {
        Self {
            settings,
            base,
            models: RwLock::default(),
            others: Arc::new(Breaker::new(settings, base)),
            looked_ms: AtomicU64::new(0),
            times_opened: AtomicU64::new(0),
            last_failure: Mutex::default(),
        }
    }

    /// Lets a request for a model go.
    ///
    /// # Errors
    /// Where its breaker is open, with how long to wait.
    pub(super) fn admit(&self, model: &str, now: Instant) -> Result<BreakerPass, Duration> {
        match self.find(model, now) {
            Some(breaker) => breaker.admit(now).map(|admitted| BreakerPass::By(breaker, admitted)),
            None => Ok(BreakerPass::NoBreakerYet),
        }
    }

    /// Whether a request for a model would be refused at `at`, which may lie ahead: so nothing is forgotten by its time.
    pub(super) fn refuses(&self, model: &str, at: Instant) -> bool {
        self.known(model).is_some_and(|breaker| breaker.refuses(at))
    }

    /// The breaker of a model that has answered or failed.
    pub(super) fn ensure(&self, model: &str, now: Instant) -> Arc<Breaker> {
        if let Some(breaker) = self.find(model, now) {
            return breaker;
        }
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        if models.len() >= MAX_MODELS && !models.contains_key(model) {
            return self.others.clone();
        }
        let new = || Arc::new(Breaker::new(self.settings, self.base));
        models.entry(Arc::from(model)).or_insert_with(new).clone()
    }

    /// Notes that some breaker has opened.
    pub(super) fn opened(&self) {
        self.times_opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a failure by the provider's fault.
    pub(super) fn failed(&self, kind: FailureKind) {
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(kind.as_str());
    }

    pub(super) fn last_failure(&self) -> Option<&'static str> {
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the least willing of the breakers lets through.
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.values().chain([&self.others]).map(|breaker| breaker.state(now)).max().unwrap_or(BreakerState::Closed)
    }

    /// All of them in one.
    pub(super) fn report(&self, now: Instant) -> BreakerReport {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let counts = models.values().chain([&self.others]).map(|breaker| breaker.counts(now));
        let window = counts.fold(Counts::default(), Counts::plus);
        drop(models);
        BreakerReport { breaker: self.state(now), window, times_opened: self.times_opened.load(Ordering::Relaxed) }
    }

    /// Each of the models that have one of their own.
    pub(super) fn models(&self, now: Instant) -> BTreeMap<String, BreakerReport> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let report = |breaker: &Breaker| BreakerReport {
            breaker: breaker.state(now),
            window: breaker.counts(now),
            times_opened: breaker.times_opened(),
        };
        models.iter().map(|(model, breaker)| (model.to_string(), report(breaker))).collect()
    }

    /// The model's own breaker, or that of the others where there is no room for one; none where it gets one later.
    fn find(&self, model: &str, now: Instant) -> Option<Arc<Breaker>> {
        let known = self.known(model)?;
        let is_own = !Arc::ptr_eq(&known, &self.others);
        (is_own || !self.makes_room(now)).then_some(known)
    }

    /// The same, without looking for room.
    fn known(&self, model: &str) -> Option<Arc<Breaker>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let others = || (models.len() >= MAX_MODELS).then_some(&self.others);
        models.get(model).or_else(others).cloned()
    }

    /// Forgets models that are closed and that nobody has asked for in a whole window.
    fn makes_room(&self, now: Instant) -> bool {
        let millis = u64::try_from(now.saturating_duration_since(self.base).as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked_ms.load(Ordering::Relaxed);
        if millis.saturating_sub(looked) < ROOM_POLL_INTERVAL_MS {
            return false;
        }
        self.looked_ms.store(millis, Ordering::Relaxed);
        let is_needed =
            |breaker: &Breaker| breaker.state(now) != BreakerState::Closed || breaker.counts(now) != Counts::default();
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        models.retain(|_, breaker| is_needed(breaker));
        models.len() < MAX_MODELS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E1: a question about a time to come makes no room before that time has come.
    #[test]
    fn asking_about_the_future_forgets_no_model() {
        let now = Instant::now();
        let breakers = Breakers::new(BreakerSettings::default(), now);
        for n in 0..MAX_MODELS {
            breakers.ensure(&format!("model-{n}"), now);
        }
        assert!(!breakers.refuses("another", now + Duration::from_secs(3_600)));
        assert_eq!(breakers.models(now).len(), MAX_MODELS);
        assert_eq!(breakers.looked_ms.load(Ordering::Relaxed), 0);
        let later = now + Duration::from_millis(ROOM_POLL_INTERVAL_MS);
        assert!(
            matches!(breakers.admit("another", later), Ok(BreakerPass::NoBreakerYet)),
            "room is looked for in time"
        );
    }
}
