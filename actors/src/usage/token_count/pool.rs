//! The pool that counts tokens, as callers see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::{Addr, SyncArbiter};
use futures_util::future::LocalBoxFuture;
use gateway_wire::Usage;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::encoding::{self, count_piece, samples, scaled, unless_panic};
use super::pieces::Pieces;
use super::worker::{Count, Load, Loads, Then, TokenCounter};
use super::{GeneratedText, Texts, estimate};
use crate::metrics::{Metrics, TokenCount};
use crate::runtime::registry::{ActorRegistry, Observed, Role};
use crate::runtime::stats::{ActorReport, ActorStats, Queued};

/// Bytes that are counted at once on the thread that asks, which takes well below a millisecond.
const IN_PLACE: usize = 4 << 10;

/// Bytes of output that are counted on the thread that asks, a piece after the other; of more, samples are.
const OUTPUT_IN_PLACE: usize = 128 << 10;

/// Bytes of bodies that may wait in one queue.
const MAX_WAITING_BYTES: usize = 32 << 20;

/// How long the first count waits until the encoding is loaded.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What a pool is started with.
#[derive(Clone, Copy, Debug)]
pub struct CounterSettings {
    /// Threads of each queue.
    pub workers: usize,
    /// Counts that may wait in each queue.
    pub queue: usize,
    /// How long somebody waits for a count.
    pub timeout: Duration,
}

/// The pool; clones share it. The default one has no threads, and counts on the thread that asks.
#[derive(Clone, Default)]
pub struct CounterPool {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    settings: CounterSettings,
    metrics: Arc<Metrics>,
    closing: Arc<AtomicBool>,
    /// Counts that an answer waits for.
    awaited: Queue,
    /// Counts of attempts that are over: however long they take, they hold up no answer.
    abandoned: Queue,
}

#[derive(Clone)]
struct Queue {
    threads: usize,
    workers: Addr<TokenCounter>,
    stats: Arc<ActorStats>,
    loads: Arc<Loads>,
}

impl Queue {
    fn report(&self) -> ActorReport {
        let state = json!({
            "workers": self.threads,
            "waiting_bytes": self.loads.bytes.load(Ordering::Relaxed),
            "is_loaded": encoding::is_loaded(),
        });
        ActorReport { state, alive: self.workers.connected(), ..self.stats.report() }
    }
}

impl Observed for Queue {
    fn stats(&self) -> &Arc<ActorStats> {
        &self.stats
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { self.report() })
    }
}

impl CounterPool {
    /// A pool of this actix system, which the calling thread must belong to.
    pub fn start(settings: CounterSettings, metrics: Arc<Metrics>) -> Self {
        let closing = Arc::new(AtomicBool::new(false));
        let queue = |name: &str| {
            let stats = ActorStats::new(name, "tokens", settings.queue);
            let (worker_stats, metrics, closing) = (stats.clone(), metrics.clone(), closing.clone());
            let worker = move || TokenCounter {
                stats: worker_stats.clone(),
                metrics: metrics.clone(),
                closing: closing.clone(),
            };
            let threads = settings.workers;
            Queue { threads, workers: SyncArbiter::start(threads, worker), stats, loads: Arc::default() }
        };
        let (awaited, abandoned) = (queue("token_counter"), queue("token_counter:abandoned"));
        Self { inner: Some(Arc::new(Inner { settings, metrics, closing, awaited, abandoned })) }
    }

    /// Counts here and now, where that is a matter of microseconds.
    pub fn count_small(&self, texts: &Texts) -> Option<Usage> {
        if let Some(inner) = &self.inner
            && (texts.len() > IN_PLACE || !encoding::is_loaded() || inner.closing.load(Ordering::Relaxed))
        {
            return None;
        }
        let usage = unless_panic(|| texts.count(&|| false)).flatten();
        self.note(usage.is_some());
        Some(usage.unwrap_or_else(|| texts.estimate()))
    }

    /// Counts off this thread; `then` is dropped where there is no count.
    pub fn count_later(&self, texts: Texts, then: impl FnOnce(Usage) + Send + 'static) {
        let Some(inner) = &self.inner else { return then(texts.estimate()) };
        inner.post(&inner.abandoned, texts, Then::Settle(Box::new(then)));
    }

