//! `RouterActor`: one per HTTP worker thread; takes a request, chooses its chain, and sets the call going.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use foldhash::HashMap;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, Dialect, Endpoint, ServiceTier};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::call::{Call, CallGuards, ResolvedTarget};
use super::metering::RequestedTarget;
use super::pass_through::{PassThrough, PassThroughRequest};
use super::request_log::RequestRecord;
use super::reserve_budget::Budgets;
use super::stream::relay::Frames;
use super::translation::ClientRequest;
use crate::budgets::ledger::WrittenTogether;
use crate::cache::key::{Asked, CONVERSATION, CacheKey, Surroundings, cache_key};
use crate::cache::lookup::{AnswerCache, Lookup};
use crate::cache::policy::{CacheHeaders, CacheStatus, cache_policy};
use crate::cache::semantic::question::question;
use crate::failure::Failure;
use crate::guardrails::GuardrailRules;
use crate::keys::virtual_key::VirtualKey;
use crate::limits::admission::TokenHold;
use crate::money::amount::PicoUsd;
use crate::providers::catalogue::Catalogue;
use crate::providers::handle::ProviderHandle;
use crate::providers::resolve::{Hints, resolve};
use crate::providers::upstream::{Outbound, Upstream};
use crate::routing::aliases::Alias;
use crate::routing::{Chain, Plan, PlanContext, Target};
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;

/// How often connections that are no longer needed are given up.
const SPARE_CONNECTIONS_AFTER: Duration = Duration::from_secs(15);

/// What every worker's router knows; read only.
pub struct Routing {
    /// The configured providers.
    pub catalogue: Catalogue,
    /// Breaker, slots and retry budget of each provider, by name.
    pub providers: HashMap<String, ProviderHandle>,
    /// Budgets, prices and the usage log.
    pub budgets: Budgets,
    /// What was answered before.
    pub cache: Arc<AnswerCache>,
    /// What holds for the guardrails of all requests.
    pub guardrails: GuardrailRules,
    /// Attempts at providers for one client request, at most (E8).
    pub max_total_attempts: u32,
    /// The way to each provider, by name.
    pub outbound: std::collections::HashMap<String, Outbound>,
}

/// One client request, admitted and parsed.
pub struct RouteRequest {
    /// When the request began.
    pub arrived: DateTime<Utc>,
    /// The kind of question.
    pub endpoint: Endpoint,
    /// The body as the client sent it; of other formats than chat, the same as a chat body, which conditions, budgets and
    /// limits read.
    pub body: JsonObject,
    /// The request in the client's own format, where that is not chat.
    pub client: Option<Box<ClientRequest>>,
    /// The model that the client named.
    pub model: String,
    /// What stands behind that name, where it is an alias that serves.
    pub alias: Option<Arc<Alias>>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants the usage of its stream (C4).
    pub include_usage: bool,
    /// What the client's config, or the default one, asks for.
    pub plan: Arc<Plan>,
    /// The config of the key, whose guardrails hold also where the request follows another one.
    pub key_plan: Option<Arc<Plan>>,
    /// The virtual key.
    pub key: Arc<VirtualKey>,
    /// The `x-portkey-provider` header.
    pub provider_hint: Option<String>,
    /// The `x-portkey-metadata` header.
    pub metadata: Map<String, Value>,
    /// The client's headers, where the plan may ask for them.
    pub headers: Vec<(String, String)>,
    /// Whether the client asks for OpenAI's own fields alone; its config may say otherwise.
    pub strict: Option<bool>,
    /// The limit that the client sets with a header.
    pub request_timeout: Option<Duration>,
    /// The account of the request.
    pub record: Box<RequestRecord>,
    /// The tokens that the request took of limits, to be settled by what it uses.
    pub tokens: Option<Arc<TokenHold>>,
    /// What its headers say of the cache.
    pub cache: CacheHeaders,
}

