//! The rest of a stream: from the provider, through the decoder, to the client.

use std::future::pending;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::attempt::{OpenStream, explain, redacted};
use crate::failure::FailureKind;
use crate::secret::Secret;
use crate::upstream::UpstreamBody;
use crate::wire::{ErrorBody, StreamEvent, Usage, openai, sse};

/// How long a finished answer's connection may take to close, so that it can be used again.
const DRAIN: Duration = Duration::from_secs(1);

/// How a stream ended.
#[derive(Debug)]
pub enum StreamEnd {
    /// Its terminal event was passed on.
    Complete,
    /// It broke off, and an error event was passed on.
    Broken(FailureKind, ErrorBody),
    /// The client left.
    ClientLeft,
}

/// Counts what a stream consumes.
pub trait Meter {
    /// A framed chunk passes.
    fn chunk(&mut self, frame: &[u8]);

    /// The vendor told what it counted; gives the usage chunk that the client is to see, if any.
    fn usage(&mut self, usage: &Usage, chunk: Bytes) -> Option<Bytes>;
}

/// Pumps until the stream ends or the client leaves. The idle limit counts data events alone (D3). `meter` sees what
/// passes.
pub async fn pump(
    provider: &str,
    open: OpenStream,
    idle: Duration,
    client: &mpsc::Sender<Bytes>,
    meter: &mut dyn Meter,
) -> StreamEnd {
    let OpenStream { mut body, mut decoder, mut events, deadline, credential } = open;
    let mut patience = Patience::new(idle, deadline);
    loop {
        let (bytes, end) = frames(&mut events, credential.as_ref(), meter);
        if let Some(bytes) = bytes {
            patience.reset();
            if client.send(bytes).await.is_err() {
                return StreamEnd::ClientLeft;
            }
        }
        match end {
            Some(Ok(())) => {
                drain(body).await;
                return StreamEnd::Complete;
            }
            Some(Err(error)) => return StreamEnd::Broken(FailureKind::Broken, error),
            None => {}
        }
        let next = tokio::select! {
            biased;
            next = body.next() => next,
            () = client.closed() => return StreamEnd::ClientLeft,
            () = patience.ended() => {
                let error = explain(FailureKind::IdleTimeout, provider, None);
                return match client.send(openai::error_event(&error)).await {
                    Ok(()) => StreamEnd::Broken(FailureKind::IdleTimeout, error),
                    Err(_) => StreamEnd::ClientLeft,
                };
            }
        };
        match next {
            Some(Ok(bytes)) => decoder.push(bytes, &mut events),
            Some(Err(_)) | None => decoder.finish(&mut events),
        }
    }
}

/// The bytes that a client gets for some events, and the end if it was among them.
fn frames(
    events: &mut Vec<StreamEvent>,
    credential: Option<&Secret>,
    meter: &mut dyn Meter,
) -> (Option<Bytes>, Option<Result<(), ErrorBody>>) {
    let mut out = Joined::default();
    let mut end = None;
    for event in events.drain(..) {
        match event {
            StreamEvent::Chunk { frame, .. } => {
                meter.chunk(&frame);
                out.push(frame);
            }
            StreamEvent::Usage { usage, chunk } => {
                if let Some(chunk) = meter.usage(&usage, chunk) {
                    out.push(sse::frame(&chunk));
                }
            }
            StreamEvent::Done => {
                out.push(sse::DONE);
                end = Some(Ok(()));
            }
            StreamEvent::Error(error) => {
                let error = redacted(error, credential);
                out.push(openai::error_event(&error));
                end = Some(Err(error));
            }
        }
    }
    (out.take(), end)
}

/// Frames that go out in one write; a single one is not copied.
#[derive(Default)]
struct Joined {
    one: Option<Bytes>,
    many: BytesMut,
}

impl Joined {
    fn push(&mut self, frame: Bytes) {
        match (self.one.take(), self.many.is_empty()) {
            (None, true) => self.one = Some(frame),
            (one, _) => {
                self.many.extend_from_slice(&one.unwrap_or_default());
                self.many.extend_from_slice(&frame);
            }
        }
    }

    fn take(self) -> Option<Bytes> {
        self.one.or_else(|| (!self.many.is_empty()).then(|| self.many.freeze()))
    }
}

/// Reads on to the end of the body, for a while: a connection dropped earlier cannot be used again.
async fn drain(mut body: UpstreamBody) {
    let read = async { while let Some(Ok(_)) = body.next().await {} };
    if timeout(DRAIN, read).await.is_err() {
        log::debug!("a provider kept its stream open after the end");
    }
}

/// The idle and total limits in one timer, which is moved only when it fires.
struct Patience {
    idle: Duration,
    deadline: Option<Instant>,
    last: Instant,
    timer: std::pin::Pin<Box<Sleep>>,
}

impl Patience {
    fn new(idle: Duration, deadline: Option<Instant>) -> Self {
        let last = Instant::now();
        let mut patience = Self { idle, deadline, last, timer: Box::pin(sleep_until(last)) };
        if let Some(end) = patience.end() {
            patience.timer.as_mut().reset(end);
        }
        patience
    }

    fn reset(&mut self) {
        self.last = Instant::now();
    }

    fn end(&self) -> Option<Instant> {
        let idle = (!self.idle.is_zero()).then(|| self.last + self.idle);
        match (idle, self.deadline) {
            (Some(idle), Some(deadline)) => Some(idle.min(deadline)),
            (one, other) => one.or(other),
        }
    }

    async fn ended(&mut self) {
        if self.end().is_none() {
            return pending().await;
        }
        loop {
            self.timer.as_mut().await;
            match self.end() {
                Some(end) if end > Instant::now() => self.timer.as_mut().reset(end),
                _ => return,
            }
        }
    }
}
