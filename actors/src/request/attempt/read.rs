//! Reading a whole answer, in whichever framing it comes.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use gateway_wire::Dialect;
use gateway_wire::framing::StreamCollector;
use gateway_wire::{WholeAnswer, dialect, sse};
use serde::de::IgnoredAny;
use tokio::time::{Instant, timeout_at};

use super::{Attempt, Endpoint, ProviderNotes, after};
use crate::failure::{Failure, FailureKind};
use crate::providers::upstream::{BrokenBody, UpstreamAnswer};
use crate::request::stream::relay::END_TIMEOUT;

/// The largest whole answer that is taken from a provider.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How an event of a stream can begin.
const EVENT_BEGINNINGS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

impl Attempt<'_> {
    /// Reads a whole answer; one that comes as a stream is gathered.
    pub(super) async fn whole(
        &self,
        mut answer: UpstreamAnswer,
        noted: &mut ProviderNotes,
    ) -> Result<WholeAnswer, Failure> {
        let is_chat = self.endpoint == Endpoint::Chat;
        if is_chat && is_event_stream(answer.header("content-type")) {
            return self.gather(answer.body, noted).await;
        }
        let body = self.read_whole(&mut answer.body).await?;
        if is_chat && looks_like_stream(self.dialect, &body) {
            return self.gather(stream::iter([Ok(body)]), noted).await;
        }
        let parsed = match self.endpoint {
            Endpoint::Chat => dialect::chat_answer(self.dialect, body.clone(), self.stamp),
            Endpoint::Embeddings { base64 } => {
                dialect::embeddings_answer(self.dialect, body.clone(), self.stamp, base64)
            }
        };
        parsed.map_err(|error| {
            noted.usage = dialect::usage_in(self.dialect, &body);
            self.broken(error)
        })
    }

    /// The next bytes of a body, within a limit for its silence.
    pub(super) async fn next(
        &self,
        body: &mut (impl Stream<Item = Result<Bytes, BrokenBody>> + Unpin),
        idle_ms: u64,
    ) -> Result<Option<Result<Bytes, BrokenBody>>, Failure> {
        match after(Instant::now(), idle_ms) {
            Some(at) => timeout_at(at, body.next()).await.map_err(|_| self.failure(FailureKind::IdleTimeout)),
            None => Ok(body.next().await),
        }
    }

    async fn read_whole(
        &self,
        body: &mut (impl Stream<Item = Result<Bytes, BrokenBody>> + Unpin),
    ) -> Result<Bytes, Failure> {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        loop {
            match self.next(body, self.timeouts.idle_ms).await? {
                None => {
                    let whole = if rest.is_empty() { first } else { rest.freeze() };
                    return Ok(if whole.starts_with(sse::BOM) { whole.slice(sse::BOM.len()..) } else { whole });
                }
                Some(Err(_)) => return Err(self.failure(FailureKind::Broken)),
                // Most answers come in one piece, which is then not copied.
                Some(Ok(bytes)) if first.is_empty() && rest.is_empty() => first = bytes,
                Some(Ok(bytes)) => {
                    if rest.is_empty() {
                        rest.extend_from_slice(&first);
                    }
                    rest.extend_from_slice(&bytes);
                    if rest.len() > MAX_ANSWER_BYTES {
                        return Err(self.failure(FailureKind::Broken));
                    }
                }
            }
        }
    }

    /// Puts the events of a stream together to the answer that they make.
    async fn gather(
        &self,
        mut body: impl Stream<Item = Result<Bytes, BrokenBody>> + Unpin,
        noted: &mut ProviderNotes,
    ) -> Result<WholeAnswer, Failure> {
        let mut decoder = dialect::chat_stream(self.dialect, self.stamp);
        let (mut gathered, mut events, mut read) = (StreamCollector::default(), Vec::new(), 0);
        let mut grace = None;
        loop {
            if decoder.is_complete() {
                grace.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
            }
            let next = match grace.or_else(|| after(Instant::now(), self.timeouts.idle_ms)) {
                Some(at) => timeout_at(at, body.next()).await,
                None => Ok(body.next().await),
            };
            match next {
                Ok(Some(Ok(bytes))) => {
                    read += bytes.len();
                    decoder.push(bytes, &mut events);
                }
                Ok(Some(Err(_))) => decoder.broken(&mut events),
                Ok(None) => decoder.finish(&mut events),
                Err(_) if grace.is_some() => decoder.finish(&mut events),
                Err(_) => return Err(self.failure(FailureKind::IdleTimeout)),
            }
            if read > MAX_ANSWER_BYTES {
                return Err(self.failure(FailureKind::Broken));
            }
            for event in events.drain(..) {
                match gathered.push(event) {
                    Ok(true) => return gathered.whole().map_err(|error| self.broken(error)),
                    Ok(false) => {}
                    Err(error) => {
                        noted.usage = gathered.usage();
                        return Err(self.broken(error));
                    }
                }
            }
        }
    }
}

/// Whether a content type names one JSON text.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    matches!(media_type(content_type).as_str(), "application/json" | "application/problem+json")
}

/// Whether a content type names a stream of events or lines.
fn is_event_stream(content_type: Option<&str>) -> bool {
    matches!(
        media_type(content_type).as_str(),
        "text/event-stream"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/stream+json"
    )
}

fn media_type(content_type: Option<&str>) -> String {
    let text = content_type.unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether an answer is a stream by its looks, for vendors that do not say so.
fn looks_like_stream(dialect: Dialect, body: &[u8]) -> bool {
    let text = body.trim_ascii_start();
    match dialect {
        // Lines of JSON, of which a whole answer is one.
        Dialect::Ollama => text.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(text).is_err(),
        _ => EVENT_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)),
    }
}
