//! The pool that looks at long texts, so that no worker thread stands still for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, Handler, Message, SyncArbiter, SyncContext};
use gateway_guard::{injection, pii, safety};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::runtime::registry::{ActorRegistry, Observed, Role};
use crate::runtime::stats::{ActorStats, Queued};

/// Bytes that are looked at on the thread that asks, which takes a few milliseconds.
pub const IN_PLACE: usize = 32 << 10;

/// What a pool is started with.
#[derive(Clone, Copy, Debug)]
pub struct GuardPoolSettings {
    /// Threads.
    pub workers: usize,
    /// Texts that may wait.
    pub queue: usize,
    /// How long somebody waits for one.
    pub timeout: Duration,
}

/// The pool; clones share it. The default one has no threads, and looks on the thread that asks.
#[derive(Clone, Default)]
pub struct GuardPool(Option<Arc<Inner>>);

struct Inner {
    workers: Addr<GuardWorker>,
    stats: Arc<ActorStats>,
    timeout: Duration,
}

impl Observed for Arc<Inner> {
    fn stats(&self) -> &Arc<ActorStats> {
        &self.stats
    }

    fn is_alive(&self) -> bool {
        self.workers.connected()
    }
}

impl GuardPool {
    /// A pool of this actix system, which the calling thread must belong to.
    pub fn start(settings: GuardPoolSettings) -> Self {
        let stats = ActorStats::new("guard_worker", "guardrails", settings.queue);
        let worker_stats = stats.clone();
        let workers = SyncArbiter::start(settings.workers, move || GuardWorker { stats: worker_stats.clone() });
        Self(Some(Arc::new(Inner { workers, stats, timeout: settings.timeout })))
    }

    /// Registers it.
    pub fn register(&self, actors: &ActorRegistry) {
        if let Some(inner) = &self.0 {
            actors.add(Role::Optional, inner.clone());
        }
    }

    /// Does some work on so many bytes: here where it is little, else on a thread of the pool. None where the pool has no
    /// room or no time for it.
    #[expect(clippy::disallowed_methods, reason = "the pool counts its places itself")]
    pub async fn run<T: Send + 'static>(&self, bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let Some(inner) = self.0.as_ref().filter(|_| bytes > IN_PLACE) else { return Some(work()) };
        let place = inner.stats.queue()?;
        let (tell, told) = oneshot::channel();
        let work: Work = Box::new(move || {
            let done = work();
            Box::new(move || {
                if tell.send(done).is_err() {
                    log::debug!("nobody waits for a guarded text any more");
                }
            })
        });
        inner.workers.do_send(GuardText { work, place });
        timeout(inner.timeout, told).await.ok()?.ok()
    }
}

/// Some work, which gives what tells its result.
type Work = Box<dyn FnOnce() -> Box<dyn FnOnce()> + Send>;

/// Asks for some work.
struct GuardText {
    work: Work,
    /// Its place in the queue, given back when a worker begins.
    place: Queued,
}

impl Message for GuardText {
    type Result = ();
}

/// One thread of the pool.
struct GuardWorker {
    stats: Arc<ActorStats>,
}

impl Actor for GuardWorker {
    type Context = SyncContext<Self>;

    /// Reads the lists, so that no request waits for them.
    fn started(&mut self, _context: &mut SyncContext<Self>) {
        pii::warm_up();
        let phrases = (safety::warm_up(), injection::warm_up());
        log::debug!(content_safety = phrases.0, prompt_injection = phrases.1; "the lists of the guardrails are read");
    }
}

impl Handler<GuardText> for GuardWorker {
    type Result = ();

    fn handle(&mut self, text: GuardText, context: &mut SyncContext<Self>) {
        let GuardText { work, place } = text;
        drop(place);
        let handling = self.stats.handling();
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(tell) => {
                // Whoever has the result finds the text counted.
                drop(handling);
                tell();
            }
            Err(_) => {
                handling.fail("a guardrail panicked");
                // The thread lives on, with a new worker.
                self.stats.restarted();
                context.stop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text is counted before its result is told: here the result itself looks, as it is dropped where nobody waits.
    #[actix::test]
    async fn whoever_has_a_result_finds_it_counted() {
        struct Looks(Arc<ActorStats>, std::sync::mpsc::Sender<u64>);
        impl Drop for Looks {
            fn drop(&mut self) {
                self.1.send(self.0.report().handled).unwrap();
            }
        }
        let settings = GuardPoolSettings { workers: 1, queue: 1, timeout: Duration::from_secs(20) };
        let pool = GuardPool::start(settings);
        let stats = pool.0.as_ref().unwrap().stats.clone();
        let (saw, seen) = std::sync::mpsc::channel();
        let (begun, begins) = oneshot::channel::<()>();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
            Looks(stats, saw)
        };
        {
            let running = std::pin::pin!(pool.run(IN_PLACE + 1, work));
            let first = futures_util::future::select(running, begins).await;
            assert!(matches!(first, futures_util::future::Either::Right((Ok(()), _))));
        }
        go.send(()).unwrap();
        assert_eq!(seen.recv_timeout(Duration::from_secs(20)), Ok(1));
    }

    /// What is long is looked at elsewhere; a panic costs its own text alone, and a full queue refuses.
    #[actix::test]
    async fn long_texts_are_looked_at_elsewhere() {
        let settings = GuardPoolSettings { workers: 1, queue: 1, timeout: Duration::from_secs(20) };
        let pool = GuardPool::start(settings);
        let own = std::thread::current().id();
        let id = || std::thread::current().id();
        assert_eq!(pool.run(IN_PLACE, id).await, Some(own));
        assert_ne!(pool.run(IN_PLACE + 1, id).await, Some(own));
        assert_eq!(pool.run(IN_PLACE + 1, || assert_eq!(1, 2, "a bug")).await, None);
        assert!(pool.run(IN_PLACE + 1, id).await.is_some_and(|other| other != own));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel::<()>();
        let busy = pool.run(IN_PLACE + 1, move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        });
        let others = async {
            begins.await.unwrap();
            let waiting = pool.run(IN_PLACE + 1, id);
            let refused = async {
                let refused = pool.run(IN_PLACE + 1, id).await;
                go.send(()).unwrap();
                refused
            };
            futures_util::future::join(waiting, refused).await
        };
        let (_, (waited, refused)) = futures_util::future::join(busy, others).await;
        assert!(waited.is_some() && refused.is_none());
    }
}
