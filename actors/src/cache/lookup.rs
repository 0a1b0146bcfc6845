//! The cache as a request uses it: this process' own answers first, then those that the fleet shares.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::actor::{CacheActor, Keep, Recall};
use super::entry::{Entry, Said};
use super::invalidation::Forget;
use super::key::CacheKey;
use super::memory::Shelf;
use super::policy::{CacheStatus, CacheWish};
use super::recorder::Recorder;
use super::semantic::backfill::Latecomers;
use super::semantic::index::Index;
use super::semantic::question::Question;
use super::semantic::search::{Embedded, Meanings};
use super::shadow::{Shadow, Shadowed};
use super::single_flight::{Flight, Flights, Turn, landed};
use crate::metrics::Metrics;
use crate::money::amount::PicoUsd;
use crate::runtime::mailbox::Mailbox;

/// How long a request waits for another one that asks the same.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Everything that was answered before.
pub struct AnswerCache {
    /// This process' answers.
    pub shelf: Arc<Shelf>,
    /// Whether requests for the same answer at once wait for the first of them.
    pub coalesces: bool,
    /// Who keeps the answers that the fleet shares; none without Redis.
    pub actor: Option<Mailbox<CacheActor>>,
    /// The most bytes of one answer.
    pub most_entry_bytes: usize,
    /// Counts what is found.
    pub metrics: Arc<Metrics>,
    /// The answers that are being made.
    pub flights: Flights,
    /// Finds questions of the same meaning.
    pub meanings: Option<Meanings>,
    /// Embeds questions afterwards.
    pub late: Option<Latecomers>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The answer.
    pub entry: Arc<Entry>,
    /// Its name.
    pub key: CacheKey,
    /// How similar its question is, where it was another one.
    pub similarity: Option<f32>,
}

/// One request's look into the cache.
#[derive(Debug)]
pub struct Lookup {
    /// What makes the request what it is.
    pub key: CacheKey,
    /// Whose answers may be used.
    pub tenant: String,
    /// What the request asks for.
    pub wish: CacheWish,
    /// What became of it.
    pub status: CacheStatus,
    /// How long the client waits, at most.
    pub deadline: Option<tokio::time::Instant>,
    /// What the request asks by its meaning, where that may be looked up.
    pub question: Option<Question>,
    /// The answer that would have been given, where it is to be checked against a fresh one.
    pub shadowed: Option<Box<Shadowed>>,
    /// Its vector, once it is there.
    embedded: Option<Embedded>,
    /// Held while the answer is made, so that others wait for it.
    flight: Option<Flight>,
}

/// An answer that was made.
pub struct Made {
    /// Who gave it.
    pub provider: String,
    /// The model that gave it.
    pub model: String,
    /// What it cost.
    pub cost: Option<PicoUsd>,
    /// What was said.
    pub said: Said,
}

impl Lookup {
    /// A look that is about to be taken.
    pub fn new(key: CacheKey, tenant: String, wish: CacheWish, question: Option<Question>) -> Self {
        let status = CacheStatus::Miss;
        Self { key, tenant, wish, status, deadline: None, question, shadowed: None, embedded: None, flight: None }
    }

    /// A recorder for the stream that is about to come, where it may be stored.
    pub fn recorder(&self, cache: &AnswerCache) -> Option<Recorder> {
        self.wish.writes.then(|| Recorder::new(cache.most_entry_bytes))
    }
}

impl AnswerCache {
    /// The answer, if this process has it: nothing is waited for.
    pub fn at_hand(&self, lookup: &mut Lookup) -> Option<Found> {
        let entry = if lookup.wish.reads { self.here(lookup) } else { None }?;
        Some(self.exactly(lookup, entry))
    }

    /// The answer, if it is there and not to be checked. Where another request is making it, waits for that one, once.
    pub async fn find(&self, lookup: &mut Lookup) -> Option<Found> {
        // It may have come since it was not at hand.
        if let Some(found) = self.at_hand(lookup) {
            return Some(found);
        }
        let reads = lookup.wish.reads;
        if reads && self.coalesces && lookup.wish.writes {
            match self.flights.turn(lookup.key) {
                Turn::Mine(flight) => lookup.flight = Some(flight),
                Turn::Others(flight) => {
                    let most = tokio::time::Instant::now() + LONGEST_WAIT;
                    let until = lookup.deadline.map_or(most, |deadline| deadline.min(most));
                    // Past it the request goes on alone, and past its own deadline the attempt says so.
                    let landed = tokio::time::timeout_at(until, landed(flight)).await;
                    if let Some(entry) = self.here(lookup) {
                        return Some(self.exactly(lookup, entry));
                    }
                    if let Some(found) = landed.ok().flatten().filter(|found| self.is_near(found, lookup)) {
                        return Some(found);
                    }
                    // Where nothing was found, everybody goes on alone: one after the other would take too long.
                }
            }
        }
        if reads && let Some(entry) = self.elsewhere(lookup.key, lookup).await {
            return Some(self.exactly(lookup, entry));
        }
        let (meanings, question) = (self.meanings.as_ref()?, lookup.question.take()?);
        let threshold = meanings.threshold(&lookup.tenant, &lookup.wish);
        if threshold.is_none() || meanings.index.is_apart(&lookup.key) {
            return None;
        }
        let Some(embedded) = meanings.embed(&question).await else {
            // A long text would only take up room until its answer is there (G4).
            lookup.question = Some(question).filter(|question| meanings.pool.refuses(&question.text).is_none());
            return None;
        };
        let threshold = threshold.filter(|_| reads);
        let found = match threshold {
            Some(threshold) => self.by_meaning(meanings, &embedded, threshold, lookup).await,
            None => None,
        };
        // Where it is to be answered anew, others may find its answer.
        lookup.embedded = Some(embedded);
        let (found, threshold) = (found?, threshold?);
        if lookup.wish.writes && meanings.shadow.takes(rand::random()) {
            lookup.shadowed = Some(Box::new(Shadowed { found, threshold }));
            return None;
        }
        if let Some(flight) = &lookup.flight {
            flight.found(found.clone());
        }
        Some(found)
    }

