//! Compares a fresh answer with the one that the cache would have given.

use std::sync::Arc;

use super::{AnswerText, Place, Shadow, ShadowCandidate, Verdict};
use crate::cache::actor::RemoveAnswer;
use crate::cache::entry::CacheEntry;
use crate::cache::key::CacheKey;
use crate::cache::lookup::AnswerCache;
use crate::cache::semantic::search::SemanticSearch;
use crate::embed::pool::EmbedPool;

impl AnswerCache {
    /// Compares the two, and counts what comes of it. Where the stored one was wrong, both are thrown out, and neither
    /// question shares an answer with any other again: each would else find the other one, which is as near. Nobody waits
    /// for it.
    pub(in crate::cache) async fn judge(
        self: Arc<Self>,
        shadowed: Box<ShadowCandidate>,
        asked: CacheKey,
        fresh: Arc<CacheEntry>,
    ) {
        let Some(SemanticSearch { pool, shadow, index, .. }) = &self.local.semantic else { return };
        let ShadowCandidate { found, threshold } = *shadowed;
        let verdict = match (AnswerText::from_entry(&found.entry), AnswerText::from_entry(&fresh)) {
            (Some(stored), Some(fresh)) => compare(pool, shadow.rules.agreement, &stored, &fresh).await,
            _ => Verdict::Uncomparable,
        };
        let place = Place { tenant: fresh.tenant.clone(), namespace: fresh.namespace.clone() };
        if verdict != Verdict::Uncomparable {
            shadow.note(&place, found.similarity.unwrap_or(1.0), threshold, verdict == Verdict::Agrees);
        }
        if verdict == Verdict::Differs {
            let key = found.key;
            log::info!(key = key.to_hex(), similarity = found.similarity; "an answer from the cache would have been wrong");
            for key in [key, asked] {
                index.set_apart(key);
                self.local.memory.remove(&key);
                if let Some(actor) = self.fleet() {
                    // A full mailbox means that the fleet keeps it until it expires.
                    let _sent = actor.tell(RemoveAnswer { key, namespace: place.namespace.clone() });
                }
            }
        }
        // Last, so that who sees it sees what follows from it too.
        self.metrics.shadow(verdict.as_str());
    }
}

impl Shadow {
    fn note(&self, place: &Place, similarity: f32, threshold: f32, agrees: bool) {
        let raised = self.verdicts().note(place, similarity, threshold, agrees);
        if let Some(raised) = raised {
            log::warn!(
                tenant = place.tenant, namespace = place.namespace, from = raised.from, to = raised.to,
                verdicts = raised.precision.verdicts, differing = raised.precision.differing();
                "the semantic cache is below its target precision in a namespace: its threshold rises"
            );
        }
    }
}

/// Whether two answers say the same: at sight, or by the cosine of how they begin.
pub(super) async fn compare(pool: &EmbedPool, agreement: f32, stored: &AnswerText, fresh: &AnswerText) -> Verdict {
    if let Some(verdict) = stored.at_sight(fresh) {
        return verdict;
    }
    // One after the other, so that a comparison takes one place in the queue at a time.
    let (Ok(one), Ok(other)) = (pool.embed(stored.opening()).await, pool.embed(fresh.opening()).await) else {
        return Verdict::Uncomparable;
    };
    let cosine: f32 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
    if cosine >= agreement { Verdict::Agrees } else { Verdict::Differs }
}

#[cfg(test)]
mod tests;
