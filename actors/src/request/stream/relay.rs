//! The rest of a stream: from the provider, through the decoder, to the client.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_wire::{CutOff, ErrorBody, StreamDecoder, StreamEvent, Usage, sse};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::failure::FailureKind;
use crate::failure::message::{explain, redacted};
use crate::providers::upstream::UpstreamBody;
use crate::request::attempt::OpenStream;
use crate::secret::Secret;

/// How long a finished answer's connection may take to close, so that it can be used again.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a provider may take to send its terminal event, or to close, once every choice has finished.
pub(crate) const END_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How a stream ended.
#[derive(Debug)]
pub enum StreamEnd {
    /// Its terminal event was passed on.
    Complete,
    /// It broke off, and an error event was passed on.
    Broken(FailureKind, ErrorBody),
    /// A guardrail denied the rest, and an error event was passed on.
    Denied,
    /// The client left.
    ClientLeft,
}

/// What a client is told where the gateway cuts its stream.
#[derive(Debug, Default)]
pub struct Ending {
    /// The choices that were asked for.
    pub choices: u64,
    /// What was counted of the answer.
    pub usage: Option<Usage>,
    /// The gateway's metadata, where a chat client wants its usage.
    pub metadata: Option<String>,
}

/// Frames on their way to the client.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The framed bytes.
    pub bytes: Bytes,
    /// Whether the client knows by the last of them that the stream is over.
    pub is_end: bool,
}

/// Counts what a stream consumes.
pub trait Meter {
    /// A frame passes; gives how the stream ends in its place, if it may not go on. `text` is what was generated in it,
    /// where that is known; else it stands in the frame, which is a chat chunk.
    fn frame(&mut self, frame: &Bytes, text: Option<&str>) -> impl Future<Output = Option<Ending>>;

    /// Waits for what a held stream needs to go on; gives whether there was anything to wait for, so that the stream goes
    /// on with `finish`.
    fn judged(&mut self) -> impl Future<Output = bool>;

    /// The frames pass that tell the client that its stream is complete.
    fn end(&mut self, frames: &Bytes);

    /// The stream ends well with these frames, which the client has not got yet.
    fn ended(&mut self, frames: &Bytes, decoder: &mut dyn StreamDecoder);

    /// The vendor told what it counted, of a whole answer or of one that broke off; gives the usage chunk that the
    /// client is to see, if any.
    fn usage(&mut self, usage: &Usage, chunk: Bytes, is_whole: bool) -> impl Future<Output = Option<Bytes>>;
}

/// Pumps until the stream ends or the client leaves. The idle limit counts data events alone (D3), and a client that
/// takes nothing for as long has left. `meter` sees what passes.
pub async fn pump(
    provider: &str,
    open: OpenStream,
    idle: Duration,
    client: &mpsc::Sender<Frames>,
    meter: &mut impl Meter,
) -> StreamEnd {
    let OpenStream { mut body, mut decoder, mut events, deadline, credential } = open;
    let Ok(last_words) = client.reserve().await else { return StreamEnd::ClientLeft };
    let timer = StreamTimer::new(idle, deadline);
    let mut side = ClientSide { provider, client, last_words: Some(last_words), timer };
    // One for all events, as each new one would be put into the channel's list and taken out again.
    let mut has_left = pin!(client.closed());
    let mut grace = None;
    loop {
        // What is held back has come all the same (D3).
        if !events.is_empty() {
            side.timer.reset();
        }
        let framed = tokio::select! {
            biased;
            framed = frames(&mut events, &mut *decoder, credential.as_ref(), meter) => framed,
            () = &mut has_left => return StreamEnd::ClientLeft,
        };
        match side.pass_on(framed, &mut *decoder, meter).await {
            Err(end) => return end,
            Ok(None) => {}
            Ok(Some(end)) => {
                // Else the provider would go on: dropping the body closes its connection.
                if matches!(end, End::Done) {
                    drain(body).await;
                }
                return end.into();
            }
        }
        if decoder.is_complete() {
            grace.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
        }
        let next = tokio::select! {
            biased;
            next = body.next() => Ok(next),
            () = &mut has_left => return StreamEnd::ClientLeft,
            limit = side.timer.ended() => Err(limit),
            () = reached(grace) => Err(StreamTimeout::Idle),
        };
        match next {
            Ok(Some(Ok(bytes))) => decoder.push(bytes, &mut events),
            Ok(Some(Err(_))) => decoder.broken(&mut events),
            Ok(None) => decoder.finish(&mut events),
            Err(limit) => {
                stop(&mut *decoder, &mut events);
                release(&mut *decoder, &mut events, meter).await;
                let end = ended_by(limit, provider, &mut events);
                let last = frames(&mut events, &mut *decoder, credential.as_ref(), meter).await;
                side.send_last(last, &mut *decoder, meter);
                return end;
            }
        }
    }
}

