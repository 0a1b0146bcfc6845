//! A body on its connection: where each piece of it is, and where it ends (RFC 9112, 6 and 7).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::answer_head::number;

/// The most bytes of what stands beside the chunks of a body: extensions and trailers.
const MAX_BESIDE: usize = 16 << 10;

/// The most bytes of a line that tells a chunk's size.
const MAX_LINE: usize = 16 << 10;

/// What came is not HTTP/1.1, or could be read in two ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// How a body is framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left of it.
    Length(u64),
    /// It comes in chunks.
    Chunked(Chunks),
    /// It ends with the connection.
    UntilClose,
}

/// What comes next of a body in chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    next: Next,
    beside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Nothing,
}

/// What the bytes that have come hold of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of it.
    Data(Bytes),
    /// Its end.
    End,
    /// Nothing until more has come.
    More,
}

impl Framing {
    /// A body in chunks, of which nothing has come.
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunks { next: Next::Size, beside: 0 })
    }

    /// Takes the next piece.
    pub(super) fn next(&mut self, incoming: &mut BytesMut) -> Result<Piece, Malformed> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Length(left) => Ok(data(left, incoming)),
            Self::UntilClose if incoming.is_empty() => Ok(Piece::More),
            Self::UntilClose => Ok(Piece::Data(incoming.split().freeze())),
            Self::Chunked(chunks) => chunks.next(incoming),
        }
    }
}

impl Chunks {
    fn next(&mut self, incoming: &mut BytesMut) -> Result<Piece, Malformed> {
        loop {
            match &mut self.next {
                Next::Data(0) => self.next = Next::DataEnd,
                Next::Data(left) => return Ok(data(left, incoming)),
                Next::Nothing => return Ok(Piece::End),
                Next::DataEnd => match &**incoming {
                    [b'\r', b'\n', ..] => {
                        incoming.advance(2);
                        self.next = Next::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::More),
                    _ => return Err(Malformed),
                },
                Next::Size => {
                    let Some(line) = line(incoming)? else { return Ok(Piece::More) };
                    let size = self.size(&line)?;
                    self.next = if size == 0 { Next::Trailer } else { Next::Data(size) };
                }
                Next::Trailer => {
                    let Some(line) = line(incoming)? else { return Ok(Piece::More) };
                    self.beside(line.len())?;
                    if line.is_empty() {
                        self.next = Next::Nothing;
                    }
                }
            }
        }
    }

    /// The size that a line tells; an extension behind it says nothing.
    fn size(&mut self, line: &[u8]) -> Result<u64, Malformed> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = line.split_at_checked(digits).ok_or(Malformed)?;
        let rest = rest.trim_ascii_start();
        if !rest.is_empty() && (!rest.starts_with(b";") || memchr(b'\r', rest).is_some()) {
            return Err(Malformed);
        }
        self.beside(rest.len())?;
        number(digits, 16).ok_or(Malformed)
    }

    fn beside(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.beside += bytes;
        if self.beside > MAX_BESIDE { Err(Malformed) } else { Ok(()) }
    }
}

/// Takes what has come of so many bytes that are left.
fn data(left: &mut u64, incoming: &mut BytesMut) -> Piece {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(incoming.len());
    if length == 0 {
        return Piece::More;
    }
    *left -= length as u64;
    Piece::Data(incoming.split_to(length).freeze())
}

/// Takes a line without its end, if it is here.
fn line(incoming: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let Some(end) = memchr(b'\n', incoming) else {
        return if incoming.len() > MAX_LINE { Err(Malformed) } else { Ok(None) };
    };
    let mut line = incoming.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err(Malformed);
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of a text that comes in steps, whether it ended, and what is left of the text.
    fn body(mut framing: Framing, text: &str, step: usize) -> Result<(String, bool, String), Malformed> {
        let (mut incoming, mut body, mut ended) = (BytesMut::new(), Vec::new(), false);
        for piece in text.as_bytes().chunks(step) {
            incoming.extend_from_slice(piece);
            while !ended {
                match framing.next(&mut incoming)? {
                    Piece::Data(bytes) => body.extend_from_slice(&bytes),
                    Piece::End => ended = true,
                    Piece::More => break,
                }
            }
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((text(&body), ended, text(&incoming)))
    }

    /// J 7, S14: a body is the same however it comes, and what stands behind it is no part of it.
    #[test]
    fn j7_s14_a_body_is_read_to_its_end() {
        for (framing, text, expected, ended, rest) in [
            (Framing::Length(3), "abcd", "abc", true, "d"),
            (Framing::Length(3), "ab", "ab", false, ""),
            (Framing::UntilClose, "abc", "abc", false, ""),
            (Framing::chunked(), "3\r\nabc\r\n0\r\n\r\nHTTP/1.1", "abc", true, "HTTP/1.1"),
            (Framing::chunked(), "2\r\nab\r\n1 ;x=\"y\"\r\nc\r\n000\r\nsum: 1\r\n\r\n", "abc", true, ""),
            (Framing::chunked(), "A\r\n0123456789\r\n0\r\n", "0123456789", false, ""),
        ] {
            for step in [1, 2, 3, 100] {
                let (read, has_ended, left) = body(framing.clone(), text, step).unwrap();
                assert_eq!((read.as_str(), has_ended, left.as_str()), (expected, ended, rest), "{text} by {step}");
            }
        }
    }

    /// S14: what could be read as another body is none.
    #[test]
    fn s14_chunks_that_could_be_read_in_two_ways_are_refused() {
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(MAX_BESIDE));
        let endless = "1".repeat(MAX_LINE + 1);
        let trailers = format!("0\r\n{}", "a: b\r\n".repeat(MAX_BESIDE));
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 x\r\n",
            "1\n",
            "1;a\rb\r\n",
            "1\r\nab",
            "1\r\na\n",
            "10000000000000000\r\n",
            &long,
            &endless,
            &trailers,
        ] {
            assert_eq!(body(Framing::chunked(), text, 100_000), Err(Malformed), "{}", text.get(..20).unwrap_or(text));
        }
    }
}
