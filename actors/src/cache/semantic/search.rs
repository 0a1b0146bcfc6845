//! Answers to other questions of the same meaning: near by their vectors, and not told apart by their words.

use std::sync::Arc;
use std::time::Instant;

use super::index::{AnsweredQuestion, Candidate, Index, PackedVector};
use super::question::SemanticQuestion;
use crate::cache::invalidation::Invalidation;
use crate::cache::key::CacheKey;
use crate::cache::local::CacheRules;
use crate::cache::policy::CachePolicy;
use crate::cache::shadow::{Place, Shadow};
use crate::embed::pool::{EmbedPool, EmbedSettings, PoolState};
use crate::embed::refusal::NotEmbedded;
use crate::metrics::Metrics;

/// What finds questions of the same meaning; clones share it.
#[derive(Clone)]
pub struct SemanticSearch {
    /// The questions that were answered.
    pub index: Arc<Index>,
    /// What makes vectors of texts.
    pub pool: EmbedPool,
    /// Counts what was not looked up, and what was told apart.
    pub metrics: Arc<Metrics>,
    /// Checks some of what is found.
    pub shadow: Arc<Shadow>,
}

/// A question with its vector: what it takes to look for others, and to be found by them.
#[derive(Clone, Debug)]
pub struct EmbeddedQuestion {
    /// What must be equal exactly, the model of the vector included.
    pub context: CacheKey,
    text: Arc<str>,
    vector: Vec<f32>,
}

impl SemanticSearch {
    /// A search that knows no question yet.
    pub fn new(settings: EmbedSettings, rules: &CacheRules, metrics: Arc<Metrics>) -> Self {
        Self {
            index: Arc::new(Index::new(rules.max_questions)),
            pool: EmbedPool::new(settings),
            metrics,
            shadow: Arc::new(Shadow::new(rules.shadow)),
        }
    }

    /// Forgets questions, and what was found of the answers of a namespace. A question of a namespace goes when its answer
    /// is not found any more.
    pub fn forget(&self, invalidation: &Invalidation) {
        self.shadow.reset(invalidation);
        match invalidation {
            Invalidation::All => self.index.clear(),
            Invalidation::Namespace(_) => {}
            Invalidation::Key(hex) => {
                if let Some(key) = CacheKey::from_hex(hex) {
                    self.index.remove(&key);
                }
            }
        }
    }

    /// The question's vector; none where it cannot be had at once, or the model does not know such texts.
    pub async fn embed(&self, question: &SemanticQuestion) -> Option<EmbeddedQuestion> {
        self.vector(question).await.inspect_err(|why| self.metrics.semantic_skipped(why.as_str())).ok()
    }

    /// The question's vector, for a look that no request waits for.
    pub(super) async fn vector(&self, question: &SemanticQuestion) -> Result<EmbeddedQuestion, NotEmbedded> {
        let begun = Instant::now();
        let vector = self.pool.embed(&question.text).await?;
        self.metrics.embedded(begun.elapsed());
        let context = self.context(question).ok_or(NotEmbedded::NotReady)?;
        Ok(EmbeddedQuestion { context, text: question.text.as_str().into(), vector })
    }

    /// What must be equal exactly, the model included, as vectors of different models are not comparable; none while it is
    /// not ready.
    pub(super) fn context(&self, question: &SemanticQuestion) -> Option<CacheKey> {
        let PoolState::Ready { model_hash } = self.pool.state() else { return None };
        Some(question.context.with(&model_hash))
    }

    /// How similar questions must be to share an answer; none where they share none.
    pub fn threshold(&self, tenant: &str, policy: &CachePolicy) -> Option<f32> {
        let place = Place { tenant: tenant.to_owned(), namespace: policy.namespace.clone() };
        self.shadow.threshold(&place, policy.threshold.unwrap_or_else(|| self.pool.threshold()))
    }

    /// Questions that may share their answers with this one, the most similar first (F3): the cosine only proposes.
    pub fn candidates(&self, asked: &EmbeddedQuestion, threshold: f32, now: u64) -> Vec<Candidate> {
        let mut near = self.index.search(&asked.context, &asked.vector, threshold, now);
        near.retain(|candidate| match gateway_question_guard::differs(&asked.text, &candidate.text) {
            None => true,
            Some(difference) => {
                self.metrics.guard_rejected(difference.as_str());
                false
            }
        });
        near
    }
}

impl EmbeddedQuestion {
    /// The question as it is found by others once it has an answer.
    pub fn answered(self, key: CacheKey, expires_at: u64) -> AnsweredQuestion {
        let Self { context, text, vector } = self;
        AnsweredQuestion { context, key, text, expires_at, vector: PackedVector::from_floats(&vector) }
    }
}
