//! One HTTP/1.1 connection, which its request polls itself: no task and no thread stands between them.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::socket::Progress;
use super::stream::{WatchedStream, Way};

/// How long a connection is used at all, so that a name's other addresses get their share.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The most header lines of an answer.
const MAX_HEADERS: usize = 1024;

/// The most bytes of an answer's head; also of one read of its body.
const MAX_HEAD_BYTES: usize = 128 << 10;

/// A piece of a request's body: hyper copies it behind what is not sent yet, so that head and body of a small request go
/// out in one write, and a large body is never there twice.
const PIECE: usize = 64 << 10;

/// A request's body.
pub(super) struct RequestBody(pub(super) Bytes);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let length = PIECE.min(self.0.len());
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
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
    driver: http1::Connection<TokioIo<WatchedStream>, RequestBody>,
    sender: http1::SendRequest<RequestBody>,
    progress: Rc<Progress>,
    opened: Instant,
    is_over: bool,
}

impl Connection {
    /// Speaks HTTP over a way that stands.
    pub(super) async fn open(way: Way, progress: Rc<Progress>) -> io::Result<Self> {
        let io = TokioIo::new(WatchedStream::new(way, progress.clone()));
        let mut settings = http1::Builder::new();
        settings.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES);
        let (sender, driver) = settings.handshake(io).await.map_err(io::Error::other)?;
        Ok(Self { driver, sender, progress, opened: Instant::now(), is_over: false })
    }

    /// Sends a request, and waits for the head of its final answer. What drops the future must drop the connection.
    pub(super) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, ExchangeError> {
        self.progress.received.set(false);
        let mut answer = pin!(self.sender.try_send_request(request));
        let (driver, is_over) = (&mut self.driver, &mut self.is_over);
        let answered = poll_fn(|cx| {
            *is_over = *is_over || Pin::new(&mut *driver).poll(cx).is_ready();
            answer.as_mut().poll(cx)
        });
        match answered.await {
            Ok(response) if response.status().is_informational() => Err(ExchangeError::Broken),
            Ok(response) => Ok(response),
            Err(error) if error.message().is_some() => Err(ExchangeError::NotSent),
            Err(_) if self.progress.received.get() => Err(ExchangeError::Broken),
            Err(_) => Err(ExchangeError::Closed),
        }
    }

    /// Lets the connection read and write what it can; whether it is over.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_over = self.is_over || Pin::new(&mut self.driver).poll(cx).is_ready();
        self.is_over
    }

    /// Whether another request may follow: the answer was complete and came after the whole request, and nothing more
    /// has been read.
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.sender.is_ready() {
            self.drive(cx);
        }
        !self.is_over && self.sender.is_ready() && !self.progress.early.get() && self.opened.elapsed() < MAX_AGE
    }

    /// Lets the next request look first whether something has come meanwhile.
    pub(super) fn rest(&self) {
        self.progress.look.set(true);
    }
}
