//! Questions whose answers are there though they cannot be found by their meaning: answered before the model was ready, or
//! by a gateway without one. They are embedded afterwards, one at a time, so that requests that wait come first.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::mpsc;

use super::question::Question;
use super::search::Meanings;
use crate::cache::actor::{CacheActor, KeepQuestion};
use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::cache::lookup::seconds;
use crate::embed::pool::PoolState;
use crate::embed::refusal::NotEmbedded;
use crate::runtime::mailbox::Mailbox;

/// Questions that may wait; one more has to be asked again.
const MOST: usize = 256;

/// Texts that the model cannot take and that are remembered, so that it is not troubled with them at each hit.
const REFUSED: usize = 10_000;

/// How often a model that is being loaded is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Where such questions wait.
pub struct Latecomers {
    meanings: Meanings,
    waiting: mpsc::Sender<Late>,
    refused: Arc<Cache<CacheKey, ()>>,
}

struct Late {
    question: Question,
    key: CacheKey,
    namespace: String,
    expires_at: u64,
}

impl Latecomers {
    /// Takes questions from now on; the fleet hears of them where it has an actor for that.
    pub fn start(meanings: Meanings, actor: Option<Mailbox<CacheActor>>) -> Self {
        let (waiting, questions) = mpsc::channel(MOST);
        let refused = Arc::new(Cache::new(REFUSED));
        actix::spawn(embed(meanings.clone(), actor, questions, refused.clone()));
        Self { meanings, waiting, refused }
    }

    /// A question was answered by an equal one's answer: costs next to nothing where it can be found already.
    pub fn hit(&self, question: Question, key: CacheKey, entry: &Entry) {
        let context = self.meanings.context(&question);
        // In a full index each one that is added pushes out another, which would be added again at its next hit.
        if context.is_some_and(|context| !self.meanings.index.holds(&context, &key)) && !self.meanings.index.is_full() {
            self.answered(question, key, entry);
        }
    }

    /// A question was answered though it could not be embedded in time.
    pub fn answered(&self, question: Question, key: CacheKey, entry: &Entry) {
        if self.refused.get(&key).is_none() && self.meanings.pool.refuses(&question.text).is_none() {
            let late = Late { question, key, namespace: entry.namespace.clone(), expires_at: entry.expires_at };
            // Where there is no room, its next hit brings it again.
            let _sent = self.waiting.try_send(late);
        }
    }
}

async fn embed(
    meanings: Meanings,
    actor: Option<Mailbox<CacheActor>>,
    mut questions: mpsc::Receiver<Late>,
    refused: Arc<Cache<CacheKey, ()>>,
) {
    while let Some(Late { question, key, namespace, expires_at }) = questions.recv().await {
        while meanings.pool.state() == PoolState::Loading {
            tokio::time::sleep(LOOK).await;
        }
        // Several hits may have brought it.
        let context = meanings.context(&question);
        if context.is_some_and(|context| meanings.index.holds(&context, &key)) || expires_at <= seconds() {
            continue;
        }
        match meanings.vector(&question).await {
            Ok(embedded) => {
                let question = embedded.answered(key, expires_at);
                meanings.index.add(question.clone());
                if let Some(actor) = &actor {
                    // A full mailbox means that the fleet does without this question.
                    let _sent = actor.tell(KeepQuestion { question, namespace });
                }
            }
            Err(NotEmbedded::NotReady | NotEmbedded::Busy | NotEmbedded::Slow | NotEmbedded::Failed) => {}
            Err(_) => refused.insert(key, ()),
        }
    }
}
