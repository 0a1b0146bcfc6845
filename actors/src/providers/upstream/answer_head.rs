//! The head of an answer: status, headers, and how its body is framed (RFC 9112).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{EMPTY_HEADER, ParserConfig, Response, Status};
use memchr::memchr_iter;

use super::framing::{Framing, Malformed};

/// The most header lines of an answer.
const MAX_HEADERS: usize = 1024;

/// As many header lines as most answers have; no room is made for more.
const FEW_HEADERS: usize = 48;

/// The most bytes of an answer's head.
const MAX_HEAD_BYTES: usize = 128 << 10;

/// What an answer begins with.
#[derive(Debug)]
pub(super) struct AnswerHead {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// Where its body ends.
    pub(super) framing: Framing,
    /// Whether the other side keeps the connection.
    pub(super) keeps_alive: bool,
}

/// Reads the head of one final answer.
#[derive(Default)]
pub(super) struct HeadReader {
    /// How far the bytes are known to hold no end of a head.
    scanned: usize,
    has_read: bool,
}

impl HeadReader {
    /// Whether an interim answer has come.
    pub(super) fn has_read(&self) -> bool {
        self.has_read
    }

    /// Takes the head, if it is whole. Interim answers before it say nothing.
    pub(super) fn read(&mut self, incoming: &mut BytesMut) -> Result<Option<AnswerHead>, Malformed> {
        while let Some(end) = head_end(incoming, self.scanned).filter(|end| *end <= MAX_HEAD_BYTES) {
            (self.scanned, self.has_read) = (0, true);
            let head = parse(&incoming.split_to(end).freeze())?;
            match head.status {
                // Nobody asked for another protocol.
                StatusCode::SWITCHING_PROTOCOLS => return Err(Malformed),
                status if status.is_informational() => {}
                _ => return Ok(Some(head)),
            }
        }
        // The line that ends a head may have come in part.
        self.scanned = incoming.len().saturating_sub(3);
        if incoming.len() > MAX_HEAD_BYTES { Err(Malformed) } else { Ok(None) }
    }
}

/// Where the empty line ends that stands behind a head.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    memchr_iter(b'\n', bytes.get(from..)?).map(|at| from + at + 1).find_map(|next| match bytes.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

fn parse(text: &Bytes) -> Result<AnswerHead, Malformed> {
    let mut few = [const { MaybeUninit::uninit() }; FEW_HEADERS];
    let mut response = Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut response, text, &mut few) {
        Err(httparse::Error::TooManyHeaders) => {
            let mut many = vec![EMPTY_HEADER; MAX_HEADERS];
            let mut response = Response::new(&mut many);
            let parsed = response.parse(text);
            read(text, &response, parsed)
        }
        parsed => read(text, &response, parsed),
    }
}

fn read(text: &Bytes, response: &Response<'_, '_>, parsed: httparse::Result<usize>) -> Result<AnswerHead, Malformed> {
    let (Ok(Status::Complete(length)), Some(code), Some(version)) = (parsed, response.code, response.version) else {
        return Err(Malformed);
    };
    if length != text.len() {
        return Err(Malformed);
    }
    let status = StatusCode::from_u16(code).map_err(|_| Malformed)?;
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed)?;
        // It shares the head's bytes.
        let value = HeaderValue::from_maybe_shared(text.slice_ref(header.value)).map_err(|_| Malformed)?;
        headers.append(name, value);
    }
    let is_newer = version > 0;
    let framing = framing(status, is_newer, &headers)?;
    // Two lengths may be read in two ways by those between here and the server.
    let is_clear = !(headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH));
    let stays = if is_newer { !has_word(&headers, "close") } else { has_word(&headers, "keep-alive") };
    let keeps_alive = stays && is_clear && !matches!(framing, Framing::UntilClose);
    Ok(AnswerHead { status, headers, framing, keeps_alive })
}

