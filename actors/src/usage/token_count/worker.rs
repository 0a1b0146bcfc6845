//! `TokenCounter`: one thread of the pool that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix::{Actor, ActorContext, Handler, Message, SyncContext};
use gateway_wire::Usage;
use tokio::sync::oneshot;

use super::{Texts, encoding};
use crate::metrics::{Metrics, TokenCount};
use crate::runtime::stats::{ActorStats, Queued};

/// Asks for a count.
pub(super) struct Count {
    pub(super) texts: Texts,
    pub(super) then: Then,
    /// Its place in the queue, given back when a worker begins.
    pub(super) place: Queued,
    /// What it holds of the queue's memory, given back when its texts are gone.
    pub(super) load: Load,
}

impl Message for Count {
    type Result = ();
}

/// Where the count goes. Dropped where there is none.
pub(super) enum Then {
    /// To somebody who waits, for a while.
    Tell(oneshot::Sender<Usage>),
    /// Into the books.
    Settle(Box<dyn FnOnce(Usage) + Send>),
}

impl Then {
    fn is_wanted(&self) -> bool {
        !matches!(self, Self::Tell(waiter) if waiter.is_closed())
    }

    fn take(self, usage: Usage) {
        match self {
            Self::Tell(waiter) => {
                if waiter.send(usage).is_err() {
                    log::debug!("a token count was abandoned");
                }
            }
            Self::Settle(settle) => settle(usage),
        }
    }
}

/// Counts under way, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Loads {
    pub(super) counts: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

/// One count's part of them.
pub(super) struct Load {
    loads: Arc<Loads>,
    bytes: usize,
}

impl Load {
    /// Takes a part, where it fits within `max_bytes` or is the only one.
    pub(super) fn take(loads: &Arc<Loads>, bytes: usize, max_bytes: usize) -> Option<Self> {
        loads.counts.fetch_add(1, Ordering::AcqRel);
        let before = loads.bytes.fetch_add(bytes, Ordering::AcqRel);
        let load = Self { loads: loads.clone(), bytes };
        (before == 0 || before.saturating_add(bytes) <= max_bytes).then_some(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.loads.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.loads.counts.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The actor.
pub(super) struct TokenCounter {
    pub(super) stats: Arc<ActorStats>,
    pub(super) metrics: Arc<Metrics>,
    /// The process ends: what is not counted yet is estimated.
    pub(super) closing: Arc<AtomicBool>,
}

impl Actor for TokenCounter {
    type Context = SyncContext<Self>;
}

impl Handler<Count> for TokenCounter {
    type Result = ();

    fn handle(&mut self, count: Count, context: &mut SyncContext<Self>) {
        let Count { texts, then, place, load } = count;
        drop(place);
        if !then.is_wanted() {
            return;
        }
        let handling = self.stats.handling();
        let is_closing = || self.closing.load(Ordering::Relaxed);
        let counted = encoding::unless_panic(move || {
            // Held as long as the texts are.
            let _load = load;
            encoding::load();
            texts.count(&is_closing).map(|usage| then.take(usage))
        });
        self.metrics.token_count(match counted {
            Some(Some(())) => TokenCount::Counted,
            Some(None) => TokenCount::Closing,
            None => TokenCount::Panicked,
        });
        if counted.is_none() {
            handling.fail("counting panicked");
            // The thread lives on, with a new worker.
            self.stats.restarted();
            context.stop();
        }
    }
}
