//! One client request on its way along its chain: attempts, retries and fallback, up to the end of its answer.

mod prepare;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gateway_wire::Dialect;
use gateway_wire::dialect::AnswerStamp;
use gateway_wire::json_object::json_string;
use gateway_wire::{BadRequest, ErrorBody, WholeAnswer, openai};
use tokio::sync::{mpsc, oneshot};

use super::attempt::{Attempt, AttemptAnswer, ClientDeadline, OpenStream, ProviderNotes};
use super::metering::{Draft, Metering, RequestedTarget, RowStart, unfinished};
use super::reserve_budget::BudgetRequest;
use super::router::{Reply, ReplyHead, RouteFailure, RouteRequest, Routing};
use super::stream::meter::StreamMeter;
use super::stream::relay::{StreamEnd, pump};
use crate::cache::entry::CachedBody;
use crate::cache::lookup::{Lookup, NewAnswer};
use crate::cache::policy::CacheStatus;
use crate::cache::recorder::{Recorder, whole_body};
use crate::failure::message::explain;
use crate::failure::{Failure, FailureKind};
use crate::money::amount::PicoUsd;
use crate::providers::handle::{AttemptPermit, ProviderHandle, ProviderRejection};
use crate::providers::upstream::Upstream;
use crate::routing::{Chain, NextStep, Target};
use crate::secret::Secret;
use crate::usage::row::UsageRow;
use prepare::{applied, prepare, renamed_limit};

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
    /// What the router knows.
    pub routing: Arc<Routing>,
}

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
    pub async fn run(mut self, mut reply: oneshot::Sender<Result<Reply, RouteFailure>>) {
        let deadline = self.deadline().map(|limit| limit.at);
        if let Some(lookup) = &mut self.lookup {
            lookup.deadline = deadline;
            let looked = Instant::now();
            // Boxed, as are the other long ways below: every request would else carry room for them along.
            let found = tokio::select! {
                biased;
                found = Box::pin(self.routing.cache.find(lookup)) => found,
                () = reply.closed() => return,
            };
            let waited = looked.elapsed();
            let request_id = &self.request.record.line.request_id;
            log::debug!(request_id = request_id, found = found.is_some(); "looked into the cache");
            if let Some(cached) = found.and_then(|found| self.answer_from_cache(&found)) {
                return self.deliver(reply, Ok(cached));
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
        if let Some(lookup) = &self.lookup {
            (head.cache, head.cache_key) = (lookup.status, Some(lookup.key));
            if lookup.shadowed.is_some() && result.is_ok() {
                self.routing.cache.count(lookup.status);
            }
        }
        if at > 0 && result.is_ok() && self.lookup.take().is_some() {
            // Kept under the plan's key, it would stand for the first choice until it expires (M-9).
            head.cache = CacheStatus::Bypass;
        }
        (head.gateway_us, head.upstream_us) = self.request.record.spent_us();
        match result {
            Ok(Success { answered: AttemptAnswer::Whole(answer), permit, mut metering }) => {
                permit.succeeded();
                head.cost = Box::pin(self.settle_whole(&answer, &mut metering)).await;
                let body = self.finish_whole(answer, at, &mut head);
                self.request.record.finish(200, None);
                self.deliver(reply, Ok(Reply::Whole { head, body }));
            }
            Ok(Success { answered: AttemptAnswer::Stream(open), mut permit, metering }) => {
                permit.begun();
                let (client, frames) = mpsc::channel(FRAMES_AHEAD);
                if head.shortened_to.is_some() {
                    self.lookup = None;
                }
                if reply.send(Ok(Reply::Stream { head, frames })).is_ok() {
                    Box::pin(self.stream(open, permit, metering, at, client)).await;
                }
            }
            Err(failure) => {
                if let Some(stored) = self.answer_from_shadow() {
                    return self.deliver(reply, Ok(stored));
                }
                self.request.record.finish(failure.kind.status(), failure.error.code.as_deref().or(Some("error")));
                let attempts = self.request.record.line.attempts;
                self.deliver(reply, Err(RouteFailure { head, failure, attempts }));
            }
        }
    }

    /// Ends the call and hands its answer over. The record is written before the client can ask for it.
    pub(crate) fn deliver(
        self,
        reply: oneshot::Sender<Result<Reply, RouteFailure>>,
        answer: Result<Reply, RouteFailure>,
    ) {
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
            let result = self.attempt(at, &mut head).await;
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
            match next {
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
                }
                // Without time, a closed circuit, or a retry left in the provider's budget (E8), what would follow the last
                // retry follows now.
                NextStep::Retry { .. } => match self.chain.after_retries(at, &failure) {
                    Some(to) => {
                        metrics.fallback(&resolved.provider);
                        (at, retries, waited) = (to, 0, Duration::ZERO);
                    }
                    None => return ChainResult { head, at, result: Err(failure) },
                },
                NextStep::Fallback { to } => {
                    metrics.fallback(&resolved.provider);
                    (at, retries, waited) = (to, 0, Duration::ZERO);
                }
                NextStep::GiveUp => return ChainResult { head, at, result: Err(failure) },
            }
        }
    }

    /// The client's own limit, which bounds all attempts and waits together (E8).
    fn deadline(&self) -> Option<ClientDeadline> {
        let length = self.request.request_timeout?;
        Some(ClientDeadline { at: (self.request.record.started() + length).into(), length })
    }

    fn leaves_time_for(&self, wait: Duration) -> bool {
        self.deadline().is_none_or(|limit| limit.at > tokio::time::Instant::now() + wait)
    }

    async fn attempt(&mut self, at: usize, head: &mut ReplyHead) -> Result<Success, Failure> {
        let deadline = self.deadline();
        let request = &mut *self.request;
        let Some(resolved) = self.targets.get(at) else {
            let error = explain(FailureKind::Broken, "none", None);
            return Err(Failure { kind: FailureKind::Broken, error, retry_after: None });
        };
        head.provider = Some(resolved.provider.clone());
        head.option_index.clone_from(&resolved.target.path);
        request.record.line.provider = Some(resolved.provider.clone());
        request.record.line.model = Some(resolved.model.clone());
        request.record.answers_prove = resolved.handle.settings().dialect != Dialect::Simulator;
        request.record.model_is_known =
            self.routing.budgets.ledger.prices.load().names(&resolved.provider, &resolved.model);
        if let Some(why) = &resolved.not_ready {
            return Err(not_ready(why));
        }
        let (body, dropped) = applied(&request.body, &resolved.target).map_err(invalid)?;
        let wanted = BudgetRequest {
            key: &request.key,
            provider: &resolved.provider,
            model: &resolved.model,
            body: &body,
            endpoint: request.endpoint,
            limit_field: resolved.handle.settings().output_limit_field,
            now: request.arrived,
        };
        let attempt_budget = self.routing.budgets.reserve(wanted).await?;
        head.shortened_to = attempt_budget.shortened_to;
        let most_output = attempt_budget.most_output;
        let dialect = resolved.handle.settings().dialect;
        let mut text = body.text().clone();
        let body =
            attempt_budget.body.map_or(body, |body| Cow::Owned(renamed_limit(body, &resolved.target.drop_params)));
        let is_limited = attempt_budget.reservation.is_some();
        let mut prepared = prepare(request, resolved, &body, is_limited).map_err(invalid)?;
        let choices = body.read("n").ok().flatten().unwrap_or(1);
        // No copy is kept that is not needed while the provider works (G4).
        drop(body);
        if dialect == Dialect::OpenAi {
            text = prepared.body.clone();
        }
        prepared.dropped_params.extend(dropped);
        head.dropped_params.clone_from(&prepared.dropped_params);
        let permit = resolved
            .handle
            .admit(&resolved.model, request.key.id, Instant::now())
            .map_err(|refused| not_admitted(refused, resolved))?;
        request.record.line.attempts += 1;
        let serves_other = |requested: &&RequestedTarget| {
            *requested.provider != *resolved.provider || requested.model != resolved.model
        };
        let requested = self.requested.as_ref().filter(serves_other).cloned();
        let (begun, tokens) = (request.record.started(), request.tokens.clone());
        let model_is_proven = request.record.answers_prove || request.record.model_is_known;
        let mut row = row(request, resolved, &self.routing);
        row.usage.is_fast = attempt_budget.options.is_fast.then_some(true);
        row.usage.is_in_us = attempt_budget.options.is_in_us.then_some(true);
        let draft = Draft { row, begun, body: text, model_is_proven, tokens, most_output, requested };
        let ledger = &self.routing.budgets.ledger;
        let mut metering = Metering::new(ledger, draft, attempt_budget.reservation, request.arrived);
        let begun = Instant::now();
        let id = format!("chatcmpl-{}", request.record.line.request_id);
        let attempt = Attempt {
            upstream: resolved.upstream.as_deref(),
            provider: &resolved.provider,
            dialect,
            timeouts: resolved.handle.settings().timeouts,
            limit: sooner(resolved.target.request_timeout, deadline),
            endpoint: request.endpoint,
            stream: request.stream,
            credential: resolved.credential.as_ref(),
            headers: &extra_headers(request, &resolved.target),
            stamp: AnswerStamp {
                id: &id,
                model: &resolved.model,
                created: seconds_since_1970(),
                strict: request.strict.or(resolved.target.strict).unwrap_or(false),
                choices,
            },
        };
        let mut noted = ProviderNotes::default();
        let result = attempt.run(&prepared, &mut noted).await;
        request.record.line.provider_request_id = noted.request_id.take();
        request.record.upstream_us += begun.elapsed().as_micros() as u64;
        let outcome = result.as_ref().map_or_else(|failure| failure.kind.as_str(), |_| "success");
        request.record.metrics().attempt(&resolved.provider, outcome);
        log::debug!(
            request_id = request.record.line.request_id, provider = &*resolved.provider, model = resolved.model,
            attempt = request.record.line.attempts, outcome = outcome, duration_ms = begun.elapsed().as_millis() as u64;
            "attempt"
        );
        match result {
            Ok(answered) => Ok(Success { answered, permit, metering }),
            Err(failure) => {
                request.record.line.cause = Some(outcome);
                match noted.usage.filter(|usage| usage.total_tokens() > 0) {
                    Some(usage) => {
                        let (usage, cost) = Box::pin(metering.settle_reported(&usage, None, "error")).await;
                        request.record.metered(&usage, cost);
                    }
                    None => metering.release(),
                }
                permit.failed(failure.kind);
                Err(failure)
            }
        }
    }

    /// Meters a whole answer before it goes out, so that it tells what is booked.
    async fn settle_whole(&mut self, answer: &WholeAnswer, metering: &mut Metering) -> Option<PicoUsd> {
        let settled = match &answer.usage {
            Some(usage) => Some(metering.settle_reported(usage, Some(&answer.body), "success").await),
            None => {
                metering.saw(&answer.body);
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
            && let Some(body) = whole_body(self.request.endpoint, &answer.body)
        {
            head.cache = self.routing.cache.keep(*lookup, new_answer(resolved, head.cost, body));
        }
        openai::with_metadata(&answer.body, &metadata(&resolved.provider, head.cost))
    }

    async fn stream(
        &mut self,
        open: OpenStream,
        permit: AttemptPermit,
        mut metering: Metering,
        at: usize,
        client: mpsc::Sender<Bytes>,
    ) {
        let Some(resolved) = self.targets.get(at) else { return };
        let record = &mut self.request.record;
        record.first_token = Some(Instant::now());
        metering.first_token();
        let begun = Instant::now();
        let include_usage = self.request.include_usage;
        let recorder = self.lookup.as_ref().and_then(|lookup| lookup.recorder(&self.routing.cache));
        let provider = &resolved.provider;
        let mut meter = StreamMeter { metering, record, provider, include_usage, recorder, cost: None };
        let idle = Duration::from_millis(resolved.handle.settings().timeouts.idle_ms);
        let end = pump(&resolved.provider, open, idle, &client, &mut meter).await;
        let StreamMeter { mut metering, record, recorder, cost, .. } = meter;
        record.upstream_us += begun.elapsed().as_micros() as u64;
        match end {
            StreamEnd::Complete => {
                permit.succeeded();
                if let Some((usage, counted)) = metering.settle_ended("success", || drop(client)).await {
                    record.metered(&usage, counted);
                }
                record.finish(200, None);
                if let (Some(lookup), Some(body)) = (self.lookup.take(), recorder.and_then(Recorder::body)) {
                    self.routing.cache.keep(*lookup, new_answer(resolved, cost, body));
                }
            }
            StreamEnd::Broken(kind, error) => {
                permit.failed(kind);
                if let Some((usage, counted)) = metering.settle_ended("error", || drop(client)).await {
                    record.metered(&usage, counted);
                }
                record.metrics().attempt(&resolved.provider, kind.as_str());
                record.line.cause = Some(kind.as_str());
                record.finish(200, error.code.as_deref().or(Some("stream_broken")));
            }
            // The permit, the record and the metering know by their own `Drop` that nobody waits any more.
            StreamEnd::ClientLeft => {}
        }
    }
}

/// An answer to be stored.
fn new_answer(resolved: &ResolvedTarget, cost: Option<PicoUsd>, body: CachedBody) -> NewAnswer {
    NewAnswer { provider: resolved.provider.to_string(), model: resolved.model.clone(), cost, body }
}

/// The row of an attempt that is about to be sent.
fn row(request: &RouteRequest, resolved: &ResolvedTarget, routing: &Routing) -> Box<UsageRow> {
    let ledger = &routing.budgets.ledger;
    let line = &request.record.line;
    unfinished(RowStart {
        trace_id: &line.trace_id,
        request_id: &line.request_id,
        key: &request.key,
        provider: &resolved.provider,
        model: &resolved.model,
        endpoint: line.path,
        attempt: line.attempts,
        stream: request.stream,
        replica: &ledger.replica,
        charges: ledger.accounts.charges(&request.key, request.arrived),
        now: request.arrived,
    })
}

/// A target's own limit, which begins with the attempt (Portkey's meaning), or the client's where it ends before.
fn sooner(own: Option<Duration>, deadline: Option<ClientDeadline>) -> Option<ClientDeadline> {
    let own = own.map(|length| ClientDeadline { at: tokio::time::Instant::now() + length, length });
    own.into_iter().chain(deadline).min_by_key(|limit| limit.at)
}

/// Headers of the target, and those of the client that it wants forwarded.
fn extra_headers(request: &RouteRequest, target: &Target) -> Vec<(String, String)> {
    let forwarded = request
        .headers
        .iter()
        .filter(|(name, _)| target.forward_headers.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)));
    target.headers.iter().chain(forwarded).cloned().collect()
}

