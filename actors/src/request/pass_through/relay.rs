//! An answer's body on its way to the client, with an eye on what it counts.

use std::future::pending;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_wire::sse::SseDecoder;
use gateway_wire::{Dialect, Usage};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::{BrokenOff, PassThrough, told};
use crate::failure::FailureKind;
use crate::providers::handle::AttemptPermit;
use crate::providers::upstream::{UpstreamAnswer, UpstreamBody};
use crate::request::metering::Metering;
use crate::secret::Secret;

/// The most of a JSON answer that is kept to be read.
const MAX_READ_BYTES: usize = 16 << 20;

/// The largest error that is read, for the credential to be hidden in it.
const MAX_ERROR_BYTES: usize = 256 << 10;

/// How long an error may take.
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);

/// How a body ended.
enum End {
    Whole,
    /// The reservation is used up: the provider does not keep to its limit (B1).
    UsedUp,
    Broken(FailureKind),
    ClientLeft,
}

/// One answer under way.
pub(super) struct Relay {
    call: PassThrough,
    permit: Option<AttemptPermit>,
    metering: Option<Metering>,
    client: mpsc::Sender<Result<Bytes, BrokenOff>>,
}

/// What reads an answer as it passes.
enum Reader {
    /// Nothing is to be read.
    None,
    /// A JSON text, kept to its end.
    Json(BytesMut),
    /// Events.
    Events { decoder: SseDecoder, usage: Option<Usage> },
}

impl Relay {
    pub(super) fn new(
        call: PassThrough,
        permit: AttemptPermit,
        metering: Option<Metering>,
        client: mpsc::Sender<Result<Bytes, BrokenOff>>,
    ) -> Self {
        Self { call, permit: Some(permit), metering, client }
    }

    /// Relays the body to its end, and books what is known.
    pub(super) async fn run(mut self, mut answer: UpstreamAnswer) {
        let status = answer.status;
        if status >= 400 {
            return self.error(status, &mut answer.body).await;
        }
        let content_type = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let mut reader = match &self.metering {
            Some(_) if content_type.starts_with("text/event-stream") => {
                Reader::Events { decoder: SseDecoder::default(), usage: None }
            }
            Some(_) if content_type.starts_with("application/json") => Reader::Json(BytesMut::new()),
            _ => Reader::None,
        };
        let begun = std::time::Instant::now();
        let end = self.pump(answer.body, &mut reader).await;
        self.call.request.record.upstream_us += begun.elapsed().as_micros() as u64;
        self.finish(end, status, reader).await;
    }

    async fn pump(&mut self, mut body: UpstreamBody, reader: &mut Reader) -> End {
        let timeouts = self.call.handle.settings().timeouts;
        let after = |millis: u64| (millis > 0).then(|| Instant::now() + Duration::from_millis(millis));
        let total = after(timeouts.total_ms);
        loop {
            let idle = after(timeouts.idle_ms);
            let next = tokio::select! {
                biased;
                next = body.next() => next,
                () = self.client.closed() => return End::ClientLeft,
                () = reached(total) => return End::Broken(FailureKind::TotalTimeout),
                () = reached(idle) => return End::Broken(FailureKind::IdleTimeout),
            };
            let bytes = match next {
                None => return End::Whole,
                Some(Err(_)) => return End::Broken(FailureKind::Broken),
                Some(Ok(bytes)) => bytes,
            };
            let is_used_up = reader.read(&bytes, self.call.handle.settings().dialect, self.metering.as_mut()).await;
            let sent = tokio::select! {
                biased;
                sent = self.client.send(Ok(bytes)) => sent.is_ok(),
                // A client that takes nothing for as long has left.
                () = reached(after(timeouts.idle_ms)) => false,
            };
            match (sent, is_used_up) {
                (false, _) => return End::ClientLeft,
                (true, true) => return End::UsedUp,
                (true, false) => {}
            }
        }
    }

