//! A request that goes to a provider's own path as it is, and its answer that comes back as it is. It keeps to budgets,
//! breakers and limits as others do; what is known of its usage is booked.

mod relay;
mod told;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, Endpoint, ErrorBody, VendorRequest};
use http::Method;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::metering::{Draft, Metering, RowStart, unfinished};
use super::request_log::RequestRecord;
use super::reserve_budget::{AttemptBudget, BudgetRequest};
use super::router::{ReplyHead, RouteFailure, Routing};
use crate::budgets::ledger::Ledger;
use crate::failure::message::explain;
use crate::failure::{Failure, FailureKind};
use crate::keys::virtual_key::VirtualKey;
use crate::limits::admission::TokenHold;
use crate::providers::handle::{AttemptPermit, ProviderHandle, ProviderRejection};
use crate::providers::upstream::{Upstream, UpstreamAnswer};
use crate::secret::Secret;
use relay::Relay;

/// What stands for the model where a request names none.
const NO_MODEL: &str = "pass-through";

/// Pieces that may wait for a slow client before its provider is made to wait.
const PIECES_AHEAD: usize = 16;

/// One request, admitted, whose path is open and whose key may use the provider.
pub struct PassThroughRequest {
    /// When the request began.
    pub arrived: DateTime<Utc>,
    /// The virtual key.
    pub key: Arc<VirtualKey>,
    /// The provider.
    pub provider: Arc<str>,
    /// The method.
    pub method: String,
    /// The path and query below the provider's base URL.
    pub path: String,
    /// The client's headers that the provider gets.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// What is asked of a model; none where the body is no JSON object that names one.
    pub question: Option<Question>,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// The limit that the client sets with a header.
    pub request_timeout: Option<Duration>,
    /// The account of the request.
    pub record: Box<RequestRecord>,
    /// The tokens that the request took of limits, to be settled by what it uses.
    pub tokens: Option<Arc<TokenHold>>,
}

/// What is asked of a model.
pub struct Question {
    /// The model.
    pub model: String,
    /// The body.
    pub body: JsonObject,
    /// What kind of question the path is known to take; only such can be priced before it is sent.
    pub endpoint: Option<Endpoint>,
}

/// An answer as the provider gives it.
#[derive(Debug)]
pub struct PassThroughReply {
    /// Which provider, and the time spent.
    pub head: ReplyHead,
    /// The status.
    pub status: u16,
    /// The headers that a client gets.
    pub headers: Vec<(&'static str, String)>,
    /// The body; closed at its end, after an error where it broke off.
    pub body: mpsc::Receiver<Result<Bytes, BrokenOff>>,
}

/// The answer broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff;

/// What becomes of a request; dropping the receiver cancels it (D6).
pub type PassThroughOutcome = oneshot::Receiver<Result<PassThroughReply, RouteFailure>>;

impl Message for Box<PassThroughRequest> {
    type Result = PassThroughOutcome;
}

/// A request with what an attempt needs.
pub(super) struct PassThrough {
    pub(super) request: Box<PassThroughRequest>,
    pub(super) routing: Arc<Routing>,
    pub(super) handle: ProviderHandle,
    pub(super) upstream: Rc<Upstream>,
    pub(super) credential: Option<Secret>,
    pub(super) not_ready: Option<String>,
}

impl PassThrough {
    /// Sends the request and relays its answer. Dropping `reply`, or what it gives, ends both (D6).
    pub(super) async fn run(mut self, mut reply: oneshot::Sender<Result<PassThroughReply, RouteFailure>>) {
        let begun = std::time::Instant::now();
        let sent = tokio::select! {
            biased;
            sent = self.send() => sent,
            () = reply.closed() => return,
        };
        self.request.record.upstream_us += begun.elapsed().as_micros() as u64;
        let (gateway_us, upstream_us) = self.request.record.spent_us();
        let head = ReplyHead {
            provider: Some(self.request.provider.clone()),
            gateway_us,
            upstream_us,
            ..ReplyHead::default()
        };
        let (answer, permit, metering) = match sent {
            Ok(sent) => sent,
            Err(failure) => {
                let attempts = self.request.record.line.attempts;
                self.request.record.line.cause = Some(failure.kind.as_str());
                self.request.record.finish(failure.kind.status(), failure.error.code.as_deref().or(Some("error")));
                drop(self);
                if reply.send(Err(RouteFailure { head, failure, attempts })).is_err() {
                    log::debug!("a client left as its request failed");
                }
                return;
            }
        };
        let (client, body) = mpsc::channel(PIECES_AHEAD);
        let told = PassThroughReply { head, status: answer.status, headers: told::headers(&answer), body };
        if reply.send(Ok(told)).is_ok() {
            Relay::new(self, permit, metering, client).run(answer).await;
        }
    }