/// Whether the `connection` header has a word.
fn has_word(headers: &HeaderMap, word: &str) -> bool {
    let words = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.into_iter().any(|found| found.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// How a body is framed (RFC 9112, 6.3).
fn framing(status: StatusCode, is_newer: bool, headers: &HeaderMap) -> Result<Framing, Malformed> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Length(0));
    }
    if let Some(last) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        let last = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        return match last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            // What is older than chunks cannot have them.
            _ if !is_newer => Err(Malformed),
            true => Ok(Framing::chunked()),
            false => Ok(Framing::UntilClose),
        };
    }
    let mut length = None;
    for told in headers.get_all(CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let told = number(told.trim_ascii(), 10).ok_or(Malformed)?;
        if length.is_some_and(|length| length != told) {
            return Err(Malformed);
        }
        length = Some(told);
    }
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// A number that is nothing but digits.
pub(super) fn number(text: &[u8], radix: u32) -> Option<u64> {
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(std::str::from_utf8(text).ok().filter(|_| is_plain)?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in(text: &str, step: usize) -> Result<Option<AnswerHead>, Malformed> {
        let (mut reader, mut incoming) = (HeadReader::default(), BytesMut::new());
        for piece in text.as_bytes().chunks(step) {
            incoming.extend_from_slice(piece);
            if let Some(head) = reader.read(&mut incoming)? {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// J 7, S14: where a body ends and whether the connection goes on, however the head comes.
    #[test]
    fn j7_s14_a_head_tells_where_its_body_ends() {
        let old = "HTTP/1.0 200 OK\r\ncontent-length: 3";
        for (text, framing, keeps_alive) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 3", Framing::Length(3), true),
            ("\r\nHTTP/1.1 200 OK\ncontent-length: 3", Framing::Length(3), true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\ncontent-length: 3", Framing::Length(3), true),
            ("HTTP/1.1 200\r\nTransfer-Encoding: gzip, Chunked", Framing::chunked(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3", Framing::chunked(), false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip", Framing::UntilClose, false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: x, Close", Framing::Length(3), false),
            ("HTTP/1.1 204 No Content", Framing::Length(0), true),
            ("HTTP/1.1 200 OK\r\na: b", Framing::UntilClose, false),
            (old, Framing::Length(3), false),
            (&format!("{old}\r\nconnection: keep-alive"), Framing::Length(3), true),
            (
                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3",
                Framing::Length(3),
                true,
            ),
        ] {
            for step in [1, 7, 1_000] {
                let head = read_in(&format!("{text}\r\n\r\n"), step).unwrap().unwrap();
                assert_eq!((head.framing, head.keeps_alive), (framing.clone(), keeps_alive), "{text}");
            }
        }
    }

    /// S14: a head that two readers could read in two ways is none, nor is one without an end.
    #[test]
    fn s14_what_is_no_head_is_refused() {
        let many = format!("HTTP/1.1 200 OK{}", "\r\na: b".repeat(MAX_HEADERS + 1));
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD_BYTES));
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4",
            "HTTP/1.1 200 OK\r\ncontent-length: 3, 4",
            "HTTP/1.1 200 OK\r\ncontent-length: +3",
            "HTTP/1.1 200 OK\r\ncontent-length: 0x3",
            "HTTP/1.1 200 OK\r\ncontent-length:",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked",
            "HTTP/1.1 200 OK\r\na : b",
            "HTTP/1.1 200 OK\r\na: b\r\n c",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x",
            "HTTP/1.1 099 OK",
            "HTTP/2 200 OK",
            "{\"id\":1}",
            &many,
            &long,
        ] {
            assert!(read_in(&format!("{text}\r\n\r\n"), 1_000).is_err(), "{}", text.get(..60).unwrap_or(text));
        }
        assert!(read_in(&"a".repeat(MAX_HEAD_BYTES + 1), 1_000).is_err());
        assert!(read_in(&many[..many.len() - 12], 1_000).unwrap().is_none(), "half a head");
    }
}
