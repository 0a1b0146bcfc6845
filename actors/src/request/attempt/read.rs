//! Reading a whole answer, in whichever framing it comes.

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use gateway_wire::Dialect;
use gateway_wire::exchange::{Gathered, Input};
use gateway_wire::{WholeAnswer, dialect, formats, sse};
use http::header::CONTENT_TYPE;
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

/// All that a provider gave.
pub(super) enum Given<'a> {
    /// In one piece.
    Body(Bytes),
    /// As a stream.
    Gathered(Gathered<'a>),
}

impl Attempt<'_> {
    /// Reads a whole answer; one that comes as a stream is gathered.
    pub(super) async fn whole(
        &self,
        mut answer: UpstreamAnswer,
        noted: &mut ProviderNotes,
    ) -> Result<Given<'_>, Failure> {
        let is_chat = self.endpoint == Endpoint::Chat;
        if is_chat && is_event_stream(answer.header(CONTENT_TYPE)) {
            return self.gather(answer.body, noted).await;
        }
        let body = self.read_whole(&mut answer.body).await?;
        if is_chat && looks_like_stream(self.exchange.dialect, &body) {
            return self.gather(stream::iter([Ok(body)]), noted).await;
        }
        Ok(Given::Body(body))
    }

    /// A whole answer in the client's format, as its guardrails and their engines let it go: it is told again where
    /// engines had to be asked.
    pub(super) async fn judged(&self, given: Given<'_>, noted: &mut ProviderNotes) -> Result<WholeAnswer, Failure> {
        loop {
            let answer = self.told(&given, noted)?;
            let lacking = self.judges.filter(|judges| judges.lacks_verdicts() && answer.denied.is_none());
            let Some(judges) = lacking else { return Ok(answer) };
            match self.limit {
                Some(limit) => {
                    let asked = timeout_at(limit.at, judges.ask()).await;
                    asked.map_err(|_| self.failure(FailureKind::RequestTimeout))?;
                }
                None => judges.ask().await,
            }
        }
    }

    fn told(&self, given: &Given<'_>, noted: &mut ProviderNotes) -> Result<WholeAnswer, Failure> {
        let body = match given {
            Given::Body(body) => body,
            Given::Gathered(gathered) => return Ok(gathered.whole(self.exchange.guard())),
        };
        let parsed = match self.endpoint {
            Endpoint::Chat => self.exchange.whole(body.clone()),
            Endpoint::Embeddings { base64 } => {
                dialect::embeddings_answer(self.exchange.dialect, body.clone(), self.exchange.stamp, base64)
            }
            Endpoint::Moderations => dialect::passed_answer(body.clone()),
            Endpoint::Rerank => self.exchange.ranking(body.clone()),
        };
        parsed.map_err(|error| {
            noted.usage = formats::vendor(self.exchange.dialect).usage_in(body);
            self.broken(error)
        })
    }

    /// The next bytes of a body, within a limit for its silence.
    pub(super) async fn next(
        &self,
        body: &mut (impl Stream<Item = Result<Bytes, BrokenBody>> + Unpin),
        idle_ms: u64,
    ) -> Result<Option<Result<Bytes, BrokenBody>>, Failure> {
        // What is here already needs no limit, which would cost two looks at the clock.
        if let Poll::Ready(next) = poll_fn(|cx| Poll::Ready(body.poll_next_unpin(cx))).await {
            return Ok(next);
        }
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
    ) -> Result<Given<'_>, Failure> {
        let mut gathering = self.exchange.gathering();
        let (mut read, mut grace) = (0, None);
        loop {
            if gathering.is_complete() {
                grace.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
            }
            let next = match grace.or_else(|| after(Instant::now(), self.timeouts.idle_ms)) {
                Some(at) => timeout_at(at, body.next()).await,
                None => Ok(body.next().await),
            };
            let input = match next {
                Ok(Some(Ok(bytes))) => {
                    read += bytes.len();
                    Input::Bytes(bytes)
                }
                Ok(Some(Err(_))) => Input::Broken,
                Ok(None) => Input::End,
                Err(_) if grace.is_some() => Input::End,
                Err(_) => return Err(self.failure(FailureKind::IdleTimeout)),
            };
            if read > MAX_ANSWER_BYTES {
                return Err(self.failure(FailureKind::Broken));
            }
            match gathering.push(input) {
                Ok(true) => {
                    let gathered = gathering.gathered().map_err(|error| self.broken(error))?;
                    return Ok(Given::Gathered(gathered));
                }
                Ok(false) => {}
                Err(error) => {
                    noted.usage = gathering.usage();
                    return Err(self.broken(error));
                }
            }
        }
    }
}

/// Whether a content type names one JSON text.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    is_one_of(content_type, &["application/json", "application/problem+json"])
}

/// Whether a content type names a stream of events or lines.
fn is_event_stream(content_type: Option<&str>) -> bool {
    let streams = [
        "text/event-stream",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/stream+json",
    ];
    is_one_of(content_type, &streams)
}

fn is_one_of(content_type: Option<&str>, media_types: &[&str]) -> bool {
    let text = content_type.unwrap_or_default();
    let own = text.split(';').next().unwrap_or_default().trim();
    media_types.iter().any(|media_type| own.eq_ignore_ascii_case(media_type))
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
