//! The head of a request, as it is sent.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The largest body that is copied behind its head.
const MAX_COPIED: usize = 4 << 10;

/// A head that grows line by line.
pub(super) struct RequestHead(BytesMut);

impl RequestHead {
    /// A head without headers.
    pub(super) fn new(method: &Method, path: &PathAndQuery) -> Self {
        let mut text = BytesMut::with_capacity(1024);
        text.put_slice(method.as_str().as_bytes());
        text.put_u8(b' ');
        text.put_slice(path.as_str().as_bytes());
        text.put_slice(b" HTTP/1.1\r\n");
        Self(text)
    }

    /// Lines that are ready.
    pub(super) fn lines(&mut self, lines: &[u8]) {
        self.0.put_slice(lines);
    }

    /// One header.
    pub(super) fn line(&mut self, name: &HeaderName, value: &HeaderValue) {
        put_line(&mut self.0, name, value);
    }

    /// The whole head of a request, and its body, whose length is told where it has one. A small body stands behind the
    /// head already: a copy is less than a second piece in each write.
    pub(super) fn finish(mut self, tells_length: bool, body: Bytes) -> (Bytes, Bytes) {
        if tells_length {
            self.0.put_slice(b"content-length: ");
            self.0.put_slice(itoa::Buffer::new().format(body.len()).as_bytes());
            self.0.put_slice(b"\r\n");
        }
        self.0.put_slice(b"\r\n");
        if body.len() > MAX_COPIED {
            return (self.0.freeze(), body);
        }
        self.0.put_slice(&body);
        (self.0.freeze(), Bytes::new())
    }
}

/// Headers as lines, `host` first. How long the body is they do not say.
pub(super) fn lines(headers: &HeaderMap) -> Bytes {
    let mut text = BytesMut::with_capacity(256);
    if let Some(host) = headers.get(HOST) {
        put_line(&mut text, &HOST, host);
    }
    let others = headers.iter().filter(|(name, _)| ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name));
    others.for_each(|(name, value)| put_line(&mut text, name, value));
    text.freeze()
}

fn put_line(text: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    text.put_slice(name.as_str().as_bytes());
    text.put_slice(b": ");
    text.put_slice(value.as_bytes());
    text.put_slice(b"\r\n");
}
