//! One attempt at one target: prepare → reserve → admit → send.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use gateway_wire::dialect::AnswerStamp;
use gateway_wire::exchange::Exchange;
use gateway_wire::guarding::GuardSource;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, Dialect, ErrorBody};

use super::prepare::{Edits, Prepared, applied, prepare, renamed_limit};
use super::{Call, CallGuards, ResolvedTarget, Success};
use crate::failure::message::explain;
use crate::failure::{Failure, FailureKind};
use crate::guardrails::OutputGuards;
use crate::providers::handle::{AttemptPermit, ProviderRejection};
use crate::request::attempt::{Attempt, AttemptAnswer, ClientDeadline, ProviderNotes};
use crate::request::metering::{Draft, Metering, RequestedTarget, RowStart, unfinished};
use crate::request::reserve_budget::{AttemptBudget, BudgetRequest};
use crate::request::router::{ReplyHead, RouteRequest, Routing};
use crate::routing::Target;
use crate::usage::row::UsageRow;

impl Call {
    /// Makes one attempt at a target of the chain.
    pub(super) async fn attempt(&mut self, at: usize, head: &mut ReplyHead) -> Result<Success, Failure> {
        if self.guards.is_some() {
            Box::pin(self.guard_request(at)).await?;
            self.check_request(at)?;
        }
        let deadline = self.deadline();
        let call_guards = self.guards.as_deref();
        let guards = call_guards.and_then(CallGuards::source);
        let request = &mut *self.request;
        let Some(resolved) = self.targets.get(at) else {
            let error = explain(FailureKind::Broken, "none", None);
            return Err(Failure { kind: FailureKind::Broken, error, retry_after: None });
        };
        note_target(request, resolved, &self.routing, head);
        if let Some(why) = &resolved.not_ready {
            return Err(not_ready(why));
        }
        let guarded = |guards: &CallGuards| applied(&request.body, &guards.guarded(&resolved.target));
        let applied = call_guards.map_or_else(|| applied(&request.body, &resolved.target), guarded);
        let (body, dropped) = applied.map_err(invalid)?;
        let mut budget = reserve(request, resolved, &self.routing, &body).await?;
        head.shortened_to = budget.shortened_to;
        let mut prepared = prepare_within(request, resolved, body, &mut budget).map_err(invalid)?;
        prepared.request.dropped_params.extend(dropped);
        head.dropped_params.clone_from(&prepared.request.dropped_params);
        let permit = admit(request, resolved)?;
        let requested = self.requested.as_ref();
        let metering = metering(request, resolved, &self.routing, requested, &mut prepared, budget);
        let judges = call_guards.map(|guards| &guards.output);
        let sent = send(request, resolved, deadline, (&prepared, guards, judges), permit, metering).await?;
        unless_denied(request, sent, head).await
    }
}

/// Tells which target is tried.
fn note_target(request: &mut RouteRequest, resolved: &ResolvedTarget, routing: &Routing, head: &mut ReplyHead) {
    head.provider = Some(resolved.provider.clone());
    head.option_index.clone_from(&resolved.target.path);
    let record = &mut request.record;
    record.line.provider = Some(resolved.provider.clone());
    record.line.model = Some(resolved.model.clone());
    record.answers_prove = resolved.handle.settings().dialect != Dialect::Simulator;
    record.model_is_known = routing.budgets.ledger.prices.load().names(&resolved.provider, &resolved.model);
}

/// Reserves what the attempt may cost.
async fn reserve(
    request: &RouteRequest,
    resolved: &ResolvedTarget,
    routing: &Routing,
    body: &JsonObject,
) -> Result<AttemptBudget, Failure> {
    let wanted = BudgetRequest {
        key: &request.key,
        provider: &resolved.provider,
        model: &resolved.model,
        body,
        endpoint: request.endpoint,
        limit_field: resolved.handle.settings().output_limit_field,
        now: request.arrived,
    };
    routing.budgets.reserve(wanted).await
}

/// The request in the vendor's format, held to its budget.
fn prepare_within(
    request: &RouteRequest,
    resolved: &ResolvedTarget,
    body: Cow<'_, JsonObject>,
    budget: &mut AttemptBudget,
) -> Result<Prepared, BadRequest> {
    let by_config = matches!(body, Cow::Owned(_));
    let limited = budget.body.take();
    let edits = Edits { by_config, by_budget: limited.is_some(), is_limited: budget.reservation.is_some() };
    let limited = limited.map(|limited| Cow::Owned(renamed_limit(limited, &resolved.target.drop_params)));
    prepare(request, resolved, limited.unwrap_or(body), edits)
}

/// Takes a place at the provider, whose circuit must be closed.
fn admit(request: &mut RouteRequest, resolved: &ResolvedTarget) -> Result<AttemptPermit, Failure> {
    let admitted = resolved.handle.admit(&resolved.model, request.key.id, Instant::now());
    let permit = admitted.map_err(|refused| not_admitted(refused, resolved))?;
    request.record.line.attempts += 1;
    Ok(permit)
}

