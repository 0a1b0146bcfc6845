//! `EmbedWorker`: one thread of the pool, with its own copy of the model.

use std::sync::Arc;

use actix::{Actor, ActorContext, Handler, Message, SyncContext};

use super::embedder::{Embedder, without_panic};
use super::pool::Loader;
use super::refusal::NotEmbedded;
use crate::runtime::stats::{ActorStats, Queued};

/// Asks for a text's vector.
pub struct Embed {
    /// The text.
    pub text: String,
    /// Its place in the queue, given back when a worker takes the text or nobody waits for it any more.
    pub(crate) place: Queued,
}

impl Message for Embed {
    type Result = Result<Vec<f32>, NotEmbedded>;
}

/// The actor.
pub struct EmbedWorker {
    embedder: Option<Embedder>,
    stats: Arc<ActorStats>,
}

impl EmbedWorker {
    /// A worker whose model is loaded on this thread; how that goes, the loader tells all.
    pub(super) fn new(loader: &Loader) -> Self {
        Self { embedder: loader.load(), stats: loader.stats.clone() }
    }
}

impl Actor for EmbedWorker {
    type Context = SyncContext<Self>;
}

impl Handler<Embed> for EmbedWorker {
    type Result = Result<Vec<f32>, NotEmbedded>;

    fn handle(&mut self, Embed { text, place }: Embed, context: &mut SyncContext<Self>) -> Self::Result {
        drop(place);
        let Some(embedder) = &mut self.embedder else { return Err(NotEmbedded::NotReady) };
        let handling = self.stats.handling();
        let vector = without_panic(|| embedder.embed(&text)).unwrap_or_else(|| {
            // A panic would end the thread, and with the last one the whole pool: the worker is built anew instead.
            self.stats.restarted();
            context.stop();
            Err(NotEmbedded::Failed)
        });
        if vector == Err(NotEmbedded::Failed) {
            handling.fail("the model failed");
        }
        vector
    }
}
