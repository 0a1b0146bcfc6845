//! Answers a request from the cache.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gateway_wire::clients::ReplyContext;
use gateway_wire::guarding::{AnswerGuard, ChunkGuard, guarded_chat};
use gateway_wire::json_object::json_string;
use gateway_wire::{ErrorBody, StreamEvent, Usage, openai, sse};
use tokio::sync::mpsc;

use super::call::{Call, CallGuards};
use super::metering::{RowStart, unfinished};
use super::router::{Reply, ReplyHead, RouteFailure};
use super::stream::relay::Frames;
use crate::cache::entry::{CacheEntry, Retold};
use crate::cache::lookup::{CacheHit, seconds};
use crate::cache::policy::CacheStatus;
use crate::failure::{Failure, FailureKind};
use crate::guardrails::DENIED;
use crate::money::amount::PicoUsd;

impl Call {
    /// The answer that this process has stored, if it has: no task is worth its while then.
    pub(crate) fn at_hand(&mut self) -> Option<Reply> {
        let found = self.routing.cache.at_hand(self.lookup.as_mut()?)?;
        self.answer_from_cache(&found)?.ok()
    }

    /// The stored answer as this request wants it, and its account: it costs nothing, and saves what it had cost (F7).
    /// None where what is stored makes no sense.
    pub(crate) fn answer_from_cache(&mut self, found: &CacheHit) -> Option<Result<Reply, RouteFailure>> {
        let entry = &*found.entry;
        let status = if found.similarity.is_some() { CacheStatus::SemanticHit } else { CacheStatus::Hit };
        let reply = match self.told(found)? {
            Ok(reply) => reply,
            Err(error) => return Some(Err(self.denied_hit(found, error))),
        };
        self.note_guards(true);
        let failed_guardrail = self.has_failed_guardrail();
        let provider: Arc<str> = entry.provider.as_str().into();
        let record = &mut self.request.record;
        record.line.provider = Some(provider.clone());
        record.line.model = Some(entry.model.clone());
        record.line.cache = Some(status.as_str());
        record.model_is_known = self.routing.budgets.ledger.prices.load().names(&entry.provider, &entry.model);
        record.finish(if failed_guardrail { 246 } else { 200 }, None);
        let (gateway_us, upstream_us) = record.spent_us();
        self.book_hit(entry, &provider);
        self.routing.cache.count(status);
        let head = ReplyHead {
            provider: Some(provider),
            cost: Some(PicoUsd::default()),
            cache: status,
            cache_key: Some(found.key),
            age: Some(entry.age(seconds())),
            failed_guardrail,
            gateway_us,
            upstream_us,
            ..ReplyHead::default()
        };
        Some(Ok(match reply {
            CachedPayload::Whole(body) => Reply::Whole { head, body, written: None },
            CachedPayload::Stream(frames) => {
                let (client, received) = mpsc::channel(1);
                // There is room for one.
                let _sent = client.try_send(Frames { bytes: frames, is_end: true });
                Reply::Stream { head, frames: received }
            }
        }))
    }

    /// Has outside engines judge a stored answer, where guardrails ask some, and waits for what they say of the request.
    pub(crate) async fn judge_hit(&mut self, found: &CacheHit) {
        let limit = self.deadline().map(|limit| limit.at);
        let Some(guards) = self.guards.as_deref().map(|guards| &guards.output) else { return };
        let begun = Instant::now();
        for _ in 0..guards.passes().max(2) {
            drop(self.retold(found));
            if !guards.has_pending_answer() {
                break;
            }
            guards.ask().await;
        }
        guards.settle(limit).await;
        self.request.record.upstream_us += begun.elapsed().as_micros() as u64;
    }

    /// The same for the stored answer that stands in for a fresh one, once nobody gave one.
    pub(crate) async fn settle_failed(&mut self) {
        self.settle_guards().await;
        let shadowed = self.lookup.as_mut().and_then(|lookup| lookup.shadowed.take());
        if let Some(shadowed) = shadowed {
            self.judge_hit(&shadowed.found).await;
            if let Some(lookup) = &mut self.lookup {
                lookup.shadowed = Some(shadowed);
            }
        }
    }

    /// A stored answer that a guardrail denies.
    fn denied_hit(&mut self, found: &CacheHit, error: ErrorBody) -> RouteFailure {
        self.note_guards(true);
        let status = if found.similarity.is_some() { CacheStatus::SemanticHit } else { CacheStatus::Hit };
        let record = &mut self.request.record;
        record.line.cache = Some(status.as_str());
        record.finish(FailureKind::Denied.status(), Some(DENIED));
        let head = ReplyHead { cache: status, cache_key: Some(found.key), ..ReplyHead::default() };
        let failure = Failure { kind: FailureKind::Denied, error, retry_after: None };
        RouteFailure { head, failure, attempts: 0 }
    }

    /// What the client gets, in its own format; only chat has a place for metadata.
    fn told(&self, found: &CacheHit) -> Option<Result<CachedPayload, ErrorBody>> {
        let request = &*self.request;
        let body = match self.retold(found)? {
            Err(error) => return Some(Err(error)),
            Ok(StoredAnswer::Own(Retold { body, replay })) => {
                // What the client may go on from has a name and a record of its own.
                match request.client.as_ref().and_then(|client| client.keeper.as_ref()) {
                    Some(keeper) if request.stream => keeper.keep_streamed(&body, replay),
                    Some(keeper) => keeper.keep_whole(&body, replay),
                    None => {}
                }
                body
            }
            Ok(StoredAnswer::Chunks(frames)) => {
                streamed(frames, &self.guarded_metadata(metadata(found)), request.include_usage)
            }
            Ok(StoredAnswer::Chat(whole)) => {
                let whole = openai::with_metadata(&whole, &self.guarded_metadata(metadata(found)));
                self.with_hook_results(whole)
            }
        };
        Some(Ok(if request.stream { CachedPayload::Stream(body) } else { CachedPayload::Whole(body) }))
    }

