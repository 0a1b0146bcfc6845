//! The pool that makes vectors of texts, as callers see it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use actix::{Addr, SyncArbiter};
use actix_rt::System;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::embedder::Embedder;
use super::fetch::cache_folder::FAILURE_TTL;
use super::fetch::places::{ModelFiles, Places};
use super::fetch::sources;
use super::language::is_english;
use super::model::Model;
use super::refusal::NotEmbedded;
use super::worker::{Embed, EmbedWorker};
use crate::runtime::registry::Observed;
use crate::runtime::stats::{ActorReport, ActorStats};

/// No token stands for more bytes: a word that is longer is one that no model knows.
const BYTES_PER_TOKEN: usize = 100;
/// How long the end of the workers is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a pool is started with.
#[derive(Clone, Debug)]
pub struct EmbedSettings {
    /// The model.
    pub model: &'static Model,
    /// Where its files are looked for.
    pub places: Places,
    /// The cosine of two texts from which one may stand for the other, where a request sets none.
    pub threshold: f32,
    /// Whether texts that may be in another language than English are not embedded.
    pub english_only: bool,
    /// Threads, each with its own copy of the model.
    pub workers: usize,
    /// Texts that may wait.
    pub queue: usize,
    /// How long a caller waits.
    pub embed_timeout: Duration,
    /// Whether the model is loaded at once; otherwise when the first text comes.
    pub at_start: bool,
}

/// How far the pool is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "model_state", rename_all = "snake_case")]
pub enum PoolState {
    /// Nobody has asked for a vector yet.
    Idle,
    /// The model is looked for, fetched or loaded.
    Loading,
    /// Texts are embedded.
    Ready {
        /// Stands for everything that a vector depends on; vectors of other hashes are not comparable.
        model_hash: String,
    },
    /// The model cannot be had; it is tried again after ten minutes, when a text comes.
    Missing {
        /// Why, for the operator.
        why: String,
    },
}

/// The pool; clones share it. Dropping the last clone ends its threads.
#[derive(Clone)]
pub struct EmbedPool {
    inner: Arc<Inner>,
}

struct Inner {
    settings: EmbedSettings,
    system: System,
    stats: Arc<ActorStats>,
    progress: Arc<Mutex<Progress>>,
}

/// The state, and what belongs to it.
struct Progress {
    state: PoolState,
    workers: Option<Addr<EmbedWorker>>,
    /// Ends when the last worker has let go of its model.
    ended: Option<mpsc::Receiver<()>>,
    missing_since: Option<Instant>,
}

/// What a worker loads its model with.
pub(super) struct Loader {
    pub(super) stats: Arc<ActorStats>,
    model: &'static Model,
    found: ModelFiles,
    /// Not the pool's own: its threads would keep themselves alive.
    progress: Weak<Mutex<Progress>>,
    /// Dropped with the last worker.
    _running: mpsc::Sender<()>,
}

impl EmbedPool {
    /// A pool of this actix system, which the calling thread must belong to; nothing is loaded yet.
    pub fn new(settings: EmbedSettings) -> Self {
        let progress = Progress { state: PoolState::Idle, workers: None, ended: None, missing_since: None };
        let stats = ActorStats::new("embed", "embed", settings.queue);
        let inner = Inner { settings, system: System::current(), stats, progress: Arc::new(Mutex::new(progress)) };
        Self { inner: Arc::new(inner) }
    }

    /// Loads the model where it is to be there from the start; otherwise the first text does.
    pub fn load_at_start(&self) {
        if self.inner.settings.at_start {
            self.workers();
        }
    }

    /// The vector of a text, of length 1: compare those of one model hash alone. Waits for the configured time at most.
    ///
    /// # Errors
    /// Where the text is not to be looked up, for whatever reason.
    pub async fn embed(&self, text: &str) -> Result<Vec<f32>, NotEmbedded> {
        if let Some(why) = self.refuses(text) {
            return Err(why);
        }
        let workers = self.workers().ok_or(NotEmbedded::NotReady)?;
        let place = self.inner.stats.queue().ok_or(NotEmbedded::Busy)?;
        match tokio::time::timeout(
            self.inner.settings.embed_timeout,
            workers.send(Embed { text: text.to_owned(), place }),
        )
        .await
        {
            Ok(Ok(vector)) => vector,
            Ok(Err(_)) => Err(NotEmbedded::Failed),
            Err(_) => Err(NotEmbedded::Slow),
        }
    }

    /// Why a text has no vector, where that can be seen without the model.
    pub fn refuses(&self, text: &str) -> Option<NotEmbedded> {
        let EmbedSettings { model, english_only, .. } = self.inner.settings;
        if text.trim().is_empty() {
            Some(NotEmbedded::Unreadable)
        } else if text.len() > model.window * BYTES_PER_TOKEN {
            Some(NotEmbedded::TooLong)
        } else if english_only && !is_english(text) {
            Some(NotEmbedded::OtherLanguage)
        } else {
            None
        }
    }