    /// Counts, and waits for it a little; none where that takes too long.
    pub async fn count(&self, texts: Texts) -> Option<Usage> {
        if let Some(usage) = self.count_small(&texts) {
            return Some(usage);
        }
        let inner = self.inner.as_ref()?;
        let patience = if encoding::is_loaded() { inner.settings.timeout } else { LOAD_TIMEOUT };
        inner.count(texts, patience).await
    }

    /// Counts output on this thread in short pieces, between which others have their turn.
    pub async fn count_output(&self, text: &GeneratedText) -> u64 {
        if let Some(inner) = &self.inner
            && !encoding::is_loaded()
            && inner.count(Texts::default(), LOAD_TIMEOUT).await.is_none()
        {
            return text.estimate();
        }
        let text = text.unescaped();
        let parts: Vec<&str> = if text.len() > OUTPUT_IN_PLACE { samples(&text).collect() } else { vec![&text] };
        let (mut bytes, mut tokens) = (0, 0);
        for piece in parts.into_iter().flat_map(|part| Pieces::new(part, IN_PLACE)) {
            if bytes > 0 {
                tokio::task::yield_now().await;
            }
            let counted = unless_panic(|| count_piece(piece));
            self.note(counted.is_some());
            bytes += piece.len() as u64;
            tokens += counted.unwrap_or_else(|| estimate(piece.len()));
        }
        scaled(tokens, text.len() as u64, bytes)
    }

    /// Lets counts end for a while, then has what is left, and what is still to come, estimated: the process ends.
    pub async fn finish(&self, patience: Duration) {
        let Some(inner) = &self.inner else { return };
        let begun = Instant::now();
        while inner.counts() > 0 && begun.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        inner.closing.store(true, Ordering::Relaxed);
    }

    /// The counters and state of the queue with this name.
    #[cfg(test)]
    pub(super) fn report(&self, name: &str) -> Option<ActorReport> {
        self.inner.as_ref()?.queues().into_iter().find(|queue| queue.stats.name() == name).map(Queue::report)
    }

    /// Registers its queues.
    pub fn register(&self, actors: &ActorRegistry) {
        for queue in self.inner.iter().flat_map(|inner| inner.queues()) {
            actors.add(Role::Optional, queue.clone());
        }
    }

    fn note(&self, counted: bool) {
        if let Some(inner) = &self.inner {
            inner.metrics.token_count(if counted { TokenCount::Counted } else { TokenCount::Panicked });
        }
    }
}

impl Inner {
    fn queues(&self) -> [&Queue; 2] {
        [&self.awaited, &self.abandoned]
    }

    fn counts(&self) -> usize {
        self.queues().iter().map(|queue| queue.loads.counts.load(Ordering::Acquire)).sum()
    }

    async fn count(&self, texts: Texts, patience: Duration) -> Option<Usage> {
        let (tell, told) = oneshot::channel();
        self.post(&self.awaited, texts, Then::Tell(tell));
        let told = timeout(patience, told).await;
        if told.is_err() {
            self.metrics.token_count(TokenCount::Late);
        }
        told.ok()?.ok()
    }

    /// Hands a count to the workers, where there is room for it.
    #[expect(clippy::disallowed_methods, reason = "the pool counts its places itself")]
    fn post(&self, queue: &Queue, texts: Texts, then: Then) {
        if self.closing.load(Ordering::Relaxed) {
            return self.metrics.token_count(TokenCount::Closing);
        }
        let place: Option<Queued> = queue.stats.queue();
        let load = Load::take(&queue.loads, texts.len(), MAX_WAITING_BYTES);
        match (place, load) {
            (Some(place), Some(load)) => queue.workers.do_send(Count { texts, then, place, load }),
            _ => self.metrics.token_count(TokenCount::Full),
        }
    }
}

impl fmt::Debug for CounterPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CounterPool").field("settings", &self.inner.as_ref().map(|inner| inner.settings)).finish()
    }
}
