//! Server-sent events: a decoder that any re-chunking leaves unmoved (D5), and framing.
//!
//! Format: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr2};
use serde::de::IgnoredAny;

use super::{MAX_EVENT_BYTES, TooLong};

/// One event with data. Comments and events without data are skipped; a JSON object that stands between events without
/// any framing, as some vendors tell their errors, is an event of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field, if any.
    pub name: Option<String>,
    /// The `data:` lines, joined with line feeds.
    pub data: Bytes,
    /// The event exactly as it came, where it is one plain `data: …\n\n` that can be forwarded untouched.
    pub frame: Option<Bytes>,
}

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct SseDecoder {
    buffer: BytesMut,
    started: bool,
    /// How far `buffer` is known to hold no event end, so that a long event is not scanned again with each read.
    scanned: usize,
}

impl SseDecoder {
    /// Takes the next bytes and gives every event that they complete.
    ///
    /// # Errors
    /// Where what is not complete is too long; it is forgotten then.
    pub fn push(&mut self, bytes: Bytes, out: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        let mut rest = if self.buffer.is_empty() {
            bytes
        } else {
            self.buffer.extend_from_slice(&bytes);
            // A long event stays where it is while it grows, so that it is not copied with each read.
            if self.started && event_end(&self.buffer, self.scanned).is_none() {
                return self.wait();
            }
            self.buffer.split().freeze()
        };
        if !self.started {
            if rest.len() < 3 && BOM.starts_with(&rest) {
                self.buffer.extend_from_slice(&rest);
                return Ok(());
            }
            self.started = true;
            if rest.starts_with(BOM) {
                rest = rest.slice(BOM.len()..);
            }
        }
        let mut from = std::mem::take(&mut self.scanned);
        while let Some(end) = event_end(&rest, from) {
            parse(rest.split_to(end), out);
            from = 0;
        }
        self.buffer.extend_from_slice(&rest);
        self.wait()
    }

    /// Leaves what is in the buffer for the next bytes to complete.
    fn wait(&mut self) -> Result<(), TooLong> {
        if self.buffer.len() > MAX_EVENT_BYTES {
            self.buffer = BytesMut::new();
            self.scanned = 0;
            return Err(TooLong);
        }
        // Three bytes of overlap: an event end is at most four bytes long.
        self.scanned = self.buffer.len().saturating_sub(3);
        Ok(())
    }

    /// Takes the end of the stream: an event that lacks only its blank line is given all the same, since vendors cut it,
    /// and one that was cut itself is not.
    pub fn finish(&mut self, out: &mut Vec<SseEvent>) {
        let known = out.len();
        parse(self.buffer.split().freeze(), out);
        if let Some(last) = out.get_mut(known..).and_then(<[_]>::last_mut) {
            last.frame = None;
            if serde_json::from_slice::<IgnoredAny>(&last.data).is_err_and(|error| error.is_eof()) {
                out.pop();
            }
        }
    }
}

/// A byte order mark, which some put before their text.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The length of the first event, its blank line included. A CR at the very end waits for a possible LF.
fn event_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let line_end = at + memchr2(b'\n', b'\r', bytes.get(at..)?)?;
        let next_line = after_line_end(bytes, line_end)?;
        match bytes.get(next_line)? {
            b'\n' | b'\r' => return after_line_end(bytes, next_line),
            _ => at = next_line,
        }
    }
}

/// Where the line after the line end at `at` begins; `None` while it cannot be known.
fn after_line_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'\n') {
        return Some(at + 1);
    }
    match bytes.get(at + 1) {
        Some(b'\n') => Some(at + 2),
        Some(_) => Some(at + 1),
        None => None,
    }
}

