//! An answer's body, as it comes.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;

use super::address::Origin;
use super::connection::Connection;
use super::framing::{Framing, Piece};
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
    pub(super) framing: Framing,
    pub(super) connection: Box<Connection>,
    pub(super) pool: Rc<Pool>,
    pub(super) origin: Rc<Origin>,
    /// Whether the other side keeps the connection.
    pub(super) keeps_alive: bool,
    /// How long it says that it does.
    pub(super) keep_alive: Option<Duration>,
}

impl AnswerBody {
    pub(super) fn new(live: Live) -> Self {
        Self { live: Some(live) }
    }
}

impl Live {
    /// The next bytes; none at the end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BrokenBody>> {
        if self.connection.has_unsent() {
            // What the other side takes no more of is no reason to lose its answer; the connection is not used again.
            let _sent = self.connection.poll_send(cx);
        }
        loop {
            match self.framing.next(&mut self.connection.incoming).map_err(|_| BrokenBody)? {
                Piece::Data(bytes) => return Poll::Ready(Ok(Some(bytes))),
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::More => {}
            }
            match self.connection.poll_fill(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) if self.framing == Framing::UntilClose => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(BrokenBody)),
                Poll::Ready(Ok(_)) => {}
            }
        }
    }

    fn end(mut self) {
        let now = Instant::now();
        if self.keeps_alive && self.connection.is_reusable(now) {
            self.connection.rest();
            self.pool.put(self.connection, self.origin, self.keep_alive, now);
        }
    }
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, BrokenBody>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(live) = &mut self.live else { return Poll::Ready(None) };
        match live.poll_data(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(bytes))) => Poll::Ready(Some(Ok(bytes))),
            Poll::Ready(Ok(None)) => {
                if let Some(live) = self.live.take() {
                    live.end();
                }
                Poll::Ready(None)
            }
            Poll::Ready(Err(broken)) => {
                self.live = None;
                Poll::Ready(Some(Err(broken)))
            }
        }
    }
}
