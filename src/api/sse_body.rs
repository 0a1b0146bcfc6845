//! The body of a streamed answer: frames as they come, comments in silence, and the request's place in the process.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::Error;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use gateway_actors::request::router::{Outcome, Reply, RouteFailure};
use gateway_actors::request::stream::relay::Frames;
use gateway_wire::clients::ClientKind;
use gateway_wire::clients::responses::LiveStream;
use gateway_wire::{ErrorBody, formats};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep};

use super::admit::Permit;
use super::reply::StreamSettings;
use crate::server::shutdown::Phase;

/// An SSE body. It owns the request's permit: dropping the body, when the client leaves, gives the permit
/// back and cancels the request, since the receiver that it holds is what the request waits for.
pub struct SseBody {
    source: Source,
    keepalive: Option<Keepalive>,
    cut: LocalBoxFuture<'static, ()>,
    phase: watch::Receiver<Phase>,
    /// Who is woken when the stream is to be cut, or was silent for too long.
    woken: Option<Waker>,
    /// Whether the last frame was an end that clients know as one.
    ended: bool,
    permit: Option<Permit>,
    client: ClientKind,
    request_id: String,
    /// What numbers the events of a Responses client.
    live: Option<LiveStream>,
}

enum Source {
    /// No target has answered yet.
    Waiting(Outcome),
    /// A target's frames.
    Frames(mpsc::Receiver<Frames>),
    /// Nothing more comes.
    Ended,
}

struct Keepalive {
    interval: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl SseBody {
    /// A body whose first frames are here.
    pub fn started(frames: mpsc::Receiver<Frames>, permit: Permit, settings: StreamSettings) -> Self {
        Self::new(Source::Frames(frames), permit, settings)
    }

    /// A body whose request is still being tried. It has been silent for one keep-alive interval already.
    pub fn waiting(outcome: Outcome, permit: Permit, settings: StreamSettings) -> Self {
        let mut body = Self::new(Source::Waiting(outcome), permit, settings);
        if let Some(keepalive) = &mut body.keepalive {
            keepalive.last = keepalive.last.checked_sub(keepalive.interval).unwrap_or(keepalive.last);
            keepalive.timer = Box::pin(sleep(Duration::ZERO));
        }
        body
    }

    fn new(source: Source, permit: Permit, settings: StreamSettings) -> Self {
        let StreamSettings { keepalive, phase, client, request_id, live } = settings;
        let mut waiting = phase.clone();
        let cut = async move {
            if waiting.wait_for(|phase| *phase == Phase::Cut).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let keepalive = (!keepalive.is_zero()).then(|| Keepalive {
            interval: keepalive,
            last: Instant::now(),
            timer: Box::pin(sleep(keepalive)),
        });
        let permit = Some(permit);
        Self {
            source,
            keepalive,
            cut: Box::pin(cut),
            phase,
            woken: None,
            ended: false,
            permit,
            client,
            request_id,
            live,
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.source {
                Source::Ended => return Poll::Ready(None),
                Source::Frames(frames) => match ready!(frames.poll_recv(cx)) {
                    Some(frame) => {
                        self.ended = frame.is_end;
                        let bytes = match &mut self.live {
                            Some(live) => live.pass(frame.bytes),
                            None => frame.bytes,
                        };
                        if !bytes.is_empty() {
                            return Poll::Ready(Some(bytes));
                        }
                    }
                    // The request was lost, and its client must not take what it has for the whole answer.
                    None if !self.ended => return Poll::Ready(Some(self.end_with(&self.lost()))),
                    None => return Poll::Ready(None),
                },
                Source::Waiting(outcome) => match ready!(Pin::new(outcome).poll(cx)) {
                    Ok(Ok(Reply::Stream { frames, .. })) => self.source = Source::Frames(frames),
                    Ok(Ok(Reply::Whole { .. })) | Err(_) => return Poll::Ready(Some(self.end_with(&self.lost()))),
                    Ok(Err(RouteFailure { failure, attempts, .. })) => {
                        if let Some(permit) = self.permit.take_if(|_| attempts == 0) {
                            permit.undo();
                        }
                        return Poll::Ready(Some(self.end_with(&failure.error)));
                    }
                },
            }
        }
    }

    /// Whether this task is woken anyway when the stream is to be cut or was silent for too long, and neither is yet. Both
    /// are asked at its first wait, so that each event need not ask again.
    fn is_waited_for(&self, cx: &Context<'_>) -> bool {
        self.woken.as_ref().is_some_and(|woken| woken.will_wake(cx.waker()))
            && self.phase.has_changed().is_ok_and(|has_changed| !has_changed)
            && self.keepalive.as_ref().is_none_or(|keepalive| !keepalive.timer.is_elapsed())
    }

    /// Why a request has no end of its own.
    fn lost(&self) -> ErrorBody {
        match *self.phase.borrow() {
            Phase::Cut => interrupted(),
            _ => ErrorBody::new("api_error", "internal_error", "The request was lost inside the gateway."),
        }
    }

    fn end_with(&mut self, error: &ErrorBody) -> Bytes {
        self.source = Source::Ended;
        match &mut self.live {
            Some(live) => live.fail(error),
            None => formats::failure_frame(self.client, error, &self.request_id),
        }
    }
}

impl Stream for SseBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        match body.poll_source(cx) {
            Poll::Ready(frame) => {
                if let Some(keepalive) = &mut body.keepalive {
                    keepalive.last = Instant::now();
                }
                return Poll::Ready(frame.map(Ok));
            }
            Poll::Pending if body.is_waited_for(cx) => return Poll::Pending,
            Poll::Pending if body.cut.as_mut().poll(cx).is_ready() => {
                return Poll::Ready(Some(Ok(body.end_with(&interrupted()))));
            }
            Poll::Pending => body.woken = Some(cx.waker().clone()),
        }
        let Some(keepalive) = &mut body.keepalive else { return Poll::Pending };
        loop {
            ready!(keepalive.timer.as_mut().poll(cx));
            let due = keepalive.last + keepalive.interval;
            let now = Instant::now();
            if due <= now {
                keepalive.last = now;
                keepalive.timer.as_mut().reset(now + keepalive.interval);
                // It knows whom to wake once it is asked again.
                body.woken = None;
                let alive = body.live.as_mut().map(LiveStream::heartbeat);
                return Poll::Ready(Some(Ok(alive.unwrap_or_else(|| formats::ping(body.client)))));
            }
            keepalive.timer.as_mut().reset(due);
        }
    }
}

fn interrupted() -> ErrorBody {
    ErrorBody::new("api_error", "gateway_stopping", "The gateway is stopping and had to end this stream.")
}