/// The client's side of a stream.
struct ClientSide<'a> {
    provider: &'a str,
    client: &'a mpsc::Sender<Frames>,
    /// Kept free, so that a client that is slow to read is told of an error all the same.
    last_words: Option<mpsc::Permit<'a, Frames>>,
    timer: StreamTimer,
}

impl ClientSide<'_> {
    /// Passes frames on, and gives the stream's end if it is among them.
    ///
    /// # Errors
    /// How the stream ended before they were taken, or at its total limit.
    async fn pass_on(
        &mut self,
        (bytes, end): (Option<Bytes>, Option<End>),
        decoder: &mut dyn StreamDecoder,
        meter: &mut impl Meter,
    ) -> Result<Option<End>, StreamEnd> {
        if let Some(bytes) = bytes {
            if matches!(end, Some(End::Done | End::Cut)) {
                meter.ended(&bytes, decoder);
            }
            match hand_over(self.client, Frames { bytes, is_end: end.is_some() }, &mut self.timer).await {
                Ok(()) => self.timer.reset(),
                Err(None) => return Err(StreamEnd::ClientLeft),
                Err(Some(StreamTimeout::Idle)) => {
                    // Should it read again, it must not take what it has for the whole answer.
                    self.say_last(decoder.fail(&not_read()));
                    return Err(StreamEnd::ClientLeft);
                }
                Err(Some(StreamTimeout::Total)) => return Err(self.overdue(decoder)),
            }
        }
        match end {
            // Asked here too, as a provider that always has more never lets the timer have its turn.
            None if self.timer.is_overdue() => Err(self.overdue(decoder)),
            end => Ok(end),
        }
    }

    /// Ends the stream at its total limit while its client is slow.
    fn overdue(&mut self, decoder: &mut dyn StreamDecoder) -> StreamEnd {
        let error = overdue_error(self.provider);
        self.say_last(decoder.fail(&error));
        StreamEnd::Broken(FailureKind::RequestTimeout, error)
    }

    /// Sends the frames that end the stream at a limit.
    fn send_last(
        &mut self,
        (bytes, last): (Option<Bytes>, Option<End>),
        decoder: &mut dyn StreamDecoder,
        meter: &mut impl Meter,
    ) {
        let Some(bytes) = bytes else { return };
        if matches!(last, Some(End::Done | End::Cut)) {
            meter.ended(&bytes, decoder);
        }
        self.say_last(bytes);
    }

    fn say_last(&mut self, bytes: Bytes) {
        if let Some(last_words) = self.last_words.take() {
            last_words.send(Frames { bytes, is_end: true });
        }
    }
}

/// Hands frames to the client's side, which may be slow.
///
/// # Errors
/// The limit that was reached; none where the client left.
async fn hand_over(
    client: &mpsc::Sender<Frames>,
    frames: Frames,
    timer: &mut StreamTimer,
) -> Result<(), Option<StreamTimeout>> {
    let frames = match client.try_send(frames) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Closed(_)) => return Err(None),
        Err(TrySendError::Full(frames)) => frames,
    };
    timer.reset();
    tokio::select! {
        biased;
        sent = client.send(frames) => sent.map_err(|_| None),
        limit = timer.ended() => Err(Some(limit)),
    }
}

