//! The actor of one engine: it owns the connections and the verdicts that are kept.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use actix_rt::ArbiterHandle;
use futures_util::{StreamExt, stream};
use gateway_guard::judge::llama_guard::Author;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::client::EngineClient;
use super::settings::EngineSettings;
use super::verdict::{EngineFailure, Outcome, Verdict};
use super::verdict_cache::{TextKey, VerdictCache};
use crate::metrics::Metrics;
use crate::providers::catalogue::ProviderEntry;
use crate::providers::upstream::Outbound;
use crate::runtime::mailbox::{Mailbox, takes_parcels};
use crate::runtime::stats::ActorStats;
use crate::runtime::throttle::Throttle;

/// Messages that may wait.
const MAILBOX: usize = 256;

/// An engine, and the way to it.
#[derive(Clone)]
pub struct EngineRoute {
    /// Its name.
    pub name: String,
    /// What it is.
    pub settings: EngineSettings,
    /// The provider of its model; none where it has an address of its own.
    pub provider: Option<ProviderEntry>,
    /// The way out.
    pub outbound: Outbound,
}

/// Asks for verdicts on texts; the answers come in the same order.
pub(super) struct AskEngine {
    /// The texts, with who wrote them.
    pub texts: Vec<(Author, Arc<str>)>,
    /// When all answers must be here.
    pub deadline: Instant,
}

impl Message for AskEngine {
    type Result = Vec<Outcome>;
}

/// The actor of one engine.
pub(super) struct EngineActor {
    engine: Rc<Engine>,
}

impl EngineActor {
    /// Starts it on an arbiter, again whenever it has ended.
    pub fn open(route: EngineRoute, metrics: Arc<Metrics>, arbiter: &ArbiterHandle) -> Mailbox<Self> {
        let stats = ActorStats::new(format!("guardrail_engine:{}", route.name), "control", MAILBOX);
        // An asker has a shorter limit of its own.
        let longest = Duration::from_secs(600);
        let (arbiter, own) = (arbiter.clone(), stats.clone());
        let start = move || {
            let (route, metrics, stats) = (route.clone(), metrics.clone(), own.clone());
            Self::start_in_arbiter(&arbiter, move |_| Self { engine: Rc::new(Engine::new(&route, metrics, stats)) })
        };
        Mailbox::restarting(start, stats, longest)
    }
}

impl Actor for EngineActor {
    type Context = Context<Self>;
}

takes_parcels!(EngineActor);

impl Handler<AskEngine> for EngineActor {
    type Result = ResponseFuture<Vec<Outcome>>;

    fn handle(&mut self, asked: AskEngine, _: &mut Context<Self>) -> Self::Result {
        let engine = self.engine.clone();
        Box::pin(async move { engine.ask(asked).await })
    }
}

/// One engine.
struct Engine {
    name: String,
    client: EngineClient,
    cache: RefCell<VerdictCache>,
    /// Places of calls under way, and how many there are.
    places: Semaphore,
    max_in_flight: usize,
    metrics: Arc<Metrics>,
    stats: Arc<ActorStats>,
    told: Throttle,
}

impl Engine {
    fn new(route: &EngineRoute, metrics: Arc<Metrics>, stats: Arc<ActorStats>) -> Self {
        Self {
            name: route.name.clone(),
            client: EngineClient::new(route),
            cache: RefCell::new(VerdictCache::new(route.settings.cache)),
            places: Semaphore::new(route.settings.max_in_flight),
            max_in_flight: route.settings.max_in_flight,
            metrics,
            stats,
            told: Throttle::default(),
        }
    }

    /// The verdicts on texts: those that are kept, and for each other text one call, or its part in one.
    async fn ask(&self, asked: AskEngine) -> Vec<Outcome> {
        let handling = self.stats.handling();
        let keys: Vec<TextKey> = asked.texts.iter().map(|(author, text)| self.key(*author, text)).collect();
        let mut known: HashMap<TextKey, Outcome> = HashMap::new();
        let mut seen: HashSet<TextKey> = HashSet::new();
        let mut missing: Vec<(TextKey, Author, &str)> = Vec::new();
        for (key, (author, text)) in keys.iter().zip(&asked.texts).filter(|(key, _)| seen.insert(**key)) {
            let kept = self.cache.borrow().get(key, Instant::now());
            match kept {
                Some(verdict) => drop(known.insert(*key, Ok(verdict))),
                None => missing.push((*key, *author, text)),
            }
        }
        missing.sort_by_key(|(_, author, _)| *author == Author::Assistant);
        let batches = missing.chunk_by(|(_, author, _), (_, other, _)| author == other);
        let batches = batches.flat_map(|same| same.chunks(self.client.batch()));
        let calls: Vec<_> = batches.map(|batch| self.call(batch, asked.deadline)).collect();
        // No more wait for a place than there are, so that a request with many texts lets others have their turn.
        let calls = stream::iter(calls).buffer_unordered(self.max_in_flight);
        for (key, outcome) in calls.concat().await {
            if let Err(why) = outcome {
                handling.fail(why.as_str());
            }
            known.insert(key, outcome);
        }
        keys.iter().map(|key| known.get(key).cloned().unwrap_or(Err(EngineFailure::Unreadable))).collect()
    }

    /// Makes one call within the deadline, and keeps its verdicts.
    async fn call(&self, batch: &[(TextKey, Author, &str)], deadline: Instant) -> Vec<(TextKey, Outcome)> {
        let is_late = Instant::now() >= deadline;
        let deadline = deadline.into();
        let all = |why: EngineFailure| batch.iter().map(|(key, ..)| (*key, Err(why))).collect();
        // A free place does not help what has no time left.
        let place = timeout_at(deadline, self.places.acquire()).await.ok().filter(|_| !is_late);
        let Some(Ok(_place)) = place else {
            self.failed(EngineFailure::Busy);
            return all(EngineFailure::Busy);
        };
        let Some((_, author, _)) = batch.first() else { return Vec::new() };
        let texts: Vec<&str> = batch.iter().map(|(_, _, text)| *text).collect();
        let begun = Instant::now();
        let answered = timeout_at(deadline, self.client.ask(*author, &texts)).await;
        self.metrics.guardrail_judge(&self.name, begun.elapsed());
        match answered.unwrap_or(Err(EngineFailure::Timeout)) {
            Ok(verdicts) => {
                batch.iter().zip(verdicts).map(|((key, ..), verdict)| (*key, Ok(self.keep(*key, verdict)))).collect()
            }
            Err(why) => {
                self.failed(why);
                all(why)
            }
        }
    }

    fn keep(&self, key: TextKey, verdict: Verdict) -> Arc<Verdict> {
        let verdict = Arc::new(verdict);
        self.cache.borrow_mut().keep(key, verdict.clone(), Instant::now());
        verdict
    }

    /// The key of a text; white space does not matter where a verdict has no places in it.
    fn key(&self, author: Author, text: &str) -> TextKey {
        let cache = self.cache.borrow();
        if self.client.has_places() {
            return cache.key(Author::User, text);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        cache.key(author, &words.join(" "))
    }

    fn failed(&self, why: EngineFailure) {
        self.metrics.guardrail_judge_failed(&self.name, why.as_str());
        if let Some(more) = self.told.pass(Instant::now()) {
            let engine = self.name.as_str();
            log::warn!(engine = engine, reason = why.as_str(), more = more; "an engine of guardrails gave no verdict");
        }
    }
}
