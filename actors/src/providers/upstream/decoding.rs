//! Undoes the codings of an answer's body (`Content-Encoding`), each piece as it comes.

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::{BrokenBody, UpstreamBody};
use crate::content_coding::{self, Coding, Unsupported, ZSTD_WINDOW_LOG, has_zlib_header};

/// The most bytes that one piece may become.
const MAX_PIECE: usize = 64 << 20;

/// The body without the codings that the headers tell.
///
/// # Errors
/// The name of a coding that is not known, or the names where they are too many.
pub(super) fn undo(body: UpstreamBody, headers: &HeaderMap) -> Result<UpstreamBody, String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let codings = content_coding::codings(values.map(|value| value.as_bytes()))
        .map_err(|(Unsupported::Unknown(names) | Unsupported::TooMany(names))| names)?;
    if codings.is_empty() {
        return Ok(body);
    }
    let decoded = Rc::<RefCell<Vec<u8>>>::default();
    let mut decoder: Box<dyn Write> = Box::new(Sink(decoded.clone()));
    for coding in codings {
        decoder = match coding {
            Coding::Gzip => Box::new(MultiGzDecoder::new(decoder)),
            Coding::Deflate => Box::new(Deflate::Unknown(Some(decoder))),
            Coding::Brotli => Box::new(DecompressorWriter::new(decoder, 16 << 10)),
            Coding::Zstd => {
                let unusable = |_| "zstd".to_owned();
                let mut zstd = zstd::stream::write::Decoder::new(decoder).map_err(unusable)?;
                zstd.window_log_max(ZSTD_WINDOW_LOG).map_err(unusable)?;
                Box::new(zstd)
            }
        };
    }
    Ok(Box::pin(DecodedBody { body, decoder: Some(decoder), decoded }))
}

/// A body whose codings are undone. Whether it is whole its framing and format tell.
struct DecodedBody {
    body: UpstreamBody,
    /// None once the body is broken.
    decoder: Option<Box<dyn Write>>,
    decoded: Rc<RefCell<Vec<u8>>>,
}

impl Stream for DecodedBody {
    type Item = Result<Bytes, BrokenBody>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let this = &mut *self;
            let Some(decoder) = &mut this.decoder else { return Poll::Ready(None) };
            let bytes = match ready!(this.body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => bytes,
                other => return Poll::Ready(other),
            };
            // Flushed, so that an event does not wait for the next one.
            if decoder.write_all(&bytes).and_then(|()| decoder.flush()).is_err() {
                this.decoder = None;
                return Poll::Ready(Some(Err(BrokenBody)));
            }
            let decoded = this.decoded.take();
            if !decoded.is_empty() {
                return Poll::Ready(Some(Ok(decoded.into())));
            }
        }
    }
}

/// Keeps what was decoded until it is taken; a few bytes may stand for very many.
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut decoded = self.0.borrow_mut();
        if decoded.len() + bytes.len() > MAX_PIECE {
            return Err(io::Error::other("too large"));
        }
        decoded.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `deflate` means zlib's format, and some servers send it without zlib's header.
enum Deflate {
    Unknown(Option<Box<dyn Write>>),
    Zlib(ZlibDecoder<Box<dyn Write>>),
    Bare(DeflateDecoder<Box<dyn Write>>),
}

