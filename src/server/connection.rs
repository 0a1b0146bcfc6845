//! A client's connection below the HTTP server: given up when the client takes nothing of its answer, and with bodies for
//! the errors that the server itself answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gateway_actors::metrics::Metrics;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, timeout};

/// A TCP connection of a client.
pub struct ClientConnection {
    /// None once it is dropped.
    stream: Option<TcpStream>,
    /// How long nothing may be taken of what is written; zero for ever.
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is written instead of so many bytes of the server's.
    instead: Option<(usize, Bytes)>,
    /// Whether the server refused what it could not read.
    was_refused: bool,
    metrics: Arc<Metrics>,
}

impl ClientConnection {
    /// A connection that was accepted.
    pub fn new(stream: TcpStream, write_timeout: Duration, metrics: Arc<Metrics>) -> Self {
        let stream = Some(stream);
        Self { stream, write_timeout, stalled: None, instead: None, was_refused: false, metrics }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = self.stream()?.poll_write(cx, bytes) {
            self.stalled = None;
            return Poll::Ready(written);
        }
        if self.write_timeout.is_zero() {
            return Poll::Pending;
        }
        let write_timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(write_timeout)));
        ready!(stalled.as_mut().poll(cx));
        self.metrics.client_stalled();
        // Reset, so that the system keeps nothing of the answer either.
        if let Some(Err(error)) = self.stream.as_ref().map(TcpStream::set_zero_linger) {
            log::debug!("a connection could not be reset: {error}");
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.instead.is_none()
            && let Some((length, refusal, code)) = with_body(bytes)
        {
            this.metrics.refused(code);
            this.was_refused = true;
            this.instead = Some((length, refusal));
        }
        while let Some((length, mut refusal)) = this.instead.take() {
            if refusal.is_empty() {
                return Poll::Ready(Ok(length));
            }
            let written = this.poll_bytes(cx, &refusal);
            if let Poll::Ready(Ok(count)) = written {
                refusal.advance(count);
            }
            this.instead = Some((length, refusal));
            ready!(written)?;
        }
        this.poll_bytes(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_shutdown(cx)
    }
}

impl Drop for ClientConnection {
    /// The server closes at once what it refused. Closed with bytes unread, a connection is reset, and the client may lose
    /// the refusal: so the rest is read for a moment.
    fn drop(&mut self) {
        if let (true, Some(stream), Ok(runtime)) = (self.was_refused, self.stream.take(), Handle::try_current()) {
            runtime.spawn(timeout(LINGER_TIMEOUT, read_rest(stream)));
        }
    }
}

/// How long the rest of what was refused is read.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How much of it is read, in bytes.
const MAX_REST: u64 = 1 << 20;

async fn read_rest(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(MAX_REST), &mut tokio::io::sink()).await.map(|_| ())
}

/// The statuses that the server answers by itself, without a body: what it could not read as HTTP.
const REFUSALS: [(&[u8], &str, &str, &str); 3] = [
    (b" 400 Bad Request\r\n", "invalid_request_error", "malformed_http", "The request is not valid HTTP."),
    (b" 408 Request Timeout\r\n", "timeout_error", "request_timeout", "The head of the request did not come in time."),
    (
        b" 431 Request Header Fields Too Large\r\n",
        "invalid_request_error",
        "headers_too_large",
        "The headers of the request are too large.",
    ),
];

/// A refusal of the server's with a body in OpenAI's shape, how many bytes it stands for, and its code. The gateway's own
/// answers of these statuses have bodies already.
fn with_body(bytes: &[u8]) -> Option<(usize, Bytes, &'static str)> {
    let after_version = bytes.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let (status, kind, code, message) = REFUSALS.iter().find(|(status, ..)| after_version.starts_with(status))?;
    let fields = after_version.get(status.len()..)?.strip_prefix(b"content-length: 0\r\n")?;
    // Nothing follows: the connection is closed.
    fields.ends_with(b"\r\n\r\n").then_some(())?;
    let error = json!({ "message": message, "type": kind, "param": null, "code": code });
    let body = json!({ "error": error }).to_string();
    let first_line = bytes.get(..b"HTTP/1.1".len() + status.len())?;
    let own = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let all = [first_line, own.as_bytes(), fields, body.as_bytes()].concat();
    Some((bytes.len(), Bytes::from(all), code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_without_a_body_get_one() {
        let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";
        let (length, all, code) = with_body(refusal).unwrap();
        assert_eq!((length, code), (refusal.len(), "malformed_http"));
        let text = String::from_utf8(all.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\nconnection: close", body.len())), "{head}");
        assert!(body.contains(r#""type":"invalid_request_error""#), "{body}");
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\n{\"a\":1}\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            b"data: {}\n\n",
            b"",
        ] {
            assert!(with_body(other).is_none());
        }
    }
}
