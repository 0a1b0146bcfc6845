//! Questions whose answers are there though they cannot be found by their meaning: answered before the model was ready, or
//! by a gateway without one. They are embedded afterwards, one at a time, so that requests that wait come first.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::mpsc;

use super::question::SemanticQuestion;
use super::search::SemanticSearch;
use crate::cache::actor::shared_answers::SharedAnswers;
use crate::cache::entry::CacheEntry;
use crate::cache::key::CacheKey;
use crate::cache::lookup::seconds;
use crate::embed::pool::PoolState;
use crate::embed::refusal::NotEmbedded;
use crate::runtime::stats::ActorStats;

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

/// What waits, for the one that embeds it.
pub struct BackfillQueue {
    semantic: SemanticSearch,
    questions: mpsc::Receiver<BackfillItem>,
    refused: Arc<Cache<CacheKey, ()>>,
}

impl EmbeddingBackfill {
    /// The two ends of a queue.
    pub fn new(semantic: SemanticSearch) -> (Self, BackfillQueue) {
        let (waiting, questions) = mpsc::channel(MAX_WAITING);
        let refused = Arc::new(Cache::new(MAX_REFUSED));
        let queue = BackfillQueue { semantic: semantic.clone(), questions, refused: refused.clone() };
        (Self { semantic, waiting, refused }, queue)
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

impl BackfillQueue {
    /// Embeds what comes, for as long as the process runs; the fleet hears of it where it shares answers.
    pub(in crate::cache) async fn embed(mut self, shared: Option<SharedAnswers>, stats: Arc<ActorStats>) {
        while let Some(item) = self.questions.recv().await {
            let BackfillItem { question, key, namespace, expires_at } = item;
            while self.semantic.pool.state() == PoolState::Loading {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            // Several hits may have brought it.
            let context = self.semantic.context(&question);
            if context.is_some_and(|context| self.semantic.index.holds(&context, &key)) || expires_at <= seconds() {
                continue;
            }
            match self.semantic.vector(&question).await {
                Ok(embedded) => {
                    let question = embedded.answered(key, expires_at);
                    self.semantic.index.add(question.clone());
                    if let Some(shared) = &shared
                        && let Err(away) = shared.put_question(&question, &namespace).await
                    {
                        stats.fail(&away.to_string());
                    }
                }
                Err(NotEmbedded::NotReady | NotEmbedded::Busy | NotEmbedded::Slow | NotEmbedded::Failed) => {}
                Err(_) => self.refused.insert(key, ()),
            }
        }
    }
}
