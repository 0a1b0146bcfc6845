//! One HTTP/1.1 connection, which its request drives itself: no task and no thread stands between them.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::answer_head::{AnswerHead, HeadReader};
use super::framing::Framing;
use super::stream::Way;

/// How long a connection is used at all, so that a name's other addresses get their share.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The room for a read at first, and the most that it grows to where reads fill it.
const READ_ROOM: (usize, usize) = (8 << 10, 128 << 10);

/// The room below which more is made before a read.
const LEAST_ROOM: usize = 1 << 10;

/// A request as it is sent.
#[derive(Clone, Default)]
pub(super) struct Message {
    /// All up to the body, or with it where it is small.
    pub(super) head: Bytes,
    /// The rest.
    pub(super) body: Bytes,
    /// Whether the answer has no body, whatever its head says.
    pub(super) is_head: bool,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExchangeError {
    /// The connection was over before anything was sent.
    NotSent,
    /// The connection ended before any byte of an answer.
    Closed,
    /// What came is no answer, or half of one.
    Broken,
}

/// A connection that stands; dropping it closes it at once.
pub(super) struct Connection {
    way: Way,
    /// What has come and is not taken yet.
    pub(super) incoming: BytesMut,
    room: usize,
    outgoing: Message,
    is_flushed: bool,
    /// Whether a request could not be sent, or was answered before all of it was.
    is_spoiled: bool,
    was_used: bool,
    opened: Instant,
}

impl Connection {
    /// Speaks HTTP over a way that stands.
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            incoming: BytesMut::new(),
            room: READ_ROOM.0,
            outgoing: Message::default(),
            is_flushed: true,
            is_spoiled: false,
            was_used: false,
            opened: Instant::now(),
        }
    }

    /// Sends a request, and waits for the head of its final answer. What drops the future must drop the connection.
    pub(super) async fn exchange(&mut self, message: Message) -> Result<AnswerHead, ExchangeError> {
        // What nobody asked for, or the end, may have come meanwhile.
        if std::mem::replace(&mut self.was_used, true) && !self.way.is_silent() {
            return Err(ExchangeError::NotSent);
        }
        let is_head = message.is_head;
        (self.outgoing, self.is_flushed) = (message, false);
        let mut reader = HeadReader::default();
        let mut head = poll_fn(|cx| self.poll_head(cx, &mut reader)).await?;
        if is_head {
            head.framing = Framing::Length(0);
        }
        Ok(head)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, reader: &mut HeadReader) -> Poll<Result<AnswerHead, ExchangeError>> {
        let is_lost = matches!(self.poll_send(cx), Poll::Ready(Err(_)));
        loop {
            let is_over = match self.poll_fill(cx) {
                Poll::Ready(Ok(count)) => count == 0,
                Poll::Ready(Err(_)) => true,
                // What could not be sent is not answered any more.
                Poll::Pending if is_lost => true,
                Poll::Pending => return Poll::Pending,
            };
            if is_over {
                let nothing_came = self.incoming.is_empty() && !reader.has_read();
                return Poll::Ready(Err(if nothing_came { ExchangeError::Closed } else { ExchangeError::Broken }));
            }
            if let Some(head) = reader.read(&mut self.incoming).map_err(|_| ExchangeError::Broken)? {
                self.is_spoiled |= self.has_unsent();
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Sends what can be sent of the request, also beside its answer.
    ///
    /// # Errors
    /// Where the other side takes nothing more; nothing more is then sent.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.poll_write_all(cx);
        if let Poll::Ready(Err(_)) = sent {
            (self.outgoing, self.is_flushed, self.is_spoiled) = (Message::default(), true, true);
        }
        sent
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Message { head, body, .. } = &mut self.outgoing;
        while head.has_remaining() || body.has_remaining() {
            // Head and body go out in one write, and a large body is never there twice.
            let way = Pin::new(&mut self.way);
            let written = match (head.is_empty(), body.is_empty()) {
                (_, true) => ready!(way.poll_write(cx, head))?,
                (true, _) => ready!(way.poll_write(cx, body))?,
                _ => ready!(way.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(head.len());
            head.advance(of_head);
            body.advance((written - of_head).min(body.len()));
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.way).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what has come; 0 at the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.incoming.capacity() - self.incoming.len() < LEAST_ROOM {
            self.incoming.reserve(self.room);
        }
        let room = self.incoming.capacity() - self.incoming.len();
        let count = ready!(pin!(self.way.read_buf(&mut self.incoming)).poll(cx))?;
        if count == room {
            self.room = (2 * self.room).min(READ_ROOM.1);
        }
        Poll::Ready(Ok(count))
    }

    /// Whether a part of the request still waits to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.is_flushed
    }

    /// Whether another request may follow: the whole answer came after the whole request, and nothing behind it.
    pub(super) fn is_reusable(&self, now: Instant) -> bool {
        !self.is_spoiled && !self.has_unsent() && self.incoming.is_empty() && now.duration_since(self.opened) < MAX_AGE
    }

    /// Gives up the room that a large answer needed.
    pub(super) fn rest(&mut self) {
        if self.room > READ_ROOM.0 {
            (self.incoming, self.room) = (BytesMut::new(), READ_ROOM.0);
        }
    }
}
