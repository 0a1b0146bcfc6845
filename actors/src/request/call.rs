//! One client request on its way along its chain: attempts, retries and fallback, up to the end of its answer.

mod failed_guardrail;
mod guards;
mod prepare;
mod target_attempt;

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway_wire::json_object::json_string;
use gateway_wire::{WholeAnswer, openai};
use tokio::sync::{mpsc, oneshot};

use super::attempt::{AttemptAnswer, ClientDeadline, OpenStream};
use super::metering::{Metering, RequestedTarget};
use super::router::{Reply, ReplyHead, RouteFailure, RouteRequest, Routing, lookup};
use super::stream::meter::StreamMeter;
use super::stream::relay::{Frames, StreamEnd, pump};
use crate::budgets::ledger::WrittenTogether;
use crate::cache::entry::CachedBody;
use crate::cache::lookup::{Lookup, NewAnswer};
use crate::cache::policy::CacheStatus;
use crate::cache::recorder::{Recorder, whole_body};
use crate::failure::{Failure, FailureKind};
use crate::guardrails::DENIED;
use crate::money::amount::PicoUsd;
use crate::providers::handle::{AttemptPermit, ProviderHandle};
use crate::providers::upstream::Upstream;
use crate::routing::{Chain, NextStep, Target};
use crate::secret::Secret;

pub use guards::CallGuards;

/// Frames that may wait for a slow client before its provider is made to wait.
const FRAMES_AHEAD: usize = 16;

/// A target with everything that an attempt at it needs.
pub struct ResolvedTarget {
    /// The target as configured.
    pub target: Arc<Target>,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model that the provider is asked for.
    pub model: String,
    /// The most output tokens of the model, where its price tells.
    pub max_output_tokens: Option<u64>,
    /// The credential to send.
    pub credential: Option<Secret>,
    /// Why the provider cannot be used, such as a missing credential.
    pub not_ready: Option<String>,
    /// The provider's breaker, slots and retry budget.
    pub handle: ProviderHandle,
    /// This thread's connections to it; `None` for the simulator.
    pub upstream: Option<Rc<Upstream>>,
}

/// One request under way.
pub struct Call {
    /// The request.
    pub request: Box<RouteRequest>,
    /// The targets in order, and what leads from one to the next.
    pub chain: Chain,
    /// The targets of `chain`, resolved.
    pub targets: Vec<ResolvedTarget>,
    /// What the client asked for, where the config names providers or models of its own.
    pub requested: Option<RequestedTarget>,
    /// What to look for in the cache, where the request wants that.
    pub lookup: Option<Box<Lookup>>,
    /// Its guardrails, where it has some.
    pub guards: Option<Box<CallGuards>>,
    /// What the router knows.
    pub routing: Arc<Routing>,
}

/// What a request comes to.
type RouteAnswer = Result<Reply, RouteFailure>;

/// What walking the chain came to.
struct ChainResult {
    head: ReplyHead,
    at: usize,
    result: Result<Success, Failure>,
}

/// An attempt that was answered.
struct Success {
    answered: AttemptAnswer,
    permit: AttemptPermit,
    metering: Metering,
}

impl Call {
    /// Walks the chain, answers, and pumps the stream if it is one. When `reply` is dropped the call ends at once, and
    /// with it the provider's connection (D6); the record's own `Drop` then writes it off as left.
    pub async fn run(mut self, mut reply: oneshot::Sender<RouteAnswer>) {
        match self.look_up(&mut reply).await {
            ControlFlow::Break(Some(cached)) => return self.deliver(reply, cached),
            ControlFlow::Break(None) => return,
            ControlFlow::Continue(()) => {}
        }
        // Boxed too: `select!` has room for it twice, and the whole task is moved where it is spawned.
        let walked = tokio::select! {
            biased;
            walked = Box::pin(self.walk()) => walked,
            () = reply.closed() => {
                if let Some(lookup) = self.lookup.as_ref().filter(|lookup| lookup.shadowed.is_some()) {
                    self.routing.cache.count(lookup.status);
                }
                return;
            }
        };
        let ChainResult { mut head, at, result } = walked;
        self.note_lookup(&mut head, at, result.is_ok());
        (head.gateway_us, head.upstream_us) = self.request.record.spent_us();
        match result {
            Ok(Success { answered: AttemptAnswer::Whole(answer), permit, mut metering }) => {
                permit.succeeded();
                if self.guards.is_some() {
                    Box::pin(self.settle_guards()).await;
                }
                head.failed_guardrail = self.has_failed_guardrail();
                let written = WrittenTogether::new(&self.routing.budgets.ledger);
                metering.write_together();
                head.cost = Box::pin(self.settle_whole(&answer, &mut metering)).await;
                let body = self.finish_whole(answer, at, &mut head);
                self.note_guards(true);
                self.request.record.finish(head.status(), None);
                self.deliver(reply, Ok(Reply::Whole { head, body, written: Some(written) }));
            }
            Ok(Success { answered: AttemptAnswer::Stream(open), mut permit, metering }) => {
                permit.begun();
                head.failed_guardrail = self.has_failed_guardrail();
                let (client, frames) = mpsc::channel(FRAMES_AHEAD);
                if head.shortened_to.is_some() {
                    self.lookup = None;
                }
                if reply.send(Ok(Reply::Stream { head, frames })).is_ok() {
                    Box::pin(self.stream(open, permit, metering, at, client)).await;
                }
            }
            Err(failure) => {
                if self.guards.is_some() {
                    Box::pin(self.settle_failed()).await;
                }
                self.fail(reply, head, failure);
            }
        }
    }

