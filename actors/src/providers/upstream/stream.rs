//! The way to an origin, encrypted or not.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The way to an origin or a proxy.
pub(super) enum Way {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted; within it there may be another way.
    Tls(Box<TlsStream<Way>>),
}

impl Way {
    /// Whether neither a byte nor the end waits. Asks the system, since the runtime knows only what it has polled.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Plain(tcp) => {
                let peeked = SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]);
                peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Tls(tls) => tls.get_ref().0.is_silent(),
        }
    }
}

/// Calls a method of whichever way it is.
macro_rules! either {
    ($way:expr, $method:ident($($argument:expr),*)) => {
        match $way.get_mut() {
            Way::Plain(tcp) => Pin::new(tcp).$method($($argument),*),
            Way::Tls(tls) => Pin::new(&mut **tls).$method($($argument),*),
        }
    };
}

impl AsyncRead for Way {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match either!(self, poll_read(cx, into)) {
            // Many servers close without TLS's own goodbye; whether an answer is whole its framing and format tell.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => other,
        }
    }
}

impl AsyncWrite for Way {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(cx))
    }
}