/// Waits for an instant, for ever where there is none.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Ends a stream at a limit.
fn stop(decoder: &mut dyn StreamDecoder, events: &mut Vec<StreamEvent>) {
    // Unlike a close, a limit says nothing of the choices that never began.
    match decoder.is_complete() {
        true => decoder.finish(events),
        false => decoder.broken(events),
    }
}

/// What a stream comes to that was stopped at a limit. Where every choice that was asked for has finished it is complete;
/// else an error ends it, after what was counted (B7).
fn ended_by(limit: StreamTimeout, provider: &str, events: &mut Vec<StreamEvent>) -> StreamEnd {
    if matches!(events.last(), Some(StreamEvent::Done)) {
        return StreamEnd::Complete;
    }
    events.pop();
    let (kind, error) = match limit {
        StreamTimeout::Idle => (FailureKind::IdleTimeout, explain(FailureKind::IdleTimeout, provider, None)),
        // A slow client may be to blame as well as the provider: no breaker counts it (E1).
        StreamTimeout::Total => (FailureKind::RequestTimeout, overdue_error(provider)),
    };
    events.push(StreamEvent::Error(error.clone()));
    StreamEnd::Broken(kind, error)
}

fn not_read() -> ErrorBody {
    let message = "The stream was not read for too long, and has been given up.";
    ErrorBody::new("timeout_error", "client_timeout", message)
}

fn overdue_error(provider: &str) -> ErrorBody {
    let message = format!("The answer of the provider '{provider}' took longer than it may in all.");
    ErrorBody::new("timeout_error", "provider_timeout", message)
}

/// The last event of a stream.
enum End {
    /// The provider's own.
    Done,
    /// The meter's.
    Cut,
    /// An error.
    Failed(ErrorBody),
    /// A guardrail's.
    Denied,
}

/// Lets a held stream go on.
async fn release(decoder: &mut dyn StreamDecoder, events: &mut Vec<StreamEvent>, meter: &mut impl Meter) {
    while meter.judged().await {
        decoder.finish(events);
    }
}

impl From<End> for StreamEnd {
    fn from(end: End) -> Self {
        match end {
            End::Done | End::Cut => Self::Complete,
            End::Failed(error) => Self::Broken(FailureKind::Broken, error),
            End::Denied => Self::Denied,
        }
    }
}

/// The bytes that a client gets for some events, and the end if it was among them.
async fn frames(
    events: &mut Vec<StreamEvent>,
    decoder: &mut dyn StreamDecoder,
    credential: Option<&Secret>,
    meter: &mut impl Meter,
) -> (Option<Bytes>, Option<End>) {
    release(decoder, events, meter).await;
    let mut out = FrameBatch::default();
    let mut end = None;
    let is_whole = !matches!(events.last(), Some(StreamEvent::Error(_)));
    for event in events.drain(..) {
        match event {
            StreamEvent::Chunk { frame, text, .. } => match meter.frame(&frame, text.as_deref()).await {
                None => out.push(frame),
                Some(ending) => {
                    out.push(cut(decoder, &frame, &ending));
                    return (out.take(), Some(End::Cut));
                }
            },
            StreamEvent::Framed { frame, text, .. } => match meter.frame(&frame, Some(&text)).await {
                None => out.push(frame),
                Some(ending) => {
                    out.push(cut(decoder, &frame, &ending));
                    return (out.take(), Some(End::Cut));
                }
            },
            StreamEvent::Usage { usage, chunk } => {
                if let Some(chunk) = meter.usage(&usage, chunk, is_whole).await {
                    out.push(sse::frame(&chunk));
                }
            }
            StreamEvent::Done => {
                let last = decoder.end();
                meter.end(&last);
                out.push(last);
                end = Some(End::Done);
            }
            StreamEvent::Error(error) => {
                let error = redacted(error, credential);
                out.push(decoder.fail(&error));
                end = Some(End::Failed(error));
            }
            StreamEvent::Denied(error) => {
                out.push(decoder.fail(&error));
                end = Some(End::Denied);
            }
        }
    }
    (out.take(), end)
}

