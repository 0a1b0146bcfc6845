//! The cache as a request uses it: this process' own answers first, then those that the fleet shares.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_wire::clients::ClientKind;

use super::actor::shared_answers::SharedAnswers;
use super::actor::{CacheActor, GetAnswer, PutAnswer};
use super::entry::{CacheEntry, CachedBody};
use super::key::CacheKey;
use super::local::{CacheRules, LocalCache};
use super::policy::{CachePolicy, CacheStatus};
use super::recorder::Recorder;
use super::semantic::backfill::EmbeddingBackfill;
use super::semantic::question::SemanticQuestion;
use super::semantic::search::{EmbeddedQuestion, SemanticSearch};
use super::shadow::ShadowCandidate;
use super::single_flight::{Flight, SingleFlight, Turn, landed};
use crate::metrics::Metrics;
use crate::money::amount::PicoUsd;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::registry::ActorRegistry;

/// How long a request waits for another one that asks the same.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Everything that was answered before.
pub struct AnswerCache {
    /// This process' answers.
    pub local: LocalCache,
    /// Whether requests for the same answer at once wait for the first of them.
    pub coalesces: bool,
    /// The owner of the answers.
    pub actor: Mailbox<CacheActor>,
    /// Whether the fleet shares answers, through the actor.
    pub is_shared: bool,
    /// The most bytes of one answer.
    pub max_entry_bytes: usize,
    /// Counts what is found.
    pub metrics: Arc<Metrics>,
    /// The answers that are being made.
    pub single_flight: SingleFlight,
    /// Embeds questions afterwards.
    pub backfill: Option<EmbeddingBackfill>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct CacheHit {
    /// The answer.
    pub entry: Arc<CacheEntry>,
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
    pub policy: CachePolicy,
    /// What became of it.
    pub status: CacheStatus,
    /// How long the client waits, at most.
    pub deadline: Option<tokio::time::Instant>,
    /// What the request asks by its meaning, where that may be looked up.
    pub question: Option<SemanticQuestion>,
    /// The answer that would have been given, where it is to be checked against a fresh one.
    pub shadowed: Option<Box<ShadowCandidate>>,
    /// Its vector, once it is there.
    embedded: Option<EmbeddedQuestion>,
    /// Held while the answer is made, so that others wait for it.
    flight: Option<Flight>,
}

/// An answer that was made.
pub struct NewAnswer {
    /// Who gave it.
    pub provider: String,
    /// The model that gave it.
    pub model: String,
    /// What it cost.
    pub cost: Option<PicoUsd>,
    /// What was said.
    pub body: CachedBody,
}

impl Lookup {
    /// A look that is about to be taken.
    pub fn new(key: CacheKey, tenant: String, policy: CachePolicy, question: Option<SemanticQuestion>) -> Self {
        let status = CacheStatus::Miss;
        Self { key, tenant, policy, status, deadline: None, question, shadowed: None, embedded: None, flight: None }
    }

    /// A recorder for the stream that is about to come, where it may be stored.
    pub fn recorder(&self, cache: &AnswerCache, format: ClientKind) -> Option<Recorder> {
        self.policy.writes.then(|| Recorder::new(format, cache.max_entry_bytes))
    }
}

impl AnswerCache {
    /// The cache of this process, and of its fleet where answers are shared. Starts their owner on this thread.
    pub fn open(
        rules: &CacheRules,
        local: LocalCache,
        shared: Option<SharedAnswers>,
        metrics: Arc<Metrics>,
        actors: &ActorRegistry,
    ) -> Self {
        let (backfill, queue) = local.semantic.clone().map(EmbeddingBackfill::new).unzip();
        Self {
            is_shared: shared.is_some(),
            actor: CacheActor::open(local.clone(), shared, queue, rules.mailbox, actors),
            local,
            coalesces: rules.coalesces,
            max_entry_bytes: rules.max_entry_bytes,
            metrics,
            single_flight: SingleFlight::default(),
            backfill,
        }
    }

    /// The answer, if this process has it: nothing is waited for.
    pub fn at_hand(&self, lookup: &mut Lookup) -> Option<CacheHit> {
        let entry = if lookup.policy.reads { self.here(lookup) } else { None }?;
        Some(self.exactly(lookup, entry))
    }

    /// The answer, if it is there and not to be checked. Where another request is making it, waits for that one, once.
    pub async fn find(&self, lookup: &mut Lookup) -> Option<CacheHit> {
        // It may have come since it was not at hand.
        if let Some(found) = self.at_hand(lookup) {
            return Some(found);
        }
        let reads = lookup.policy.reads;
        if reads
            && self.coalesces
            && lookup.policy.writes
            && let Some(found) = self.take_turn(lookup).await
        {
            return Some(found);
        }
        if reads && let Some(entry) = self.elsewhere(lookup.key, lookup).await {
            return Some(self.exactly(lookup, entry));
        }
        let (semantic, question) = (self.local.semantic.as_ref()?, lookup.question.take()?);
        let threshold = semantic.threshold(&lookup.tenant, &lookup.policy);
        if threshold.is_none() || semantic.index.is_apart(&lookup.key) {
            return None;
        }
        let Some(embedded) = semantic.embed(&question).await else {
            // A long text would only take up room until its answer is there (G4).
            lookup.question = Some(question).filter(|question| semantic.pool.refuses(&question.text).is_none());
            return None;
        };
        let threshold = threshold.filter(|_| reads);
        let found = match threshold {
            Some(threshold) => self.by_meaning(semantic, &embedded, threshold, lookup).await,
            None => None,
        };
        // Where it is to be answered anew, others may find its answer.
        lookup.embedded = Some(embedded);
        let (found, threshold) = (found?, threshold?);
        if lookup.policy.writes && semantic.shadow.takes(rand::random()) {
            lookup.shadowed = Some(Box::new(ShadowCandidate { found, threshold }));
            return None;
        }
        if let Some(flight) = &lookup.flight {
            flight.found(found.clone());
        }
        Some(found)
    }

