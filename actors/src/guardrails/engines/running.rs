//! The engines of the process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::ArbiterHandle;
use futures_util::future::join_all;

use super::actor::{AskEngine, EngineActor, EngineRoute};
use super::judging::Pending;
use super::settings::{EngineApi, EngineType, OnError};
use super::verdict::{EngineFailure, Outcome, Question};
use crate::metrics::Metrics;
use crate::runtime::mailbox::{AskErrorKind, Mailbox};
use crate::runtime::registry::{ActorRegistry, Role};

/// What an answer may take beyond the engine's time, on its way between threads.
const GRACE: Duration = Duration::from_millis(100);

/// The engines of the process, by name; clones share them.
#[derive(Clone, Default)]
pub struct Engines(Arc<HashMap<String, RunningEngine>>);

struct RunningEngine {
    kind: EngineType,
    timeout: Duration,
    on_error: Option<OnError>,
    mailbox: Mailbox<EngineActor>,
    metrics: Arc<Metrics>,
}

impl Engines {
    /// Starts the actor of each engine on an arbiter, and registers it.
    pub fn start(
        routes: Vec<EngineRoute>,
        metrics: &Arc<Metrics>,
        arbiter: &ArbiterHandle,
        actors: &ActorRegistry,
    ) -> Self {
        let start = |route: EngineRoute| {
            let kind = match route.settings.api {
                EngineApi::Presidio { .. } => EngineType::Presidio,
                EngineApi::Moderations { .. } => EngineType::Moderations,
                EngineApi::LlamaGuard { .. } => EngineType::LlamaGuard,
            };
            let (name, timeout, on_error) = (route.name.clone(), route.settings.timeout, route.settings.on_error);
            let mailbox = EngineActor::open(route, metrics.clone(), arbiter);
            actors.add(Role::Optional, mailbox.clone());
            (name, RunningEngine { kind, timeout, on_error, mailbox, metrics: metrics.clone() })
        };
        Self(Arc::new(routes.into_iter().map(start).collect()))
    }

    /// The engines by name, with what each is.
    pub fn types(&self) -> BTreeMap<String, EngineType> {
        self.0.iter().map(|(name, engine)| (name.clone(), engine.kind)).collect()
    }

    /// What a check of an engine comes to without a verdict, where the configuration says so.
    pub(super) fn on_error(&self, name: &str) -> Option<OnError> {
        self.0.get(name)?.on_error
    }

    /// Asks each question once, all at the same time.
    pub(crate) async fn ask(&self, pending: &[Pending]) -> Vec<(Question, Outcome)> {
        let mut groups: BTreeMap<(&str, Option<Duration>), Vec<&Question>> = BTreeMap::new();
        let mut asked: HashSet<&Question> = HashSet::new();
        for question in pending.iter().map(|pending| &pending.question).filter(|question| asked.insert(question)) {
            groups.entry((&question.engine, question.timeout)).or_default().push(question);
        }
        let answered = groups.into_iter().map(|((name, timeout), questions)| self.ask_one(name, timeout, questions));
        join_all(answered).await.into_iter().flatten().collect()
    }

    /// The same, with the answers in the order of the questions.
    pub(crate) async fn ask_each(&self, pending: &[Pending]) -> Vec<Outcome> {
        let answers: HashMap<Question, Outcome> = self.ask(pending).await.into_iter().collect();
        let answer = |pending: &Pending| answers.get(&pending.question).cloned();
        pending.iter().map(|pending| answer(pending).unwrap_or(Err(EngineFailure::Unreadable))).collect()
    }

    async fn ask_one(
        &self,
        name: &str,
        timeout: Option<Duration>,
        questions: Vec<&Question>,
    ) -> Vec<(Question, Outcome)> {
        let outcomes = match self.0.get(name) {
            None => Err(EngineFailure::Connection),
            Some(engine) => {
                let timeout = timeout.unwrap_or(engine.timeout);
                let texts = questions.iter().map(|question| (question.author, question.text.clone())).collect();
                let asked = AskEngine { texts, deadline: Instant::now() + timeout };
                let answered = engine.mailbox.within(timeout + GRACE).ask(asked).await;
                answered.map_err(|error| {
                    let why = match error.kind {
                        // The engine counts it itself.
                        AskErrorKind::Timeout => return EngineFailure::Timeout,
                        AskErrorKind::Full => EngineFailure::Busy,
                        AskErrorKind::Closed => EngineFailure::Connection,
                    };
                    engine.metrics.guardrail_judge_failed(name, why.as_str());
                    why
                })
            }
        };
        let outcome = |at: usize| match &outcomes {
            Ok(outcomes) => outcomes.get(at).cloned().unwrap_or(Err(EngineFailure::Unreadable)),
            Err(why) => Err(*why),
        };
        questions.into_iter().enumerate().map(|(at, question)| (question.clone(), outcome(at))).collect()
    }
}