    /// Whether what an equal question was answered with by its meaning will do for this one.
    fn is_near(&self, found: &Found, lookup: &Lookup) -> bool {
        let threshold = self.meanings.as_ref().and_then(|meanings| meanings.threshold(&lookup.tenant, &lookup.wish));
        let is_near = found.similarity.zip(threshold).is_some_and(|(similarity, threshold)| similarity >= threshold);
        lookup.question.is_some() && is_near && is_fresh(&found.entry, lookup, seconds())
    }

    fn exactly(&self, lookup: &mut Lookup, entry: Arc<Entry>) -> Found {
        if let (Some(late), Some(question)) = (&self.late, lookup.question.take()) {
            late.hit(question, lookup.key, &entry);
        }
        Found { entry, key: lookup.key, similarity: None }
    }

    async fn by_meaning(
        &self,
        meanings: &Meanings,
        embedded: &Embedded,
        threshold: f32,
        lookup: &Lookup,
    ) -> Option<Found> {
        for candidate in meanings.candidates(embedded, threshold, seconds()) {
            let key = candidate.key;
            let here = self.shelf.get(&key, seconds()).filter(|entry| is_fresh(entry, lookup, seconds()));
            let entry = match here {
                Some(entry) => Some(entry),
                None => self.elsewhere(key, lookup).await,
            };
            match entry {
                Some(entry) => return Some(Found { entry, key, similarity: Some(candidate.similarity) }),
                // Its answer is gone, or too old for this request, which will bring a newer one.
                None => meanings.index.remove(&key),
            }
        }
        None
    }

    /// Counts what became of a look.
    pub fn count(&self, status: CacheStatus) {
        self.metrics.cache_request(status.label());
    }

    fn here(&self, lookup: &Lookup) -> Option<Arc<Entry>> {
        let now = seconds();
        self.shelf.get(&lookup.key, now).filter(|entry| is_fresh(entry, lookup, now))
    }

    async fn elsewhere(&self, key: CacheKey, lookup: &Lookup) -> Option<Arc<Entry>> {
        let recall = Recall { key, namespace: lookup.wish.namespace.clone() };
        let entry = Arc::new(self.actor.as_ref()?.ask(recall).await.ok()??);
        let now = seconds();
        let usable = entry.expires_at > now && is_fresh(&entry, lookup, now);
        usable.then(|| {
            self.shelf.put(key, entry.clone());
            entry
        })
    }

    /// Stores an answer, and lets those who wait for it go on. Where it was asked for to check another one, the two are
    /// compared afterwards, on this thread.
    pub fn keep(self: &Arc<Self>, lookup: Lookup, made: Made) -> CacheStatus {
        let now = seconds();
        let entry = Arc::new(Entry {
            tenant: lookup.tenant,
            namespace: lookup.wish.namespace,
            provider: made.provider,
            model: made.model,
            cost: made.cost.map(|cost| i64::try_from(cost.picos()).unwrap_or(i64::MAX)),
            stored_at: now,
            expires_at: now.saturating_add(lookup.wish.ttl.as_secs()),
            said: made.said,
        });
        if !self.shelf.put(lookup.key, entry.clone()) {
            return CacheStatus::Bypass;
        }
        if let (None, Some(late), Some(question)) = (&lookup.embedded, &self.late, lookup.question) {
            late.answered(question, lookup.key, &entry);
        }
        let question = lookup.embedded.map(|embedded| embedded.answered(lookup.key, entry.expires_at));
        if let (Some(meanings), Some(question)) = (&self.meanings, &question) {
            meanings.index.add(question.clone());
        }
        if let Some(shadowed) = lookup.shadowed {
            actix::spawn(self.clone().judge(shadowed, lookup.key, entry.clone()));
        }
        if let Some(actor) = &self.actor {
            // A full mailbox means that the fleet does without this answer.
            let _sent = actor.tell(Keep { key: lookup.key, entry, question });
        }
        lookup.status
    }

    /// Forgets answers in this process, and what was found of those of a namespace.
    pub fn forget(&self, forget: &Forget) -> usize {
        let meanings = self.meanings.as_ref().map(|meanings| (&*meanings.index, &*meanings.shadow));
        forget_here(&self.shelf, meanings, forget)
    }
}

/// Forgets answers, the questions that lead to them, and what was found of those of a namespace, in this process.
pub fn forget_here(shelf: &Shelf, meanings: Option<(&Index, &Shadow)>, forget: &Forget) -> usize {
    if let Some((_, shadow)) = meanings {
        shadow.reset(forget);
    }
    let index = meanings.map(|(index, _)| index);
    match forget {
        Forget::All => {
            index.inspect(|index| index.clear());
            shelf.forget(|_, _| true)
        }
        // A question of a namespace goes when its answer is not found any more.
        Forget::Namespace(name) => shelf.forget(|_, entry| entry.namespace == *name),
        Forget::Key(hex) => CacheKey::of_hex(hex).map_or(0, |key| {
            index.inspect(|index| index.remove(&key));
            usize::from(shelf.remove(&key))
        }),
    }
}

fn is_fresh(entry: &Entry, lookup: &Lookup, now: u64) -> bool {
    lookup.wish.freshness.is_none_or(|freshness| entry.age(now) <= freshness.as_secs())
}

/// Seconds since 1970.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since: Duration| since.as_secs())
}