fn parse(raw: Bytes, out: &mut Vec<SseEvent>) {
    if let Some(data) = plain_frame(&raw) {
        if !data.trim_ascii().is_empty() {
            out.push(SseEvent { name: None, data, frame: Some(raw) });
        }
        return;
    }
    let mut event = Event::default();
    let mut rest: &[u8] = &raw;
    // Up to here nothing can be told without framing, so that no byte is read by more than two attempts.
    let mut tried = 0;
    while !rest.is_empty() {
        let at = raw.len() - rest.len();
        if at >= tried {
            match unframed(rest) {
                Ok(length) => {
                    event.dispatch(out);
                    out.push(SseEvent { name: None, data: raw.slice(at..at + length), frame: None });
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
                Err(read) => tried = at + read,
            }
        }
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        rest = after_line_end(tail, 0).and_then(|next| tail.get(next..)).unwrap_or_default();
        event.line(line);
    }
    event.dispatch(out);
}

/// The length of the JSON object, or list, that a line begins with: no field of an event does.
///
/// # Errors
/// How much of the text was read to know that it begins with none.
fn unframed(text: &[u8]) -> Result<usize, usize> {
    let json = text.trim_ascii_start();
    if !matches!(json.first(), Some(b'{' | b'[')) {
        return Err(text.len() - json.len());
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        Some(Err(error)) if !error.is_eof() => Err(place_of(&error, text)),
        _ => Err(text.len()),
    }
}

/// Where in a text an error is.
fn place_of(error: &serde_json::Error, text: &[u8]) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// An event as its lines are read.
#[derive(Default)]
struct Event {
    name: Option<String>,
    data: Option<BytesMut>,
}

impl Event {
    fn line(&mut self, line: &[u8]) {
        let (field, value) = match memchr(b':', line) {
            Some(0) => return,
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        match field {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.extend_from_slice(b"\n");
                    data.extend_from_slice(value);
                }
                None => self.data = Some(BytesMut::from(value)),
            },
            b"event" => self.name = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }

    fn dispatch(&mut self, out: &mut Vec<SseEvent>) {
        let Self { name, data } = std::mem::take(self);
        if let Some(data) = data.filter(|data| !data.trim_ascii().is_empty()) {
            out.push(SseEvent { name, data: data.freeze(), frame: None });
        }
    }
}

/// The data of `data: …\n\n` with nothing else in it.
fn plain_frame(raw: &Bytes) -> Option<Bytes> {
    let data = raw.strip_prefix(b"data: ")?.strip_suffix(b"\n\n")?;
    if memchr2(b'\n', b'\r', data).is_some() {
        return None;
    }
    Some(raw.slice(6..6 + data.len()))
}

/// Frames one JSON text as an event of one line.
pub fn frame(json: &[u8]) -> Bytes {
    named_frame("", json)
}

/// The same for an event with a name, which is left out where it is empty.
pub fn named_frame(name: &str, json: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(json.len() + name.len() + 16);
    if !name.is_empty() {
        for part in [b"event: ", name.as_bytes(), b"\n"] {
            frame.extend_from_slice(part);
        }
    }
    frame.extend_from_slice(b"data: ");
    put_line(json, &mut frame);
    frame.extend_from_slice(b"\n\n");
    frame.freeze()
}

/// Appends JSON text as one line: a line end inside it can only be white space, and becomes a blank.
pub fn put_line(json: &[u8], out: &mut BytesMut) {
    let mut rest = json;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        let (line, tail) = rest.split_at(at);
        out.extend_from_slice(line);
        out.extend_from_slice(b" ");
        rest = tail.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The event that ends a stream in OpenAI's format.
pub const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// The comment that keeps a silent stream alive.
pub const PING: Bytes = Bytes::from_static(b": ping\n\n");

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "\u{feff}: hello\r\n\r\ndata: {\"a\":\"Quy trình mua sắm\"}\n\nevent: tick\rdata: one\rdata: two\r\r\
        data:no space\r\n\r\nid: 4\n\ndata: [DONE]\n\n";

    fn decode(bytes: &[u8], cuts: &[usize]) -> Vec<(Option<String>, Bytes)> {
        let mut decoder = SseDecoder::default();
        let mut out = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&bytes.len()]) {
            decoder.push(Bytes::copy_from_slice(&bytes[from..cut]), &mut out).unwrap();
            from = cut;
        }
        decoder.finish(&mut out);
        out.into_iter().map(|event| (event.name, event.data)).collect()
    }

    /// D5: every way to cut a recorded stream in two, and one byte at a time, decodes the same.
    #[test]
    fn d5_any_chunking_decodes_the_same() {
        let bytes = RECORDED.as_bytes();
        let whole = decode(bytes, &[]);
        let expected: Vec<(Option<String>, Bytes)> = vec![
            (None, Bytes::from("{\"a\":\"Quy trình mua sắm\"}")),
            (Some("tick".into()), Bytes::from("one\ntwo")),
            (None, Bytes::from("no space")),
            (None, Bytes::from("[DONE]")),
        ];
        assert_eq!(whole, expected);
        let every_byte: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(decode(bytes, &every_byte), expected);
        for a in 1..bytes.len() {
            assert_eq!(decode(bytes, &[a]), expected, "cut at {a}");
            for b in a..bytes.len() {
                assert_eq!(decode(bytes, &[a, b]), expected, "cut at {a} and {b}");
            }
        }
    }

    /// D5: an event may be long, and one without end is an error that leaves nothing in memory.
    #[test]
    fn d5_an_event_has_a_longest_length() {
        let part = Bytes::from(vec![b'x'; 1 << 20]);
        let (mut decoder, mut out) = (SseDecoder::default(), Vec::new());
        decoder.push(Bytes::from_static(b"data: "), &mut out).unwrap();
        for _ in 0..15 {
            decoder.push(part.clone(), &mut out).unwrap();
        }
        decoder.push(Bytes::from_static(b"\n\ndata: "), &mut out).unwrap();
        assert_eq!(out[0].data.len(), 15 << 20);
        let pushed = (0..17).map(|_| decoder.push(part.clone(), &mut out)).collect::<Result<Vec<_>, _>>();
        assert_eq!((pushed.unwrap_err(), out.len(), decoder.buffer.capacity()), (TooLong, 1, 0));
    }

    /// sse-empty-event: an event without data, or with nothing but blanks in it, dispatches nothing.
    #[test]
    fn events_without_data_dispatch_nothing() {
        for empty in [
            "data:\n\n",
            "data: \n\n",
            "data\n\n",
            "event: ping\n\n",
            "data:\r\ndata: \r\n\r\n",
            ": x\n\n",
            "id: 7\n\n",
        ] {
            let text = format!("{empty}data: x\n\n{empty}");
            assert_eq!(decode(text.as_bytes(), &[]), [(None, Bytes::from("x"))], "{empty:?}");
        }
        assert_eq!(
            decode(b"event: a\n\ndata: x\n\n", &[]),
            [(None, Bytes::from("x"))],
            "a name does not outlive its event"
        );
    }

    /// other-framing: a JSON object without framing is an event, wherever it stands, and junk is not.
    #[test]
    fn an_unframed_object_is_an_event() {
        let pretty = "{\n  \"error\": {\n    \"message\": \"m\"\n  }\n}";
        for (text, expected) in [
            ("{\"a\":1}", vec!["{\"a\":1}"]),
            (pretty, vec![pretty]),
            ("data: x\n{\"a\":1}\n\n", vec!["x", "{\"a\":1}"]),
            ("data: x\n\n{\"a\":1}\ndata: [DONE]\n\n", vec!["x", "{\"a\":1}", "[DONE]"]),
            ("\n{\"a\":1}\r\n", vec!["\n{\"a\":1}"]),
            ("{nonsense}\ndata: x\n\n", vec!["x"]),
            ("data: x\n\n{\"a\":", vec!["x"]),
            ("data: x\n\ndata: {\"a\":", vec!["x"]),
        ] {
            let found: Vec<Bytes> = decode(text.as_bytes(), &[]).into_iter().map(|(_, data)| data).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    /// G8: what looks like JSON at each of its lines, and is none, takes time in proportion to its length.
    #[test]
    fn a_hostile_event_is_read_once() {
        let lines = MAX_EVENT_BYTES / 64;
        for (line, end) in [("[\n", ""), ("[\n", "x"), ("{\"a\":\n", ""), ("[\r", "x"), (" \n", ""), ("\t\n", "{")] {
            let text = format!("{}{end}", line.repeat(lines));
            let begun = std::time::Instant::now();
            assert_eq!(decode(text.as_bytes(), &[]), [], "{line:?}");
            // It takes minutes where each line reads the rest.
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{line:?} took {:?}", begun.elapsed());
        }
    }

    /// An attempt that failed hides nothing beyond the place where it did.
    #[test]
    fn an_object_after_broken_json_is_an_event() {
        for text in ["[2026-01-01] busy\n{\"a\":1}\n\n", "{\n\"b\": x\n{\"a\":1}\n\n", "[\n1\nx\n{\"a\":1}\n\n"] {
            assert_eq!(decode(text.as_bytes(), &[]), [(None, Bytes::from("{\"a\":1}"))], "{text:?}");
        }
    }

    #[test]
    fn a_text_of_many_lines_is_one_event() {
        assert_eq!(frame(b"{\"a\":\r\n1}"), &b"data: {\"a\":  1}\n\n"[..]);
    }

    #[test]
    fn a_plain_event_is_forwarded_as_it_came() {
        let mut out = Vec::new();
        SseDecoder::default().push(Bytes::from_static(b"data: {}\n\ndata: x\r\n\r\n"), &mut out).unwrap();
        assert_eq!(out[0].frame.as_deref(), Some(&b"data: {}\n\n"[..]));
        assert_eq!(out[1].frame, None);
    }
}