/// How the answer was come by; told in headers.
#[derive(Clone, Debug, Default)]
pub struct ReplyHead {
    /// The provider that answered, or failed last.
    pub provider: Option<Arc<str>>,
    /// The place of its target in the config, such as `config.targets[1]`.
    pub option_index: String,
    /// Retries at that target: 0 none, n succeeded on the n-th, -1 exhausted.
    pub retry_count: i32,
    /// Parameters that the provider has no counterpart for (I6).
    pub dropped_params: Vec<String>,
    /// Output tokens that the answer may have, where a budget made them fewer than asked for.
    pub shortened_to: Option<u64>,
    /// What the answer cost, where it is known already.
    pub cost: Option<PicoUsd>,
    /// What became of the request's wish for the cache.
    pub cache: CacheStatus,
    /// The answer's name in the cache, where it was looked for there.
    pub cache_key: Option<CacheKey>,
    /// Seconds since a cached answer was given.
    pub age: Option<u64>,
    /// Whether a guardrail failed that does not deny (Portkey's 246).
    pub failed_guardrail: bool,
    /// Microseconds spent in the gateway itself so far.
    pub gateway_us: u64,
    /// Microseconds spent waiting for providers so far.
    pub upstream_us: u64,
}

impl ReplyHead {
    /// The status of a good answer.
    pub fn status(&self) -> u16 {
        if self.failed_guardrail { 246 } else { 200 }
    }
}

/// An answer on its way to the client.
#[derive(Debug)]
pub enum Reply {
    /// A whole answer, metadata included.
    Whole {
        /// How it was come by.
        head: ReplyHead,
        /// The JSON text.
        body: Bytes,
        /// What is to be dropped before any of it goes out.
        written: Option<WrittenTogether>,
    },
    /// A stream whose first content is here.
    Stream {
        /// How it was come by.
        head: ReplyHead,
        /// SSE frames; the channel closes at the end.
        frames: mpsc::Receiver<Frames>,
    },
}

/// A request that no target answered.
#[derive(Debug)]
pub struct RouteFailure {
    /// What was tried last.
    pub head: ReplyHead,
    /// Why it failed.
    pub failure: Failure,
    /// Attempts at providers that were made; without any the request costs no limit anything (E5).
    pub attempts: u32,
}

/// The outcome of a request; dropping the receiver cancels the request, whatever its stage (D6).
pub type Outcome = oneshot::Receiver<Result<Reply, RouteFailure>>;

/// Why a request cannot be routed at all.
#[derive(Debug)]
pub enum RouteError {
    /// The request, or its config, is wrong: 400.
    BadRequest(BadRequest),
    /// No branch of a conditional config fits: 400 in Portkey's words.
    NoTarget(String),
    /// The key may not use this provider or model: 403.
    Forbidden(String),
}

impl Message for Box<RouteRequest> {
    type Result = Result<Outcome, (RouteError, Box<RequestRecord>)>;
}

impl RouteRequest {
    /// The format that the client speaks.
    pub fn client_kind(&self) -> ClientKind {
        self.client.as_ref().map_or(ClientKind::Chat, |client| client.kind)
    }
}

/// One worker thread's router: owns the thread's provider connections and its calls under way.
pub struct RouterActor {
    routing: Arc<Routing>,
    upstreams: HashMap<String, Rc<Upstream>>,
    stats: Arc<ActorStats>,
}

impl RouterActor {
    /// A router for the current thread.
    pub fn new(routing: Arc<Routing>, stats: Arc<ActorStats>) -> Self {
        let entries = routing.catalogue.entries().filter(|entry| entry.settings.dialect != Dialect::Simulator);
        let upstream = |entry: &crate::providers::catalogue::ProviderEntry| {
            let outbound = routing.outbound.get(&entry.name)?;
            Some((entry.name.clone(), Rc::new(Upstream::new(&entry.settings, outbound))))
        };
        let upstreams = entries.filter_map(upstream).collect();
        Self { routing, upstreams, stats }
    }

