//! What `GET /admin/actors` shows of each actor, and the mailbox that counts and limits what an actor is asked.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::histogram::Histogram;

/// One actor's counters: written by its mailbox and its handlers, read by whoever reports.
#[derive(Debug)]
pub struct ActorStats {
    pub(super) name: Arc<str>,
    place: String,
    mailbox_limit: usize,
    queued: AtomicUsize,
    handled: AtomicU64,
    failed: AtomicU64,
    restarts: AtomicU64,
    pub(super) alive: AtomicBool,
    last_error: Mutex<Option<String>>,
    times: Histogram,
}

/// One actor as `GET /admin/actors` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActorReport {
    /// The actor's name, such as `provider:openai`.
    pub name: String,
    /// The thread or arbiter that it runs on.
    pub place: String,
    /// Messages that wait for their handler to start.
    pub mailbox_depth: usize,
    /// Messages that may wait at once; one more is refused (0 = no limit).
    pub mailbox_limit: usize,
    /// Messages whose handling has ended, well or not.
    pub handled: u64,
    /// Errors that handlers reported.
    pub failed: u64,
    /// Times that the actor was started again.
    pub restarts: u64,
    /// The newest of the reported errors.
    pub last_error: Option<String>,
    /// Half of the messages took at most this many microseconds (rounded up to a power of two).
    pub p50_us: u64,
    /// Of a hundred messages, 99 took at most this many microseconds (rounded up to a power of two).
    pub p99_us: u64,
    /// Whether the actor still takes messages.
    pub alive: bool,
    /// What only this kind of actor has, such as a breaker's state; its owner fills it in.
    pub state: serde_json::Value,
}

impl ActorStats {
    /// Counters at zero for the actor `name`, running at `place`, in front of which `mailbox_limit` messages may wait.
    pub fn new(name: impl Into<Arc<str>>, place: impl Into<String>, mailbox_limit: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            place: place.into(),
            mailbox_limit,
            queued: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            alive: AtomicBool::new(true),
            last_error: Mutex::new(None),
            times: Histogram::default(),
        })
    }

    /// The actor's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the actor took messages when a mailbox last looked.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Messages that wait for their handler to start.
    pub fn mailbox_depth(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Shows how many messages wait, of an actor with a queue of its own.
    pub fn set_depth(&self, waiting: usize) {
        self.queued.store(waiting, Ordering::Relaxed);
    }

    /// Starts the clock for one message: hold the guard until its handling has ended, over awaits too.
    pub fn handling(self: &Arc<Self>) -> Handling {
        Handling { stats: self.clone(), started: Instant::now() }
    }

    /// Records that a handler failed, and how; `error` must be free of secrets and of users' text.
    pub fn fail(&self, error: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    /// Records that the actor was started again.
    pub fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.alive.store(true, Ordering::Relaxed);
    }

    /// The counters of this moment; `state` is null, and `alive` is false once a mailbox has found the actor gone.
    pub fn report(&self) -> ActorReport {
        ActorReport {
            name: self.name.to_string(),
            place: self.place.clone(),
            mailbox_depth: self.mailbox_depth(),
            mailbox_limit: self.mailbox_limit,
            handled: self.handled.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            p50_us: self.times.quantile(50),
            p99_us: self.times.quantile(99),
            alive: self.alive.load(Ordering::Relaxed),
            state: serde_json::Value::Null,
        }
    }

    /// A place in the mailbox, or `None` when all are taken.
    pub(crate) fn queue(self: &Arc<Self>) -> Option<Queued> {
        let waiting = self.queued.fetch_add(1, Ordering::Relaxed);
        let place = Queued { stats: self.clone() };
        (self.mailbox_limit == 0 || waiting < self.mailbox_limit).then_some(place)
    }

    fn record(&self, time: Duration) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.times.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

/// One message being handled; dropping it counts the message and the time it took.
#[derive(Debug)]
#[must_use = "the message counts as handled when this is dropped"]
pub struct Handling {
    stats: Arc<ActorStats>,
    started: Instant,
}

impl Handling {
    /// Records that the handling failed, and how; `error` must be free of secrets and of users' text.
    pub fn fail(&self, error: &str) {
        self.stats.fail(error);
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.stats.record(self.started.elapsed());
        if std::thread::panicking() {
            self.stats.fail("a handler panicked");
        }
    }
}

/// One message's place in the mailbox; it is given back when the handler starts or the message is dropped unhandled.
#[derive(Debug)]
pub(crate) struct Queued {
    stats: Arc<ActorStats>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.stats.queued.fetch_sub(1, Ordering::Relaxed);
    }
}
