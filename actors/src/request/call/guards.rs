//! The guardrails of one call: what its request passes before anything of it leaves, and what its answers pass.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use gateway_wire::clients::responses::{input_items, open_compactions};
use gateway_wire::clients::{ClientKind, Sealer};
use gateway_wire::common::Conversation;
use gateway_wire::formats;
use gateway_wire::guarding::GuardSource;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, ErrorBody};
use serde_json::{Map, Value};

use super::Call;
use crate::failure::message::explain;
use crate::failure::{Failure, FailureKind};
use crate::guardrails::{
    GuardedSealer, GuardrailRules, InputResult, OutputGuards, Policy, RequestGuard, RequestTexts, Side, Told, outcomes,
};
use crate::request::router::RouteRequest;
use crate::request::translation::ClientRequest;
use crate::routing::{Chain, Plan, Target};

/// The guardrails of one call.
pub struct CallGuards {
    rules: GuardrailRules,
    /// The request as it came, for targets with other guardrails than the first.
    original: OriginalRequest,
    /// What the request passed last, and whether it may leave.
    passed: Option<(Asked, Passed)>,
    /// What the target sets in the body, as it may leave.
    params: Map<String, Value>,
    /// What its answers pass.
    pub(in crate::request) output: OutputGuards,
    arrived: DateTime<Utc>,
    /// How long outside engines were waited for before the request left.
    waited: Duration,
    /// Whether what came of them has been counted.
    is_noted: bool,
}

/// What a request passed, and what the target sets in its body.
type Asked = (Policy, Map<String, Value>);

/// Whether a request may leave.
type Passed = Result<(), ErrorBody>;

/// A request as it came.
struct OriginalRequest {
    body: JsonObject,
    client: Option<(ClientKind, JsonObject, Arc<Conversation>)>,
    sealer: Option<Arc<dyn Sealer>>,
}

impl CallGuards {
    /// The guardrails of a request; none where it has none.
    pub fn new(request: &RouteRequest, chain: &Chain, rules: &GuardrailRules) -> Option<Box<Self>> {
        // What the request follows itself has them in its targets.
        let key_plan = request.key_plan.as_ref().filter(|plan| !Arc::ptr_eq(plan, &request.plan)).map(|plan| &**plan);
        let has_any = |target: &Target| !target.input_guardrails.is_empty() || !target.output_guardrails.is_empty();
        let of_key = key_plan.is_some_and(Plan::has_guardrails);
        if rules.floor.is_empty() && !of_key && !chain.steps.iter().any(|step| has_any(&step.target)) {
            return None;
        }
        let mut rules = rules.clone();
        if let Some(plan) = key_plan {
            let all = plan.all_guardrails();
            rules.floor.input.extend(all.input);
            rules.floor.output.extend(all.output);
        }
        let client = request.client.as_ref();
        let client = client.map(|client| (client.kind, client.body.clone(), client.conversation.clone()));
        let sealer = request.client.as_ref().and_then(|client| client.sealer.clone());
        let original = OriginalRequest { body: request.body.clone(), client, sealer };
        let output = OutputGuards::default();
        let (params, arrived, waited) = (Map::new(), request.arrived, Duration::ZERO);
        Some(Box::new(Self { rules, original, passed: None, params, output, arrived, waited, is_noted: false }))
    }

