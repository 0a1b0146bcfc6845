//! An answer's body, as it comes.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Incoming};

use super::address::Origin;
use super::connection::Connection;
use super::pool::Pool;

/// The bytes of an answer; an error means that the connection broke. Its end, once told, is told for ever.
pub type UpstreamBody = Pin<Box<dyn Stream<Item = Result<Bytes, BrokenBody>>>>;

/// The connection broke in the middle of an answer.
#[derive(Debug)]
pub struct BrokenBody;

/// A body on its connection, which goes back to its pool after the end; dropped before, it is closed.
pub(super) struct AnswerBody {
    live: Option<Live>,
}

/// A body that has not ended.
pub(super) struct Live {
    pub(super) incoming: Incoming,
    pub(super) connection: Box<Connection>,
    pub(super) pool: Rc<Pool>,
    pub(super) origin: Rc<Origin>,
    /// How long the other side says that it keeps the connection.
    pub(super) keep_alive: Option<Duration>,
}

impl AnswerBody {
    pub(super) fn new(live: Live) -> Self {
        Self { live: Some(live) }
    }
}

impl Live {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn end(mut self, cx: &mut Context<'_>) {
        if self.connection.is_reusable(cx) {
            self.connection.rest();
            self.pool.put(self.connection, self.origin, self.keep_alive, Instant::now());
        }
    }
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, BrokenBody>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(live) = &mut self.live else { return Poll::Ready(None) };
        let mut polled = live.poll_data(cx);
        if polled.is_pending() {
            let is_over = live.connection.drive(cx);
            polled = live.poll_data(cx);
            if polled.is_pending() {
                if !is_over {
                    return Poll::Pending;
                }
                self.live = None;
                return Poll::Ready(Some(Err(BrokenBody)));
            }
        }
        match polled {
            Poll::Ready(Some(Ok(bytes))) => Poll::Ready(Some(Ok(bytes))),
            Poll::Ready(Some(Err(_))) => {
                self.live = None;
                Poll::Ready(Some(Err(BrokenBody)))
            }
            _ => {
                if let Some(live) = self.live.take() {
                    live.end(cx);
                }
                Poll::Ready(None)
            }
        }
    }
}