/// The money of the attempt, from here on booked on every ending.
fn metering(
    request: &RouteRequest,
    resolved: &ResolvedTarget,
    routing: &Routing,
    requested: Option<&RequestedTarget>,
    prepared: &mut Prepared,
    budget: AttemptBudget,
) -> Metering {
    let serves_other =
        |requested: &&RequestedTarget| *requested.provider != *resolved.provider || requested.model != resolved.model;
    let mut row = row(request, resolved, routing);
    row.usage.is_fast = budget.options.is_fast.then_some(true);
    row.usage.is_in_us = budget.options.is_in_us.then_some(true);
    let draft = Draft {
        row,
        begun: request.record.started(),
        body: std::mem::take(&mut prepared.counted),
        model_is_proven: request.record.answers_prove || request.record.model_is_known,
        tokens: request.tokens.clone(),
        most_output: budget.most_output,
        requested: requested.filter(serves_other).cloned(),
    };
    Metering::new(&routing.budgets.ledger, draft, budget.reservation, request.arrived)
}

/// Sends the request and waits for the answer, or its first content.
async fn send(
    request: &mut RouteRequest,
    resolved: &ResolvedTarget,
    deadline: Option<ClientDeadline>,
    (prepared, guards, judges): (&Prepared, Option<&dyn GuardSource>, Option<&OutputGuards>),
    permit: AttemptPermit,
    metering: Metering,
) -> Result<Success, Failure> {
    let begun = Instant::now();
    let id = ["chatcmpl-", &request.record.line.request_id].concat();
    let now = request.arrived.timestamp().unsigned_abs();
    let strict = request.strict.or(resolved.target.strict).unwrap_or(false);
    let stamp = AnswerStamp {
        id: &id,
        model: &resolved.model,
        created: now,
        strict,
        choices: prepared.choices,
        shows_usage: prepared.shows_usage,
    };
    let way = prepared.translation.way(request, now, strict);
    let attempt = Attempt {
        upstream: resolved.upstream.as_deref(),
        provider: &resolved.provider,
        timeouts: resolved.handle.settings().timeouts,
        limit: sooner(resolved.target.request_timeout, deadline),
        endpoint: request.endpoint,
        stream: request.stream,
        credential: resolved.credential.as_ref(),
        headers: &extra_headers(request, &resolved.target),
        exchange: Exchange { dialect: prepared.dialect, stamp, way, guards },
        judges,
    };
    let mut noted = ProviderNotes::default();
    let result = attempt.run(&prepared.request, &mut noted).await;
    ended(request, resolved, begun, noted, result, permit, metering).await
}

/// An answer, unless a guardrail denied all of it: then it has been made, and is billed.
async fn unless_denied(request: &mut RouteRequest, sent: Success, head: &mut ReplyHead) -> Result<Success, Failure> {
    let Success { answered, permit, mut metering } = sent;
    let mut answer = match answered {
        AttemptAnswer::Whole(answer) if answer.denied.is_some() => answer,
        answered => return Ok(Success { answered, permit, metering }),
    };
    permit.succeeded();
    let error = answer.denied.take().map(|error| *error).unwrap_or_default();
    let settled = match &answer.usage {
        Some(usage) => Some(Box::pin(metering.settle_reported(usage, Some(&answer), "denied")).await),
        None => {
            metering.saw(&answer);
            Box::pin(metering.settle_counted("denied")).await
        }
    };
    if let Some((usage, cost)) = settled {
        request.record.metered(&usage, cost);
        head.cost = cost;
    }
    request.record.line.cause = Some(FailureKind::Denied.as_str());
    Err(Failure { kind: FailureKind::Denied, error, retry_after: None })
}

/// Takes down how the attempt ended.
async fn ended(
    request: &mut RouteRequest,
    resolved: &ResolvedTarget,
    begun: Instant,
    mut noted: ProviderNotes,
    result: Result<AttemptAnswer, Failure>,
    permit: AttemptPermit,
    mut metering: Metering,
) -> Result<Success, Failure> {
    let record = &mut request.record;
    record.line.provider_request_id = noted.request_id.take();
    record.upstream_us += begun.elapsed().as_micros() as u64;
    let outcome = result.as_ref().map_or_else(|failure| failure.kind.as_str(), |_| "success");
    record.metrics().attempt(&resolved.provider, outcome);
    log::debug!(
        request_id = record.line.request_id, provider = &*resolved.provider, model = resolved.model,
        attempt = record.line.attempts, outcome = outcome, duration_ms = begun.elapsed().as_millis() as u64;
        "attempt"
    );
    let failure = match result {
        Ok(answered) => return Ok(Success { answered, permit, metering }),
        Err(failure) => failure,
    };
    record.line.cause = Some(outcome);
    match noted.usage.filter(|usage| usage.total_tokens() > 0) {
        Some(usage) => {
            let (usage, cost) = Box::pin(metering.settle_reported(&usage, None, "error")).await;
            record.metered(&usage, cost);
        }
        None => metering.release(),
    }
    permit.failed(failure.kind);
    Err(failure)
}

/// The row of an attempt that is about to be sent.
fn row(request: &RouteRequest, resolved: &ResolvedTarget, routing: &Routing) -> Box<UsageRow> {
    let line = &request.record.line;
    let known = RowStart {
        trace_id: &line.trace_id,
        request_id: &line.request_id,
        key: &request.key,
        provider: &resolved.provider,
        model: &resolved.model,
        endpoint: line.path,
        attempt: line.attempts,
        stream: request.stream,
        is_charged: true,
        now: request.arrived,
    };
    unfinished(&routing.budgets.ledger, known)
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
