//! The body of a streamed answer: frames as they come, comments in silence, and the request's place in the process.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::Error;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use gateway_actors::router::{Outcome, Reply, Unanswered};
use gateway_actors::wire::{ErrorBody, openai, sse};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

use crate::admit::Permit;
use crate::reply::StreamSettings;
use crate::shutdown::Phase;

/// An SSE body. It owns the request's permit: dropping the body, when the client leaves, gives the permit
/// back and cancels the request, since the receiver that it holds is what the request waits for.
pub struct SseBody {
    source: Source,
    keepalive: Option<Keepalive>,
    cut: LocalBoxFuture<'static, ()>,
    permit: Option<Permit>,
}

enum Source {
    /// No target has answered yet.
    Waiting(Outcome),
    /// A target's frames.
    Frames(mpsc::Receiver<Bytes>),
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
    pub fn started(frames: mpsc::Receiver<Bytes>, permit: Permit, settings: StreamSettings) -> Self {
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
        let StreamSettings { keepalive, mut phase, .. } = settings;
        let cut = async move {
            if phase.wait_for(|phase| *phase == Phase::Cut).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let keepalive = (!keepalive.is_zero()).then(|| Keepalive {
            interval: keepalive,
            last: Instant::now(),
            timer: Box::pin(sleep(keepalive)),
        });
        Self { source, keepalive, cut: Box::pin(cut), permit: Some(permit) }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.source {
                Source::Ended => return Poll::Ready(None),
                Source::Frames(frames) => return frames.poll_recv(cx),
                Source::Waiting(outcome) => match ready!(Pin::new(outcome).poll(cx)) {
                    Ok(Ok(Reply::Stream { frames, .. })) => self.source = Source::Frames(frames),
                    Ok(Ok(Reply::Whole { .. })) | Err(_) => return Poll::Ready(Some(self.end_with(&interrupted()))),
                    Ok(Err(Unanswered { failure, attempts, .. })) => {
                        if let Some(permit) = self.permit.take_if(|_| attempts == 0) {
                            permit.undo();
                        }
                        return Poll::Ready(Some(self.end_with(&failure.error)));
                    }
                },
            }
        }
    }

    fn end_with(&mut self, error: &ErrorBody) -> Bytes {
        self.source = Source::Ended;
        openai::error_event(error)
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
            Poll::Pending if body.cut.as_mut().poll(cx).is_ready() => {
                return Poll::Ready(Some(Ok(body.end_with(&interrupted()))));
            }
            Poll::Pending => {}
        }
        let Some(keepalive) = &mut body.keepalive else { return Poll::Pending };
        loop {
            ready!(keepalive.timer.as_mut().poll(cx));
            let due = keepalive.last + keepalive.interval;
            let now = Instant::now();
            if due <= now {
                keepalive.last = now;
                keepalive.timer.as_mut().reset(now + keepalive.interval);
                return Poll::Ready(Some(Ok(sse::PING)));
            }
            keepalive.timer.as_mut().reset(due);
        }
    }
}

fn interrupted() -> ErrorBody {
    ErrorBody {
        message: "The gateway is stopping and had to end this stream.".to_owned(),
        kind: "api_error".to_owned(),
        param: None,
        code: Some("gateway_stopping".to_owned()),
    }
}
