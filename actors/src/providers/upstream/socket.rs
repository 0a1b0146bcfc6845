//! A TCP connection that looks at what waits before it is used again.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the owner of a connection and its streams tell each other.
#[derive(Default)]
pub(super) struct Progress {
    /// The next read looks first whether something waits that nobody has asked for.
    pub(super) look: Cell<bool>,
    /// A byte of an answer has come.
    pub(super) received: Cell<bool>,
    /// A part of the request still waits to be sent.
    pub(super) unsent: Cell<bool>,
    /// A byte of an answer came before the whole request was sent.
    pub(super) early: Cell<bool>,
}

/// A TCP connection.
pub(super) struct Socket {
    tcp: TcpStream,
    progress: Rc<Progress>,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, progress: Rc<Progress>) -> Self {
        Self { tcp, progress }
    }

    /// Whether neither a byte nor the end waits. Asks the system, since the runtime knows only what it has polled.
    fn is_silent(&self) -> bool {
        let peeked = SockRef::from(&self.tcp).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.progress.look.take() && !self.is_silent() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