    /// Takes the turn to have the answer made; where another request has it, waits for what comes of that. Where nothing
    /// does, everybody goes on alone: one after the other would take too long.
    async fn take_turn(&self, lookup: &mut Lookup) -> Option<CacheHit> {
        let flight = match self.single_flight.turn(lookup.key) {
            Turn::Mine(flight) => {
                lookup.flight = Some(flight);
                return None;
            }
            Turn::Others(flight) => flight,
        };
        let most = tokio::time::Instant::now() + MAX_WAIT;
        let until = lookup.deadline.map_or(most, |deadline| deadline.min(most));
        // Past it the request goes on alone, and past its own deadline the attempt says so.
        let landed = tokio::time::timeout_at(until, landed(flight)).await;
        if let Some(entry) = self.here(lookup) {
            return Some(self.exactly(lookup, entry));
        }
        landed.ok().flatten().filter(|found| self.is_near(found, lookup))
    }

    /// Whether what an equal question was answered with by its meaning will do for this one.
    fn is_near(&self, found: &CacheHit, lookup: &Lookup) -> bool {
        let threshold =
            self.local.semantic.as_ref().and_then(|semantic| semantic.threshold(&lookup.tenant, &lookup.policy));
        let is_near = found.similarity.zip(threshold).is_some_and(|(similarity, threshold)| similarity >= threshold);
        lookup.question.is_some() && is_near && is_fresh(&found.entry, lookup, seconds())
    }

    fn exactly(&self, lookup: &mut Lookup, entry: Arc<CacheEntry>) -> CacheHit {
        if let (Some(backfill), Some(question)) = (&self.backfill, lookup.question.take()) {
            backfill.hit(question, lookup.key, &entry);
        }
        CacheHit { entry, key: lookup.key, similarity: None }
    }

    async fn by_meaning(
        &self,
        semantic: &SemanticSearch,
        embedded: &EmbeddedQuestion,
        threshold: f32,
        lookup: &Lookup,
    ) -> Option<CacheHit> {
        for candidate in semantic.candidates(embedded, threshold, seconds()) {
            let key = candidate.key;
            let here = self.local.memory.get(&key, seconds()).filter(|entry| is_fresh(entry, lookup, seconds()));
            let entry = match here {
                Some(entry) => Some(entry),
                None => self.elsewhere(key, lookup).await,
            };
            match entry {
                Some(entry) => return Some(CacheHit { entry, key, similarity: Some(candidate.similarity) }),
                // Its answer is gone, or too old for this request, which will bring a newer one.
                None => semantic.index.remove(&key),
            }
        }
        None
    }

    /// Counts what became of a look.
    pub fn count(&self, status: CacheStatus) {
        self.metrics.cache_request(status.metric_label());
    }

    /// Whom to ask for answers of other processes, and to tell of new ones.
    pub(super) fn fleet(&self) -> Option<&Mailbox<CacheActor>> {
        self.is_shared.then_some(&self.actor)
    }

    fn here(&self, lookup: &Lookup) -> Option<Arc<CacheEntry>> {
        let now = seconds();
        self.local.memory.get(&lookup.key, now).filter(|entry| is_fresh(entry, lookup, now))
    }

    async fn elsewhere(&self, key: CacheKey, lookup: &Lookup) -> Option<Arc<CacheEntry>> {
        let get = GetAnswer { key, namespace: lookup.policy.namespace.clone() };
        let entry = Arc::new(self.fleet()?.ask(get).await.ok()??);
        let now = seconds();
        let usable = entry.expires_at > now && is_fresh(&entry, lookup, now);
        usable.then(|| {
            self.local.memory.put(key, entry.clone());
            entry
        })
    }

    /// Stores an answer, and lets those who wait for it go on. Where it was asked for to check another one, the two are
    /// compared afterwards, on this thread.
    pub fn keep(self: &Arc<Self>, lookup: Lookup, answer: NewAnswer) -> CacheStatus {
        let now = seconds();
        let entry = Arc::new(CacheEntry {
            tenant: lookup.tenant,
            namespace: lookup.policy.namespace,
            provider: answer.provider,
            model: answer.model,
            cost: answer.cost.map(|cost| i64::try_from(cost.picos()).unwrap_or(i64::MAX)),
            stored_at: now,
            expires_at: now.saturating_add(lookup.policy.ttl.as_secs()),
            body: answer.body,
        });
        if !self.local.memory.put(lookup.key, entry.clone()) {
            return CacheStatus::Bypass;
        }
        if let (None, Some(backfill), Some(question)) = (&lookup.embedded, &self.backfill, lookup.question) {
            backfill.answered(question, lookup.key, &entry);
        }
        let question = lookup.embedded.map(|embedded| embedded.answered(lookup.key, entry.expires_at));
        if let (Some(semantic), Some(question)) = (&self.local.semantic, &question) {
            semantic.index.add(question.clone());
        }
        if let Some(shadowed) = lookup.shadowed {
            actix::spawn(self.clone().judge(shadowed, lookup.key, entry.clone()));
        }
        if let Some(actor) = self.fleet() {
            // A full mailbox means that the fleet does without this answer.
            let _sent = actor.tell(PutAnswer { key: lookup.key, entry, question });
        }
        lookup.status
    }
}

fn is_fresh(entry: &CacheEntry, lookup: &Lookup, now: u64) -> bool {
    lookup.policy.freshness.is_none_or(|freshness| entry.age(now) <= freshness.as_secs())
}

/// Seconds since 1970.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since: Duration| since.as_secs())
}