    /// A target that sets in the body what has passed the guardrails.
    pub(super) fn guarded<'a>(&self, target: &'a Target) -> Cow<'a, Target> {
        if self.params.is_empty() {
            return Cow::Borrowed(target);
        }
        let (override_params, default_params) = (self.params.clone(), Map::new());
        Cow::Owned(Target { override_params, default_params, ..target.clone() })
    }

    /// What makes the guards of answers, where there is anything to guard or to tell.
    pub fn source(&self) -> Option<&dyn GuardSource> {
        self.output.is_needed().then_some(&self.output as &dyn GuardSource)
    }

    /// Whether answers have values in them that only this request may see.
    pub(super) fn restores(&self) -> bool {
        self.output.restores()
    }

    /// Guards the request for a target; none where nobody has time for it.
    async fn pass(&mut self, request: &mut RouteRequest, target: &Target) -> Result<Option<Passed>, BadRequest> {
        let policy = Policy::new(self.rules.floor.input.iter().chain(&target.input_guardrails).cloned());
        let output = Policy::new(self.rules.floor.output.iter().chain(&target.output_guardrails).cloned());
        let asked = (policy, params(&self.original.body, target));
        if let Some(((passed, params), result)) = &self.passed
            && passed.is_same_as(&asked.0)
            && *params == asked.1
        {
            let result = result.clone();
            if !self.output.policy().is_same_as(&output) {
                self.output = self.output.with_policy(output);
            }
            return Ok(Some(result));
        }
        // Until it has passed, nothing counts as passed.
        self.passed = None;
        self.original.put_back(request);
        let body = request.client.as_ref().map_or(&request.body, |client| &client.body).clone();
        let guard = RequestGuard {
            texts: RequestTexts { body, params: asked.1.clone(), summaries: self.original.summaries()? },
            policy: asked.0.clone(),
            model: request.model.clone(),
            request_type: request_type(request.record.line.path),
            metadata: request.metadata.clone(),
        };
        let Some(guarded) = guard.run(&self.rules).await? else { return Ok(None) };
        self.waited += guarded.waited;
        let now = self.arrived.to_rfc3339_opts(SecondsFormat::Millis, true);
        let strict = request.strict.or(target.strict).unwrap_or(false);
        let told = Told { now, in_streams: !strict };
        let engines = self.rules.engines.clone();
        let input = InputResult::new(asked.0.clone(), guarded.tally, engines.clone(), guarded.beside);
        self.output = OutputGuards::new((output, self.rules.limit, engines), input, guarded.vault, told);
        let result = if guarded.is_denied { Err(self.output.denied()) } else { Ok(()) };
        let RequestTexts { body, params, summaries } = guarded.texts;
        self.params = params;
        if result.is_ok() && (guarded.is_changed || !summaries.is_empty()) {
            if let (Some(client), Some(sealer)) = (&mut request.client, &self.original.sealer) {
                client.sealer = Some(Arc::new(GuardedSealer::new(sealer.clone(), summaries)));
            }
            replace(request, body, asked.0.tokenizes())?;
        }
        self.passed = Some((asked, result.clone()));
        Ok(Some(result))
    }
}

/// What a target sets in a body, all but the model.
fn params(body: &JsonObject, target: &Target) -> Map<String, Value> {
    let defaults = target.default_params.iter().filter(|(name, _)| body.get(name).is_none());
    let all = defaults.chain(&target.override_params).filter(|(name, _)| *name != "model");
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl OriginalRequest {
    fn put_back(&self, request: &mut RouteRequest) {
        request.body = self.body.clone();
        if let (Some(client), Some((_, body, conversation))) = (&mut request.client, &self.client) {
            (client.body, client.conversation) = (body.clone(), conversation.clone());
            client.sealer.clone_from(&self.sealer);
        }
    }

    /// What is sealed in the client's body, with what it is.
    fn summaries(&self) -> Result<Vec<(String, String)>, BadRequest> {
        let (Some((kind, body, _)), Some(sealer)) = (&self.client, &self.sealer) else { return Ok(Vec::new()) };
        if !body.get("input").is_some_and(|input| input.contains("encrypted_content")) {
            return Ok(Vec::new());
        }
        let found = RefCell::new(Vec::new());
        open_compactions(&mut formats::client(*kind).read(body)?, |sealed| {
            let summary = sealer.open(sealed)?;
            found.borrow_mut().push((sealed.to_owned(), summary.clone()));
            Some(summary)
        })?;
        Ok(found.into_inner())
    }
}

/// The kind of request in Portkey's words.
fn request_type(path: &str) -> Option<&'static str> {
    Some(match path {
        "/v1/chat/completions" => "chatComplete",
        "/v1/completions" => "complete",
        "/v1/embeddings" => "embed",
        "/v1/messages" => "messages",
        "/v1/moderations" => "moderate",
        "/v1/rerank" => "rerank",
        "/v1/responses" => "createModelResponse",
        _ => return None,
    })
}

/// Puts another body in the place of the client's, in all forms that it has. What `has_tokens` is stored as it came: nobody
/// knows later what they stand for.
fn replace(request: &mut RouteRequest, body: JsonObject, has_tokens: bool) -> Result<(), BadRequest> {
    let Some(client) = &mut request.client else {
        request.body = body;
        return Ok(());
    };
    let ClientRequest { kind, sealer, keeper, .. } = &mut **client;
    let mut conversation = formats::client(*kind).read(&body)?;
    if let Some(sealer) = sealer {
        open_compactions(&mut conversation, |sealed| sealer.open(sealed))?;
    }
    request.body = JsonObject::parse(formats::chat_body(&conversation)?)
        .map_err(|error| BadRequest { param: None, message: format!("The guarded body is not JSON: {error}.") })?;
    if let Some(keeper) = keeper.as_mut().filter(|_| !has_tokens && !conversation.is_compaction) {
        keeper.input = input_items(&body, &request.record.line.request_id)?;
    }
    (client.body, client.conversation) = (body, Arc::new(conversation));
    Ok(())
}