    fn call(&self, request: Box<RouteRequest>) -> Result<Call, (RouteError, Box<RequestRecord>)> {
        let chain = {
            let header = |name: &str| {
                let found = request.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            let context = PlanContext {
                metadata: &request.metadata,
                params: &request.body,
                header: &header,
                pathname: request.record.line.path,
                now: request.arrived.into(),
            };
            let is_open = |target: &Target| {
                let Ok((provider, model)) = self.provider_of(&request, target) else { return false };
                self.routing.providers.get(&provider).is_some_and(|handle| handle.is_open(&model, Instant::now()))
            };
            request.plan.chain(&context, &mut rand::random::<f64>, &is_open)
        };
        let chain = match chain {
            Ok(chain) => chain,
            Err(error) => return Err((RouteError::NoTarget(error.to_string()), request.record)),
        };
        let targets: Result<Vec<ResolvedTarget>, RouteError> =
            chain.steps.iter().map(|step| self.resolve(&request, &step.target)).collect();
        match targets {
            Ok(targets) => {
                let requested = self.requested(&request, &targets);
                let guards = CallGuards::new(&request, &chain, &self.routing.guardrails);
                let lookup = if guards.is_some() { None } else { lookup(&request, &chain) };
                Ok(Call { request, chain, targets, requested, lookup, guards, routing: self.routing.clone() })
            }
            Err(error) => Err((error, request.record)),
        }
    }

    /// A request that is to be passed through, with what its attempt needs; none where its provider has no connections.
    fn pass_through(&self, mut request: Box<PassThroughRequest>) -> Option<PassThrough> {
        let name = request.provider.clone();
        let entry = self.routing.catalogue.get(&name)?;
        let (handle, upstream) = (self.routing.providers.get(&*name)?.clone(), self.upstreams.get(&*name)?.clone());
        let own = request.key.real_api_key.as_ref().filter(|_| request.key.provider.as_deref() == Some(&*name));
        let credential = own.or(entry.api_key.as_ref()).cloned();
        let not_ready = if credential.is_some() { None } else { entry.why_not_ready.clone() };
        let record = &mut request.record;
        record.reopen();
        record.answers_prove = true;
        if let Some(question) = &request.question {
            record.model_is_known = self.routing.budgets.ledger.prices.load().names(&name, &question.model);
        }
        Some(PassThrough { request, routing: self.routing.clone(), handle, upstream, credential, not_ready })
    }

    /// The most output tokens of a model, where its price tells.
    fn max_output_tokens(&self, provider: &str, model: &str, now: DateTime<Utc>) -> Option<u64> {
        let prices = self.routing.budgets.ledger.prices.load();
        prices.find(provider, model, ServiceTier::Default, now)?.max_output_tokens
    }

    /// The provider that a target means, and the model that it is asked for.
    fn provider_of(&self, request: &RouteRequest, target: &Target) -> Result<(String, String), BadRequest> {
        let hints = Hints { header: request.provider_hint.as_deref(), key: request.key.provider.as_deref() };
        let (provider, model) = match request.alias.as_ref().and_then(|alias| alias.stand_in(target)) {
            Some((provider, model)) => (Some(provider), model),
            None => (target.provider.as_deref(), target.model().unwrap_or(&request.model)),
        };
        resolve(provider, model, hints, &self.routing.catalogue)
    }

    /// What the client asked for, where a target names another provider or model: the provider that the model would have
    /// gone to, or that of the first target where none is known for it.
    fn requested(&self, request: &RouteRequest, targets: &[ResolvedTarget]) -> Option<RequestedTarget> {
        let names_own = |of: &ResolvedTarget| of.target.provider.is_some() || of.target.model().is_some();
        if !targets.iter().any(names_own) {
            return None;
        }
        // What an alias's config chooses is what was asked for.
        if let Some(Alias::Config(_)) = request.alias.as_deref() {
            return None;
        }
        let (provider, model) = self
            .provider_of(request, &Target::default())
            .ok()
            .or_else(|| Some((targets.first()?.provider.to_string(), request.model.clone())))?;
        Some(RequestedTarget { provider, model })
    }

    fn resolve(&self, request: &RouteRequest, target: &Arc<Target>) -> Result<ResolvedTarget, RouteError> {
        let key = &request.key;
        let catalogue = &self.routing.catalogue;
        let (provider, model) = self.provider_of(request, target).map_err(RouteError::BadRequest)?;
        if !key.allows_provider(&provider) {
            return Err(RouteError::Forbidden(format!("This key may not use the provider '{provider}'.")));
        }
        let alias = request.alias.as_ref().filter(|alias| alias.serves(target));
        if alias.is_some() && !key.allows_alias(&request.model) {
            return Err(RouteError::Forbidden(format!("This key may not use the model '{}'.", request.model)));
        }
        if alias.is_none() && !key.allows_model(&provider, &model, &|name| catalogue.get(name).is_some()) {
            let message = format!("This key may not use the model '{model}' of '{provider}'.");
            return Err(RouteError::Forbidden(message));
        }
        let (Some(entry), Some(handle)) = (catalogue.get(&provider), self.routing.providers.get(&provider)) else {
            let message = format!("The provider '{provider}' is not configured.");
            return Err(RouteError::BadRequest(BadRequest::new("provider", message)));
        };
        let own = key.real_api_key.as_ref().filter(|_| key.provider.as_deref() == Some(&provider));
        let credential = target.api_key.as_ref().or(own).or(entry.api_key.as_ref()).cloned();
        Ok(ResolvedTarget {
            target: target.clone(),
            provider: Arc::from(provider.as_str()),
            max_output_tokens: self.max_output_tokens(&provider, &model, request.arrived),
            model,
            not_ready: if credential.is_some() { None } else { entry.why_not_ready.clone() },
            credential,
            handle: handle.clone(),
            upstream: self.upstreams.get(&provider).cloned(),
        })
    }
}

/// What to look for in the cache, where the request wants that.
pub(super) fn lookup(request: &RouteRequest, chain: &Chain) -> Option<Box<Lookup>> {
    let rule = chain.steps.first().and_then(|step| step.target.cache.as_ref());
    let cache_policy = cache_policy(rule, &request.cache)?;
    let key = &request.key;
    let tenant = key.tenant();
    let mut plan = request.plan.fingerprint().to_owned();
    // What chose the target is not in the body; of a load balance any target's answer will do.
    if request.plan.is_conditional() {
        chain.steps.iter().for_each(|step| plan.push_str(&step.target.path));
    }
    // What is forwarded reaches the provider as the body does.
    for name in chain.steps.iter().flat_map(|step| &step.target.forward_headers) {
        let sent = request.headers.iter().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        sent.for_each(|(_, value)| plan.push_str(&format!("\n{}: {value}", name.to_ascii_lowercase())));
    }
    for hint in [&request.provider_hint, &key.provider, &request.strict.map(|strict| strict.to_string())] {
        plan.push('\n');
        plan.push_str(hint.as_deref().unwrap_or_default());
    }
    if let Some(Alias::Target { provider, model }) = request.alias.as_deref() {
        plan.push_str(&format!("\nalias: {provider}/{model}"));
    }
    // What reaches only vendors of the client's own family.
    for (name, value) in request.client.iter().flat_map(|client| &client.headers) {
        plan.push_str(&format!("\n{name}: {value}"));
    }
    let is_chat = request.endpoint == Endpoint::Chat;
    let endpoint = if is_chat { CONVERSATION } else { request.record.line.path };
    let around = Surroundings { tenant: &tenant, namespace: &cache_policy.namespace, endpoint, plan: &plan };
    let asked = match &request.client {
        // What is sealed is for this one conversation.
        Some(client) if client.conversation.is_compaction => return None,
        Some(client) => Some(Asked::of(&client.conversation)?),
        None => None,
    };
    let key = match &asked {
        Some(asked) => asked.key(around)?,
        None => cache_key(around, &request.body)?,
    };
    let by_meaning = cache_policy.by_meaning && is_chat;
    let question = match &asked {
        _ if !by_meaning => None,
        Some(Asked::AsChat(body)) => question(around, body),
        Some(Asked::Beyond(_)) => None,
        None => question(around, &request.body),
    };
    Some(Box::new(Lookup::new(key, tenant, cache_policy, question)))
}

impl Actor for RouterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SPARE_CONNECTIONS_AFTER, |router, _| {
            router.upstreams.values().for_each(|upstream| upstream.close_spare_connections());
        });
    }
}