    /// Answers that nothing came of the chain, unless there is a stored answer that was only to be checked.
    fn fail(mut self, reply: oneshot::Sender<RouteAnswer>, head: ReplyHead, failure: Failure) {
        if let Some(stored) = self.answer_from_shadow() {
            return self.deliver(reply, stored);
        }
        let code = failure.error.code.as_deref().unwrap_or(match failure.kind {
            FailureKind::Denied => DENIED,
            _ => "error",
        });
        // Without an attempt there was no answer to look at.
        self.note_guards(self.request.record.line.attempts > 0);
        self.request.record.finish(failure.kind.status(), Some(code));
        let attempts = self.request.record.line.attempts;
        self.deliver(reply, Err(RouteFailure { head, failure, attempts }));
    }

    /// Looks into the cache, where the request wants that; gives what answers it, or nothing where the client has left.
    async fn look_up(&mut self, reply: &mut oneshot::Sender<RouteAnswer>) -> ControlFlow<Option<RouteAnswer>> {
        let deadline = self.deadline().map(|limit| limit.at);
        if self.guards.is_some() && Box::pin(self.guard_request(0)).await.is_ok() && !self.restores() {
            // What is stored was asked for in the words that may leave.
            self.lookup = lookup(&self.request, &self.chain);
        }
        if let Some(lookup) = &mut self.lookup {
            lookup.deadline = deadline;
            let looked = Instant::now();
            // Boxed, as are the other long ways below: every request would else carry room for them along.
            let found = tokio::select! {
                biased;
                found = Box::pin(self.routing.cache.find(lookup)) => found,
                () = reply.closed() => return ControlFlow::Break(None),
            };
            let waited = looked.elapsed();
            let request_id = &self.request.record.line.request_id;
            log::debug!(request_id = request_id, found = found.is_some(); "looked into the cache");
            if let Some(found) = found.as_ref().filter(|_| self.guards.is_some()) {
                Box::pin(self.judge_hit(found)).await;
            }
            if let Some(cached) = found.and_then(|found| self.answer_from_cache(&found)) {
                return ControlFlow::Break(Some(cached));
            }
            if let Some(lookup) = &mut self.lookup {
                lookup.status = lookup.policy.missed();
                // What is to be checked is a hit after all where nobody answers.
                if lookup.shadowed.is_none() {
                    self.routing.cache.count(lookup.status);
                }
            }
            // Another request's provider was waited for, or Redis.
            self.request.record.upstream_us += waited.as_micros() as u64;
        }
        ControlFlow::Continue(())
    }

    /// Tells what became of the look into the cache, now that a target answered or none did.
    fn note_lookup(&mut self, head: &mut ReplyHead, at: usize, answered: bool) {
        if let Some(lookup) = &self.lookup {
            (head.cache, head.cache_key) = (lookup.status, Some(lookup.key));
            if lookup.shadowed.is_some() && answered {
                self.routing.cache.count(lookup.status);
            }
        }
        if at > 0 && answered && self.lookup.take().is_some() {
            // Kept under the plan's key, it would stand for the first choice until it expires (M-9).
            head.cache = CacheStatus::Bypass;
        }
    }

