//! Questions whose answers are there though they cannot be found by their meaning: answered before the model was ready, or
//! by a gateway without one. They are embedded afterwards, one at a time, so that requests that wait come first.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::mpsc;

use super::question::SemanticQuestion;
use super::search::SemanticSearch;
use crate::cache::actor::{CacheActor, PutQuestion};
use crate::cache::entry::CacheEntry;
use crate::cache::key::CacheKey;
use crate::cache::lookup::seconds;
use crate::embed::pool::PoolState;
use crate::embed::refusal::NotEmbedded;
use crate::runtime::mailbox::Mailbox;

/// Questions that may wait; one more has to be asked again.
const MAX_WAITING: usize = 256;

/// Texts that the model cannot take and that are remembered, so that it is not troubled with them at each hit.
const MAX_REFUSED: usize = 10_000;

/// How often a model that is being loaded is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Where such questions wait.
pub struct EmbeddingBackfill {
    semantic: SemanticSearch,
    waiting: mpsc::Sender<BackfillItem>,
    refused: Arc<Cache<CacheKey, ()>>,
}

struct BackfillItem {
    question: SemanticQuestion,
    key: CacheKey,
    namespace: String,
    expires_at: u64,
}

impl EmbeddingBackfill {
    /// Takes questions from now on; the fleet hears of them where it has an actor for that.
    pub fn start(semantic: SemanticSearch, actor: Option<Mailbox<CacheActor>>) -> Self {
        let (waiting, questions) = mpsc::channel(MAX_WAITING);
        let refused = Arc::new(Cache::new(MAX_REFUSED));
        actix::spawn(embed(semantic.clone(), actor, questions, refused.clone()));
        Self { semantic, waiting, refused }
    }

    /// A question was answered by an equal one's answer: costs next to nothing where it can be found already.
    pub fn hit(&self, question: SemanticQuestion, key: CacheKey, entry: &CacheEntry) {
        let context = self.semantic.context(&question);
        // In a full index each one that is added pushes out another, which would be added again at its next hit.
        if context.is_some_and(|context| !self.semantic.index.holds(&context, &key)) && !self.semantic.index.is_full() {
            self.answered(question, key, entry);
        }
    }

    /// A question was answered though it could not be embedded in time.
    pub fn answered(&self, question: SemanticQuestion, key: CacheKey, entry: &CacheEntry) {
        if self.refused.get(&key).is_none() && self.semantic.pool.refuses(&question.text).is_none() {
            let item = BackfillItem { question, key, namespace: entry.namespace.clone(), expires_at: entry.expires_at };
            // Where there is no room, its next hit brings it again.
            let _sent = self.waiting.try_send(item);
        }
    }
}

async fn embed(
    semantic: SemanticSearch,
    actor: Option<Mailbox<CacheActor>>,
    mut questions: mpsc::Receiver<BackfillItem>,
    refused: Arc<Cache<CacheKey, ()>>,
) {
    while let Some(BackfillItem { question, key, namespace, expires_at }) = questions.recv().await {
        while semantic.pool.state() == PoolState::Loading {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        // Several hits may have brought it.
        let context = semantic.context(&question);
        if context.is_some_and(|context| semantic.index.holds(&context, &key)) || expires_at <= seconds() {
            continue;
        }
        match semantic.vector(&question).await {
            Ok(embedded) => {
                let question = embedded.answered(key, expires_at);
                semantic.index.add(question.clone());
                if let Some(actor) = &actor {
                    // A full mailbox means that the fleet does without this question.
                    let _sent = actor.tell(PutQuestion { question, namespace });
                }
            }
            Err(NotEmbedded::NotReady | NotEmbedded::Busy | NotEmbedded::Slow | NotEmbedded::Failed) => {}
            Err(_) => refused.insert(key, ()),
        }
    }
}