impl Call {
    /// Has the request pass the guardrails of a target: from then on all that leaves is what they let through.
    pub(super) async fn guard_request(&mut self, at: usize) -> Result<(), Failure> {
        let limit = self.deadline();
        let Some(guards) = &mut self.guards else { return Ok(()) };
        let Some(resolved) = self.targets.get(at) else { return Ok(()) };
        // Engines have time limits of their own, and the client's may end before.
        let passed = {
            let pass = guards.pass(&mut self.request, &resolved.target);
            match limit {
                Some(limit) if limit.at <= tokio::time::Instant::now() => None,
                Some(limit) => tokio::time::timeout_at(limit.at, pass).await.ok(),
                None => Some(pass.await),
            }
        };
        self.request.record.upstream_us += std::mem::take(&mut guards.waited).as_micros() as u64;
        let failure = |kind, error| Err(Failure { kind, error, retry_after: None });
        let Some(passed) = passed else {
            let (kind, length) = (FailureKind::RequestTimeout, limit.map(|limit| limit.length));
            return failure(kind, explain(kind, &resolved.provider, length));
        };
        match passed {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => failure(FailureKind::Denied, error),
            Ok(None) => {
                let message = "The guardrails have as many texts to look at as they take: try again shortly.";
                failure(FailureKind::Saturated, ErrorBody::new("api_error", "overloaded", message))
            }
            Err(bad) => {
                let error = ErrorBody::new("invalid_request_error", "invalid_request", bad.message);
                failure(FailureKind::Status(400), ErrorBody { param: bad.param, ..error })
            }
        }
    }

    /// Waits for the verdicts of engines that nothing has waited for, as long as the client waits.
    pub(in crate::request) async fn settle_guards(&mut self) {
        let limit = self.deadline().map(|limit| limit.at);
        let Some(guards) = self.guards.as_ref().filter(|guards| guards.output.has_pending()) else { return };
        let begun = Instant::now();
        guards.output.settle(limit).await;
        self.request.record.upstream_us += begun.elapsed().as_micros() as u64;
    }

    /// Whether its answers have values in them that only this request may see: they are not for the cache.
    pub(super) fn restores(&self) -> bool {
        self.guards.as_ref().is_some_and(|guards| guards.restores())
    }

    /// Whether a guardrail failed that neither denies nor only looks on (Portkey's 246).
    pub(in crate::request) fn has_failed_guardrail(&self) -> bool {
        self.guards.as_ref().is_some_and(|guards| guards.output.is_failed(self.request.stream))
    }

    /// The metadata of an answer with what came of the guardrails.
    pub(in crate::request) fn guarded_metadata(&self, metadata: String) -> String {
        match &self.guards {
            Some(guards) => guards.output.metadata(metadata),
            None => metadata,
        }
    }

    /// A whole chat answer with what came of the guardrails, as Portkey tells it.
    pub(in crate::request) fn with_hook_results(&self, body: Bytes) -> Bytes {
        let Some(guards) = self.guards.as_ref().filter(|_| self.request.strict != Some(true)) else { return body };
        let results = guards.output.hook_results().to_string();
        match JsonObject::parse(body.clone()) {
            Ok(object) => object.edited(&[("hook_results", &results)], &[]),
            Err(_) => body,
        }
    }

    /// Counts what came of the guardrails, and writes it down; `has_answer` tells that there was an answer to look at.
    pub(in crate::request) fn note_guards(&mut self, has_answer: bool) {
        let Some(guards) = self.guards.as_mut().filter(|guards| !guards.is_noted) else { return };
        guards.is_noted = true;
        let record = &mut self.request.record;
        let metrics = record.metrics().clone();
        let mut words = Vec::new();
        guards.output.each_side(|side, policy, tally| {
            if side == Side::Output && !has_answer {
                return;
            }
            for (kind, action, verdict) in outcomes(policy, tally) {
                metrics.guardrail_check(kind, action, verdict);
                words.push(format!("{} {kind} {verdict}", side.as_str()));
            }
            metrics.guardrails_ran(tally.spent);
            if side == Side::Output {
                metrics.guardrails_held(tally.held);
            }
        });
        record.line.guardrails = Some(words.join(", ")).filter(|words| !words.is_empty());
    }
}