    /// Ends the call and hands its answer over. The record is written before the client can ask for it.
    pub(crate) fn deliver(self, reply: oneshot::Sender<RouteAnswer>, answer: RouteAnswer) {
        drop(self);
        if reply.send(answer).is_err() {
            log::debug!("a client left as its answer was ready");
        }
    }

    /// Attempts, retries and falls back until a target answers or nothing is left to try.
    async fn walk(&mut self) -> ChainResult {
        let mut head = ReplyHead::default();
        let mut at = 0;
        let mut retries = 0;
        let mut waited = Duration::ZERO;
        loop {
            let result = match self.attempt(at, &mut head).await {
                Ok(answered) if self.guards.is_some() => Box::pin(self.check_answer(at, answered, &mut head)).await,
                result => result,
            };
            let failure = match result {
                Ok(answered) => {
                    head.retry_count = i32::try_from(retries).unwrap_or(i32::MAX);
                    return ChainResult { head, at, result: Ok(answered) };
                }
                Err(failure) => failure,
            };
            head.retry_count = if retries > 0 { -1 } else { 0 };
            let attempts_left = self.request.record.line.attempts < self.routing.max_total_attempts;
            if !attempts_left || !self.leaves_time_for(Duration::ZERO) {
                return ChainResult { head, at, result: Err(failure) };
            }
            let Some(resolved) = self.targets.get(at) else { return ChainResult { head, at, result: Err(failure) } };
            let metrics = self.request.record.metrics();
            let next = self.chain.next_step(at, retries, waited, &failure, rand::random());
            log::debug!(request_id = self.request.record.line.request_id, next = format!("{next:?}"); "an attempt failed");
            let to = match next {
                NextStep::Retry { after }
                    if self.leaves_time_for(after)
                        && !resolved.handle.is_open(&resolved.model, Instant::now() + after)
                        && resolved.handle.try_retry() =>
                {
                    metrics.retry(&resolved.provider);
                    retries += 1;
                    waited += after;
                    let asleep = Instant::now();
                    tokio::time::sleep(after).await;
                    self.request.record.upstream_us += asleep.elapsed().as_micros() as u64;
                    continue;
                }
                // Without time, a closed circuit, or a retry left in the provider's budget (E8), what would follow the last
                // retry follows now.
                NextStep::Retry { .. } => self.chain.after_retries(at, &failure),
                NextStep::Fallback { to } => Some(to),
                NextStep::GiveUp => None,
            };
            let Some(to) = to else { return ChainResult { head, at, result: Err(failure) } };
            metrics.fallback(&resolved.provider);
            (at, retries, waited) = (to, 0, Duration::ZERO);
        }
    }

    /// The client's own limit, which bounds all attempts and waits together (E8).
    pub(in crate::request) fn deadline(&self) -> Option<ClientDeadline> {
        let length = self.request.request_timeout?;
        Some(ClientDeadline { at: (self.request.record.started() + length).into(), length })
    }

    fn leaves_time_for(&self, wait: Duration) -> bool {
        self.deadline().is_none_or(|limit| limit.at > tokio::time::Instant::now() + wait)
    }

    /// Meters a whole answer before it goes out, so that it tells what is booked.
    async fn settle_whole(&mut self, answer: &WholeAnswer, metering: &mut Metering) -> Option<PicoUsd> {
        let settled = match &answer.usage {
            Some(usage) => Some(metering.settle_reported(usage, Some(answer), "success").await),
            None => {
                metering.saw(answer);
                metering.settle_counted("success").await
            }
        };
        let (usage, cost) = settled?;
        self.request.record.metered(&usage, cost);
        cost
    }

    /// Stores a whole answer, if it may be, and adds the gateway's metadata to it.
    fn finish_whole(&mut self, answer: WholeAnswer, at: usize, head: &mut ReplyHead) -> Bytes {
        let Some(resolved) = self.targets.get(at) else { return answer.body };
        if let Some(lookup) = self.lookup.take()
            && lookup.policy.writes
            && head.shortened_to.is_none()
            && let Some(body) = whole_body(self.request.endpoint, self.request.client_kind(), &answer.body)
        {
            head.cache = self.routing.cache.keep(*lookup, new_answer(resolved, head.cost, body));
        }
        // Only chat has a place for it.
        if let Some(client) = &self.request.client {
            if let Some(keeper) = &client.keeper {
                keeper.keep_whole(&answer.body, answer.replay);
            }
            return answer.body;
        }
        let metadata = self.guarded_metadata(metadata(&resolved.provider, head.cost));
        self.with_hook_results(openai::with_metadata(&answer.body, &metadata))
    }