    /// Reserves, takes a place at the provider, and waits for the head of its answer.
    async fn send(&mut self) -> Result<(UpstreamAnswer, AttemptPermit, Option<Metering>), Failure> {
        if let Some(why) = &self.not_ready {
            let error = ErrorBody::new("api_error", "provider_not_ready", why);
            return Err(Failure { kind: FailureKind::NotReady, error, retry_after: None });
        }
        let metering = self.reserve().await?;
        let request = &mut *self.request;
        let model = request.question.as_ref().map_or(NO_MODEL, |question| &question.model);
        let admitted = self.handle.admit(model, request.key.id, std::time::Instant::now());
        let permit = match admitted {
            Ok(permit) => permit,
            Err(refused) => {
                release(metering);
                return Err(not_admitted(refused, &request.provider));
            }
        };
        request.record.line.attempts += 1;
        let sent = self.head().await;
        let outcome = sent.as_ref().map_or_else(|kind| kind.as_str(), |answer| word_of(answer.status));
        self.request.record.metrics().attempt(&self.request.provider, outcome);
        match sent {
            Ok(answer) => Ok((answer, permit, metering)),
            Err(kind) => {
                release(metering);
                permit.failed(kind);
                let error = explain(kind, &self.request.provider, self.request.request_timeout);
                Err(Failure { kind, error, retry_after: None })
            }
        }
    }

    async fn head(&self) -> Result<UpstreamAnswer, FailureKind> {
        let request = &*self.request;
        let sent = VendorRequest {
            path: request.path.clone(),
            headers: Vec::new(),
            body: request.body.clone(),
            dropped_params: Vec::new(),
        };
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| FailureKind::NotReady)?;
        let sending = self.upstream.send_as(&method, &sent, self.credential.as_ref(), &request.headers);
        let total = self.handle.settings().timeouts.total_ms;
        let total = if total == 0 { 86_400_000 } else { total };
        let (limit, kind) = match request.request_timeout {
            Some(own) if own.as_millis() < u128::from(total) => (own, FailureKind::RequestTimeout),
            _ => (Duration::from_millis(total), FailureKind::TotalTimeout),
        };
        let answer = timeout_at(Instant::now() + limit, sending).await.map_err(|_| kind)??;
        // A redirect would lead the credential elsewhere (H2), and what cannot be decoded cannot be told.
        let is_redirect = (300..400).contains(&answer.status) && answer.status != 304;
        if is_redirect || answer.unknown_coding.is_some() { Err(FailureKind::Broken) } else { Ok(answer) }
    }

    /// Reserves what the request may cost at most (B4), and opens its row; none for what costs nothing, or asks no model.
    async fn reserve(&mut self) -> Result<Option<Metering>, Failure> {
        let request = &mut *self.request;
        if request.is_free {
            return Ok(None);
        }
        let ledger = &self.routing.budgets.ledger;
        let has_budget = !ledger.accounts.claims(&request.key, request.arrived).is_empty();
        let Some(question) = &request.question else {
            return if has_budget { Err(cannot_be_priced()) } else { Ok(None) };
        };
        let mut reserved = match question.endpoint {
            None if has_budget => return Err(cannot_be_priced()),
            None => Default::default(),
            Some(endpoint) => {
                let wanted = BudgetRequest {
                    key: &request.key,
                    provider: &request.provider,
                    model: &question.model,
                    body: &question.body,
                    endpoint,
                    limit_field: self.handle.settings().output_limit_field,
                    now: request.arrived,
                };
                self.routing.budgets.reserve(wanted).await?
            }
        };
        if let Some(limited) = reserved.body.take() {
            request.body = limited.text().clone();
        }
        let draft = draft(request, &question.model, &reserved, ledger);
        Ok(Some(Metering::new(ledger, draft, reserved.reservation, request.arrived)))
    }
}

/// The row of the attempt as far as it is known.
fn draft(request: &PassThroughRequest, model: &str, reserved: &AttemptBudget, ledger: &Ledger) -> Draft {
    let line = &request.record.line;
    let known = RowStart {
        trace_id: &line.trace_id,
        request_id: &line.request_id,
        key: &request.key,
        provider: &request.provider,
        model,
        endpoint: line.path,
        attempt: 1,
        stream: line.stream,
        is_charged: true,
        now: request.arrived,
    };
    let mut row = unfinished(ledger, known);
    row.usage.is_fast = reserved.options.is_fast.then_some(true);
    row.usage.is_in_us = reserved.options.is_in_us.then_some(true);
    Draft {
        row,
        begun: request.record.started(),
        body: request.body.clone(),
        model_is_proven: request.record.model_is_known,
        tokens: request.tokens.clone(),
        most_output: reserved.most_output,
        requested: None,
    }
}

/// B4, B5: what cannot be priced is no way around a budget.
fn cannot_be_priced() -> Failure {
    let message = "What this request may cost cannot be told beforehand, so a key with a budget cannot pass it through: \
                   use one of the gateway's own routes, or a key without a budget.";
    let bad = BadRequest { param: None, message: message.to_owned() };
    let error = ErrorBody::new("invalid_request_error", "request_not_priced", bad.message);
    Failure { kind: FailureKind::Status(400), error, retry_after: None }
}

fn not_admitted(refused: ProviderRejection, provider: &str) -> Failure {
    let (kind, wait) = match refused {
        ProviderRejection::CircuitOpen { retry_after } => (FailureKind::CircuitOpen, retry_after),
        ProviderRejection::Saturated => (FailureKind::Saturated, Duration::from_secs(1)),
    };
    Failure { kind, error: explain(kind, provider, None), retry_after: Some(wait) }
}

fn release(metering: Option<Metering>) {
    if let Some(metering) = metering {
        metering.release();
    }
}

/// The metric's word for a status.
fn word_of(status: u16) -> &'static str {
    if status < 400 { "success" } else { FailureKind::Status(status).as_str() }
}