    /// How far the pool is; a lock of nanoseconds.
    pub fn state(&self) -> PoolState {
        lock(&self.inner.progress).state.clone()
    }

    /// The pool's counters.
    pub fn stats(&self) -> &Arc<ActorStats> {
        &self.inner.stats
    }

    /// The model.
    pub fn model(&self) -> &'static Model {
        self.inner.settings.model
    }

    /// The cosine of two texts from which one may stand for the other, where a request sets none.
    pub fn threshold(&self) -> f32 {
        self.inner.settings.threshold
    }

    /// The pool's counters and state, for `GET /admin/actors`.
    pub fn report(&self) -> ActorReport {
        let state = json!({ "model": self.model().id, "workers": self.inner.settings.workers, "pool": self.state() });
        ActorReport { state, ..self.inner.stats.report() }
    }

    /// Ends the workers, and waits a moment for them: a process that exits while the runtime computes may crash.
    pub async fn close(&self) {
        let (workers, ended) = {
            let mut progress = lock(&self.inner.progress);
            progress.state = PoolState::Missing { why: "the process ends".to_owned() };
            progress.missing_since = Some(Instant::now());
            (progress.workers.take(), progress.ended.take())
        };
        drop(workers);
        if let Some(mut ended) = ended
            && tokio::time::timeout(CLOSE_TIMEOUT, ended.recv()).await.is_err()
        {
            log::warn!("the embedding model still computes");
        }
    }

    /// The workers, if they are there; otherwise they are started where that was not tried, or long ago.
    fn workers(&self) -> Option<Addr<EmbedWorker>> {
        let mut progress = lock(&self.inner.progress);
        let is_due = match progress.state {
            PoolState::Idle => true,
            PoolState::Loading | PoolState::Ready { .. } => false,
            PoolState::Missing { .. } => progress.missing_since.is_none_or(|since| since.elapsed() >= FAILURE_TTL),
        };
        if is_due {
            progress.state = PoolState::Loading;
            drop(progress);
            self.load();
            return None;
        }
        progress.workers.clone().filter(|_| matches!(progress.state, PoolState::Ready { .. }))
    }

    /// Finds the model on a thread of its own, as it may be fetched; then starts the workers, which load it.
    fn load(&self) {
        let EmbedSettings { model, places, workers, .. } = self.inner.settings.clone();
        let (system, stats, progress) =
            (self.inner.system.clone(), self.inner.stats.clone(), self.inner.progress.clone());
        let find = move || {
            log::info!(model = model.id; "looking for the embedding model");
            let fetch = |bundle: &_, into: &_| sources::fetch(&places, bundle, into, false);
            match places.obtain(model, false, &fetch) {
                Err(why) => missing(&progress, why),
                Ok(found) => {
                    let (running, ended) = mpsc::channel(1);
                    let loader = Loader { stats, model, found, progress: Arc::downgrade(&progress), _running: running };
                    let start = async move {
                        // Locked until they are there: a worker that is ready at once is told after that.
                        let mut progress = lock(&progress);
                        if progress.state == PoolState::Loading {
                            progress.workers = Some(SyncArbiter::start(workers, move || EmbedWorker::new(&loader)));
                            progress.ended = Some(ended);
                        }
                    };
                    if !system.arbiter().spawn(start) {
                        log::info!("loading the embedding model was cancelled: the process exits");
                    }
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("embed-load".to_owned()).spawn(find) {
            missing(&self.inner.progress, format!("no thread: {error}"));
        }
    }
}

impl Loader {
    /// Loads the model on this thread. The pool is ready with its first worker, and missing when none could load it.
    pub(super) fn load(&self) -> Option<Embedder> {
        let loaded = Embedder::load(self.model, &self.found);
        let progress = self.progress.upgrade()?;
        match loaded {
            Ok(embedder) => {
                let model_hash = self.found.hash.clone();
                log::info!(model = self.model.id, hash = model_hash; "the embedding model is ready");
                lock(&progress).state = PoolState::Ready { model_hash };
                Some(embedder)
            }
            Err(why) => {
                self.stats.fail(&why);
                if lock(&progress).state == PoolState::Loading {
                    missing(&progress, why);
                }
                None
            }
        }
    }
}

fn missing(progress: &Mutex<Progress>, why: String) {
    log::warn!(why = why; "the semantic cache is off: the embedding model is missing");
    let mut progress = lock(progress);
    progress.missing_since = Some(Instant::now());
    progress.state = PoolState::Missing { why };
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observed for EmbedPool {
    fn stats(&self) -> &Arc<ActorStats> {
        self.stats()
    }

    fn observe(&self) -> LocalBoxFuture<'_, ActorReport> {
        Box::pin(async { self.report() })
    }
}

impl fmt::Debug for EmbedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbedPool").field("model", &self.model().id).field("state", &self.state()).finish()
    }
}