    /// The stored answer as its guard lets it go.
    fn retold(&self, found: &CacheHit) -> Option<Result<StoredAnswer, ErrorBody>> {
        let (request, entry) = (&*self.request, &*found.entry);
        let guard = self.guards.as_deref().and_then(CallGuards::source).map(|guards| guards.guard());
        let Some(client) = &request.client else {
            if request.stream {
                return Some(guarded_frames(entry, guard)?.map(StoredAnswer::Chunks));
            }
            let whole = entry.whole()?;
            let told = guard.map_or(Ok(whole.clone()), |mut guard| guarded_chat(&whole, &mut *guard).1);
            return Some(told.map(StoredAnswer::Chat));
        };
        let context = ReplyContext {
            request_id: &request.record.line.request_id,
            conversation: &client.conversation,
            now: seconds(),
            input_estimate: None,
            strict: request.strict.unwrap_or(false),
            sealer: client.sealer.as_ref(),
        };
        Some(entry.told(client.kind, request.stream, &context, guard)?.map(StoredAnswer::Own))
    }

    /// The stored answer that a fresh one was to check, and for which nobody gave one: a check costs no client its answer.
    pub(crate) fn answer_from_shadow(&mut self) -> Option<Result<Reply, RouteFailure>> {
        let shadowed = self.lookup.as_mut()?.shadowed.take()?;
        let cached = self.answer_from_cache(&shadowed.found);
        if cached.is_none() {
            self.routing.cache.count(CacheStatus::SemanticMiss);
        }
        cached
    }

    fn book_hit(&self, entry: &CacheEntry, provider: &Arc<str>) {
        let ledger = &self.routing.budgets.ledger;
        if !ledger.log_unbudgeted {
            return;
        }
        let line = &self.request.record.line;
        let known = RowStart {
            trace_id: &line.trace_id,
            request_id: &line.request_id,
            key: &self.request.key,
            provider,
            model: &entry.model,
            endpoint: line.path,
            attempt: 0,
            stream: self.request.stream,
            is_charged: false,
            now: self.request.arrived,
        };
        let mut row = unfinished(ledger, known);
        row.status = "cache_hit".into();
        row.cost = Some(0);
        row.baseline_cost = entry.cost;
        row.duration_ms = i64::try_from(self.request.record.started().elapsed().as_millis()).unwrap_or(i64::MAX);
        ledger.book(row);
    }
}

/// A stored answer without what the gateway adds to it.
enum StoredAnswer {
    /// In a client's own format.
    Own(Retold),
    /// As chat chunks.
    Chunks(StoredFrames),
    /// As a whole chat answer.
    Chat(Bytes),
}

enum CachedPayload {
    Whole(Bytes),
    Stream(Bytes),
}

/// The framed chunks of a stored answer, and the text of the chunk that tells its usage.
type StoredFrames = (Vec<Bytes>, Option<Bytes>);

/// The chunks of a stored answer as a guard lets them go.
fn guarded_frames(entry: &CacheEntry, guard: Option<Box<dyn AnswerGuard>>) -> Option<Result<StoredFrames, ErrorBody>> {
    let (frames, usage) = entry.stream()?;
    let Some(guard) = guard else { return Some(Ok((frames, usage))) };
    let (mut chunks, mut events) = (ChunkGuard::new(guard), Vec::new());
    frames
        .into_iter()
        .for_each(|frame| chunks.take(StreamEvent::Chunk { frame, content: true, text: None }, &mut events));
    if let Some(chunk) = usage {
        chunks.take(StreamEvent::Usage { usage: Usage::default(), chunk }, &mut events);
    }
    chunks.take(StreamEvent::Done, &mut events);
    let (mut told, mut usage) = (Vec::new(), None);
    for event in events {
        match event {
            StreamEvent::Chunk { frame, .. } | StreamEvent::Framed { frame, .. } => told.push(frame),
            StreamEvent::Denied(error) | StreamEvent::Error(error) => return Some(Err(error)),
            StreamEvent::Usage { chunk, .. } => usage = Some(chunk),
            StreamEvent::Done => {}
        }
    }
    Some(Ok((told, usage)))
}

fn streamed((frames, usage): StoredFrames, metadata: &str, include_usage: bool) -> Bytes {
    let mut payload = BytesMut::new();
    frames.iter().for_each(|frame| payload.extend_from_slice(frame));
    if let Some(usage) = usage.filter(|_| include_usage) {
        payload.extend_from_slice(&sse::frame(&openai::with_metadata(&usage, metadata)));
    }
    payload.extend_from_slice(&sse::DONE);
    payload.freeze()
}

fn metadata(found: &CacheHit) -> String {
    let entry = &*found.entry;
    let mut text = String::with_capacity(96);
    text.extend([r#"{"cache_hit":true,"provider":"#, &json_string(&entry.provider), r#","cost_usd":0,"saved_usd":"#]);
    match entry.saved() {
        Some(saved) => saved.push_to(&mut text),
        None => text.push_str("null"),
    }
    if let Some(similarity) = found.similarity {
        text.push_str(&format!(r#","similarity":{similarity:.4},"cache_key":"{}""#, found.key.to_hex()));
    }
    text.push('}');
    text
}