/// The `metadata` object of an answer, as JSON text; the cost is null where the model has no price.
pub(super) fn metadata(provider: &str, cost: Option<PicoUsd>) -> String {
    let cost = cost.map_or_else(|| "null".to_owned(), |cost| cost.to_string());
    format!(r#"{{"cache_hit":false,"provider":{},"cost_usd":{cost}}}"#, json_string(provider))
}

fn invalid(bad: BadRequest) -> Failure {
    let error = ErrorBody::new("invalid_request_error", "unsupported_request", bad.message);
    let error = ErrorBody { param: bad.param, ..error };
    Failure { kind: FailureKind::Status(400), error, retry_after: None }
}

fn not_ready(why: &str) -> Failure {
    let error = ErrorBody::new("api_error", "provider_not_ready", why);
    Failure { kind: FailureKind::NotReady, error, retry_after: None }
}

fn not_admitted(refused: ProviderRejection, resolved: &ResolvedTarget) -> Failure {
    let (kind, retry_after) = match refused {
        ProviderRejection::CircuitOpen { retry_after } => (FailureKind::CircuitOpen, retry_after),
        ProviderRejection::Saturated => (FailureKind::Saturated, Duration::from_secs(1)),
    };
    Failure { kind, error: explain(kind, &resolved.provider, None), retry_after: Some(retry_after) }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