takes_parcels!(RouterActor);

impl Handler<Box<PassThroughRequest>> for RouterActor {
    type Result = MessageResult<Box<PassThroughRequest>>;

    fn handle(&mut self, request: Box<PassThroughRequest>, _: &mut Context<Self>) -> Self::Result {
        let handling = self.stats.handling();
        let (reply, outcome) = oneshot::channel();
        match self.pass_through(request) {
            Some(call) => drop(actix::spawn(call.run(reply))),
            None => handling.fail("a request to no provider was to be passed through"),
        }
        MessageResult(outcome)
    }
}

impl Handler<Box<RouteRequest>> for RouterActor {
    type Result = Result<Outcome, (RouteError, Box<RequestRecord>)>;

    fn handle(&mut self, mut request: Box<RouteRequest>, _: &mut Context<Self>) -> Self::Result {
        let handling = self.stats.handling();
        request.record.reopen();
        let mut call = self.call(request).inspect_err(|_| handling.fail("a request could not be routed"))?;
        let (reply, outcome) = oneshot::channel();
        match call.at_hand() {
            Some(answer) => call.deliver(reply, Ok(answer)),
            None => {
                // Boxed, as a task is moved where it is spawned, and again at its end.
                actix::spawn(Box::pin(call.run(reply)));
            }
        }
        Ok(outcome)
    }
}