    /// Relays an error, with the credential hidden in it (H1).
    async fn error(mut self, status: u16, body: &mut UpstreamBody) {
        let mut text = BytesMut::new();
        let read = async {
            while let Some(Ok(bytes)) = body.next().await {
                text.extend_from_slice(&bytes);
                if text.len() > MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        let in_time = timeout(ERROR_TIMEOUT, read).await.is_ok();
        if let Some(mut metering) = self.metering.take() {
            match told::usage_in(self.call.handle.settings().dialect, &text) {
                Some(usage) => {
                    let (usage, cost) = metering.settle_reported(&usage, None, "error").await;
                    self.call.request.record.metered(&usage, cost);
                }
                None => metering.release(),
            }
        }
        if let Some(permit) = self.permit.take() {
            permit.failed(FailureKind::Status(status));
        }
        let record = &mut self.call.request.record;
        record.line.cause = Some(FailureKind::Status(status).as_str());
        record.finish(status, Some("error"));
        let shown = hidden(text.freeze(), self.call.credential.as_ref());
        let Self { call, client, .. } = self;
        drop(call);
        if client.send(Ok(shown)).await.is_err() || !in_time {
            log::debug!("an error was not told to its end");
        }
    }

    /// Books what was counted, before the client sees the end.
    async fn finish(mut self, end: End, status: u16, reader: Reader) {
        let word = match end {
            End::Whole | End::UsedUp => "success",
            End::Broken(_) => "error",
            // Dropped, the metering counts what there is (C5), and the record tells that its client left.
            End::ClientLeft => return,
        };
        if let Some(mut metering) = self.metering.take() {
            let settled = match (reader.usage(self.call.handle.settings().dialect), &end) {
                (Some(usage), End::Whole) => Some(metering.settle_reported(&usage, None, word).await),
                (Some(usage), _) => Some(metering.settle_at_least(&usage, word).await),
                // Of what is no known kind of question the gateway cannot count the answer.
                (None, _) if !self.is_counted() => {
                    metering.release();
                    None
                }
                (None, _) => metering.settle_counted(word).await,
            };
            if let Some((usage, cost)) = settled {
                self.call.request.record.metered(&usage, cost);
            }
        }
        let record = &mut self.call.request.record;
        let Some(permit) = self.permit.take() else { return };
        let is_broken = match end {
            End::Broken(kind) => {
                permit.failed(kind);
                record.line.cause = Some(kind.as_str());
                record.finish(status, Some("stream_broken"));
                true
            }
            End::UsedUp => {
                permit.succeeded();
                record.finish(status, None);
                true
            }
            _ => {
                permit.succeeded();
                record.finish(status, None);
                false
            }
        };
        let Self { call, client, .. } = self;
        drop(call);
        if is_broken && client.send(Err(BrokenOff)).await.is_err() {
            log::debug!("a client left as its answer broke off");
        }
    }

    fn is_counted(&self) -> bool {
        self.call.request.question.as_ref().is_some_and(|question| question.endpoint.is_some())
    }
}

impl Reader {
    /// Takes in a piece, and tells whether the output that is reserved is used up.
    async fn read(&mut self, bytes: &Bytes, dialect: Dialect, metering: Option<&mut Metering>) -> bool {
        match self {
            Self::None => false,
            Self::Json(text) => {
                if text.len() + bytes.len() <= MAX_READ_BYTES {
                    text.extend_from_slice(bytes);
                }
                false
            }
            Self::Events { decoder, usage } => {
                let mut events = Vec::new();
                if decoder.push(bytes.clone(), &mut events).is_err() {
                    *self = Self::None;
                    return false;
                }
                let Some(metering) = metering else { return false };
                metering.first_token();
                let mut is_used_up = false;
                for event in events {
                    if let Some(counted) = told::usage_in(dialect, &event.data) {
                        *usage = Some(usage.map_or(counted, |known| told::joined(known, counted)));
                    }
                    let text = told::text_in(&event.data);
                    is_used_up |= metering.is_used_up_by(&event.data, text.as_deref()).await;
                }
                is_used_up
            }
        }
    }

    fn usage(&self, dialect: Dialect) -> Option<Usage> {
        match self {
            Self::None => None,
            Self::Json(text) => told::usage_in(dialect, text),
            Self::Events { usage, .. } => *usage,
        }
    }
}

/// A text without the credential that some providers repeat.
fn hidden(text: Bytes, credential: Option<&Secret>) -> Bytes {
    let credential = credential.map(Secret::expose).filter(|secret| !secret.is_empty());
    match (credential, std::str::from_utf8(&text)) {
        (Some(credential), Ok(words)) if words.contains(credential) => Bytes::from(words.replace(credential, "***")),
        _ => text,
    }
}

/// Waits for an instant, for ever where there is none.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