/// The frames that end a stream which the gateway cuts.
fn cut(decoder: &mut dyn StreamDecoder, frame: &Bytes, ending: &Ending) -> Bytes {
    let Ending { choices, usage, metadata } = ending;
    decoder.cut(CutOff { frame, choices: *choices, usage: usage.as_ref(), metadata: metadata.as_deref() })
}

/// Frames that go out in one write; a single one is not copied.
#[derive(Default)]
struct FrameBatch {
    one: Option<Bytes>,
    many: BytesMut,
}

impl FrameBatch {
    fn push(&mut self, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
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
    if timeout(DRAIN_TIMEOUT, read).await.is_err() {
        log::debug!("a provider kept its stream open after the end");
    }
}

/// Which limit was reached.
#[derive(Clone, Copy)]
enum StreamTimeout {
    Idle,
    Total,
}

/// The idle and total limits in one timer, which is moved only when it fires.
struct StreamTimer {
    idle: Duration,
    deadline: Option<Instant>,
    last: Instant,
    timer: std::pin::Pin<Box<Sleep>>,
}

impl StreamTimer {
    fn new(idle: Duration, deadline: Option<Instant>) -> Self {
        let last = Instant::now();
        let mut timer = Self { idle, deadline, last, timer: Box::pin(sleep_until(last)) };
        if let Some(end) = timer.end() {
            timer.timer.as_mut().reset(end);
        }
        timer
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

    fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    async fn ended(&mut self) -> StreamTimeout {
        if self.end().is_none() {
            return pending().await;
        }
        loop {
            self.timer.as_mut().await;
            match self.end() {
                Some(end) if end > Instant::now() => self.timer.as_mut().reset(end),
                _ if self.is_overdue() => return StreamTimeout::Total,
                _ => return StreamTimeout::Idle,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_wire::openai::ChatStream;

    use super::*;

    /// How a stream of two choices ends at a limit after these chunks, and the last that its client gets.
    fn end_after(chunks: &str, limit: StreamTimeout) -> (StreamEnd, Option<StreamEvent>) {
        let mut decoder = ChatStream::new(false).of(2);
        let mut events = Vec::new();
        decoder.push(Bytes::copy_from_slice(chunks.as_bytes()), &mut events);
        stop(&mut decoder, &mut events);
        let end = ended_by(limit, "openai", &mut events);
        (end, events.pop())
    }

    /// D2, D3: a choice that was asked for and never came leaves a stream broken at its limits.
    #[test]
    fn a_limit_completes_only_what_has_all_its_choices() {
        let finish = |index: u64| {
            let choice = format!(r#"{{"index":{index},"delta":{{"content":"a"}},"finish_reason":"stop"}}"#);
            format!("data: {{\"choices\":[{choice}]}}\n\n")
        };
        for (limit, kind) in
            [(StreamTimeout::Idle, FailureKind::IdleTimeout), (StreamTimeout::Total, FailureKind::RequestTimeout)]
        {
            let (end, last) = end_after(&finish(0), limit);
            assert!(matches!(end, StreamEnd::Broken(broken, _) if broken == kind), "{end:?}");
            assert!(matches!(last, Some(StreamEvent::Error(_))), "{last:?}");
            for whole in [finish(0) + &finish(1), finish(0) + "data: [DONE]"] {
                let (end, last) = end_after(&whole, limit);
                assert!(matches!(end, StreamEnd::Complete), "{end:?}");
                assert_eq!(last, Some(StreamEvent::Done));
            }
        }
    }
}