    async fn stream(
        &mut self,
        open: OpenStream,
        permit: AttemptPermit,
        mut metering: Metering,
        at: usize,
        client: mpsc::Sender<Frames>,
    ) {
        let guards = self.guards.as_ref().map(|guards| guards.output.clone());
        let Some(resolved) = self.targets.get(at) else { return };
        let kind = self.request.client_kind();
        let request = &mut *self.request;
        let keeper = request.client.as_ref().and_then(|client| client.keeper.as_deref());
        let record = &mut request.record;
        record.first_token = Some(Instant::now());
        metering.first_token();
        let begun = Instant::now();
        let include_usage = request.include_usage;
        let recorder = self.lookup.as_ref().and_then(|lookup| lookup.recorder(&self.routing.cache, kind));
        let provider = &resolved.provider;
        let mut meter = StreamMeter { metering, record, provider, include_usage, recorder, keeper, guards, cost: None };
        let idle = Duration::from_millis(resolved.handle.settings().timeouts.idle_ms);
        let end = pump(&resolved.provider, open, idle, &client, &mut meter).await;
        let StreamMeter { metering, record, recorder, cost, .. } = meter;
        record.upstream_us += begun.elapsed().as_micros() as u64;
        let answer = recorder.filter(|_| matches!(end, StreamEnd::Complete)).and_then(Recorder::body);
        if let (Some(lookup), Some(body)) = (self.lookup.take_if(|_| answer.is_some()), answer) {
            self.routing.cache.keep(*lookup, new_answer(resolved, cost, body));
        }
        if let (StreamEnd::Broken(..) | StreamEnd::ClientLeft, Some(guards)) = (&end, &self.guards) {
            guards.output.give_up_verdicts();
        }
        let provider = resolved.provider.clone();
        self.stream_ended(end, &provider, permit, metering, client).await;
        if self.guards.is_some() {
            Box::pin(self.settle_guards()).await;
        }
        self.note_guards(true);
    }

    /// Settles a stream that has ended, and then lets its client know.
    async fn stream_ended(
        &mut self,
        end: StreamEnd,
        provider: &str,
        permit: AttemptPermit,
        mut metering: Metering,
        client: mpsc::Sender<Frames>,
    ) {
        let record = &mut self.request.record;
        let (word, status_word) = match &end {
            StreamEnd::Complete => ("success", None),
            StreamEnd::Broken(_, error) => ("error", Some(error.code.as_deref().unwrap_or("stream_broken"))),
            StreamEnd::Denied => ("denied", Some(DENIED)),
            // The permit, the record and the metering know by their own `Drop` that nobody waits any more.
            StreamEnd::ClientLeft => return,
        };
        match &end {
            StreamEnd::Broken(kind, _) => permit.failed(*kind),
            _ => permit.succeeded(),
        }
        if let Some((usage, counted)) = metering.settle_ended(word, || drop(client)).await {
            record.metered(&usage, counted);
        }
        match &end {
            StreamEnd::Broken(kind, _) => {
                record.metrics().attempt(provider, kind.as_str());
                record.line.cause = Some(kind.as_str());
            }
            StreamEnd::Denied => record.line.cause = Some(FailureKind::Denied.as_str()),
            StreamEnd::Complete | StreamEnd::ClientLeft => {}
        }
        record.finish(200, status_word);
    }
}

/// An answer to be stored.
fn new_answer(resolved: &ResolvedTarget, cost: Option<PicoUsd>, body: CachedBody) -> NewAnswer {
    NewAnswer { provider: resolved.provider.to_string(), model: resolved.model.clone(), cost, body }
}

/// The `metadata` object of an answer, as JSON text; the cost is null where the model has no price.
pub(super) fn metadata(provider: &str, cost: Option<PicoUsd>) -> String {
    let mut text = String::with_capacity(96);
    text.push_str(r#"{"cache_hit":false,"provider":"#);
    text.push_str(&json_string(provider));
    text.push_str(r#","cost_usd":"#);
    match cost {
        Some(cost) => cost.push_to(&mut text),
        None => text.push_str("null"),
    }
    text.push('}');
    text
}