impl Write for Deflate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let (Self::Unknown(to), Some(first)) = (&mut *self, bytes.first())
            && let Some(to) = to.take()
        {
            let is_zlib = has_zlib_header(*first);
            *self = if is_zlib { Self::Zlib(ZlibDecoder::new(to)) } else { Self::Bare(DeflateDecoder::new(to)) };
        }
        match self {
            Self::Unknown(_) => Ok(0),
            Self::Zlib(decoder) => decoder.write(bytes),
            Self::Bare(decoder) => decoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Unknown(_) => Ok(()),
            Self::Zlib(decoder) => decoder.flush(),
            Self::Bare(decoder) => decoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::stream::iter;
    use gateway_testkit::compression::{bare_deflate, gzip, zlib};
    use http::HeaderValue;

    use super::*;

    fn body(pieces: Vec<Vec<u8>>) -> UpstreamBody {
        Box::pin(iter(pieces.into_iter().map(|piece| Ok(piece.into()))))
    }

    fn coded(coding: &'static str) -> HeaderMap {
        [(CONTENT_ENCODING, HeaderValue::from_static(coding))].into_iter().collect()
    }

    async fn decoded(coding: &'static str, bytes: &[u8], in_pieces_of: usize) -> Result<Vec<u8>, BrokenBody> {
        let pieces = bytes.chunks(in_pieces_of).map(<[u8]>::to_vec).collect();
        let mut body = undo(body(pieces), &coded(coding)).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = body.next().await {
            all.extend(piece?);
        }
        assert!(body.next().await.is_none(), "its end is told again");
        Ok(all)
    }

    /// coding-in: each coding is undone, however the bytes are cut, and several one after the other.
    #[tokio::test]
    async fn each_coding_is_undone() {
        let text = "Xin chào! ".repeat(500).into_bytes();
        let zstd = zstd::encode_all(&*text, 3).unwrap();
        for (coding, bytes) in [
            ("gzip", gzip(&text)),
            ("x-gzip", gzip(&text)),
            ("deflate", zlib(&text)),
            ("deflate", bare_deflate(&text)),
            ("zstd", zstd.clone()),
            ("GZIP, zstd", zstd::encode_all(&*gzip(&text), 3).unwrap()),
            ("zstd,identity , gzip", gzip(&zstd)),
            ("identity", text.clone()),
        ] {
            for size in [1, 7, 100_000] {
                assert_eq!(decoded(coding, &bytes, size).await.unwrap(), text, "{coding} in pieces of {size}");
            }
        }
    }

    /// The brotli of `hello`, five times, made by its reference encoder.
    #[tokio::test]
    async fn brotli_is_undone() {
        let bytes = const_hex::decode("1b1c00f88d946ede445586966c206f414f1c2071").unwrap();
        for size in [1, 100] {
            assert_eq!(decoded("br", &bytes, size).await.unwrap(), b"hello hello hello hello hello");
        }
    }

    /// coding-in: what was sent of a stream comes out at once.
    #[tokio::test]
    async fn an_event_does_not_wait_for_the_next_one() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut pieces = Vec::new();
        for event in ["data: 1\n\n", "data: 2\n\n"] {
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
            pieces.push(std::mem::take(encoder.get_mut()));
        }
        let mut body = undo(body(pieces), &coded("gzip")).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "data: 1\n\n");
        assert_eq!(body.next().await.unwrap().unwrap(), "data: 2\n\n");
    }

    #[tokio::test]
    async fn what_is_no_coding_and_what_is_too_large_is_refused() {
        assert_eq!(undo(body(Vec::new()), &coded("gzip, rot13")).err().as_deref(), Some("rot13"));
        let many = "gzip, gzip, gzip, gzip";
        assert_eq!(undo(body(Vec::new()), &coded(many)).err().as_deref(), Some(many));
        let endless = coded("br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br,br");
        assert_eq!(undo(body(Vec::new()), &endless).err().map(|told| told.len()), Some(40));
        assert!(decoded("gzip", b"{\"not\":\"gzip\"}", 100).await.is_err());
        let mut bomb = zstd::encode_all(&*vec![0; MAX_PIECE / 2], 3).unwrap();
        bomb.extend(bomb.clone());
        bomb.extend(bomb.clone());
        assert!(decoded("zstd", &bomb, bomb.len()).await.is_err());
    }

    /// A frame that has its reader remember more than 8 MiB is broken, as one of a request is.
    #[tokio::test]
    async fn a_zstd_window_has_a_limit() {
        for (log, is_read) in [(ZSTD_WINDOW_LOG, true), (ZSTD_WINDOW_LOG + 1, false)] {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(b"hello").unwrap();
            encoder.flush().unwrap();
            let bytes = encoder.finish().unwrap();
            assert_eq!(decoded("zstd", &bytes, 100).await.is_ok(), is_read, "{log}");
        }
    }
}
