//! A stream of Responses on its way out: what keeps it alive, and the numbers of its events.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Responses;
use crate::ErrorBody;
use crate::clients::{ClientFormat, ReplyContext, StreamEncoder};
use crate::common::{Conversation, Event};
use crate::splice::Splices;
use crate::sse;

/// Events that open a stream, which nothing may repeat.
const OPENING: [&str; 3] = ["response.created", "response.in_progress", "response.queued"];

/// A stream of one client. Comments do not keep its clients waiting, so that it is kept alive by events; these are part
/// of the numbering (J21).
pub struct LiveStream {
    request_id: String,
    conversation: Arc<Conversation>,
    now: u64,
    /// Whether the gateway opened the stream before there was an answer.
    is_opened: bool,
    /// The number of the next event, once it is another than that of the answer's own.
    next: Option<u64>,
    /// The last frames that the client got.
    last: Bytes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
}

impl LiveStream {
    /// The stream of a request, begun at some seconds since 1970.
    pub fn new(request_id: String, conversation: Arc<Conversation>, now: u64) -> Self {
        Self { request_id, conversation, now, is_opened: false, next: None, last: Bytes::new() }
    }

    /// What keeps the stream alive: an event, before which the stream is opened where it is not.
    pub fn heartbeat(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        let number = match self.number() {
            Some(number) => number,
            // Without numbers there is none to go on with; a comment may stand anywhere.
            None if !self.last.is_empty() => return sse::PING,
            None => {
                self.encoder().begin(&mut out);
                self.is_opened = true;
                last_number(&out).map_or(0, |number| number + 1)
            }
        };
        self.next = Some(number + 1);
        let data = format!("{{\"type\":\"keepalive\",\"sequence_number\":{number}}}");
        out.extend_from_slice(&sse::named_frame("keepalive", data.as_bytes()));
        out.freeze()
    }

    /// Frames of the answer as the client gets them: without a second opening, and with numbers that go on.
    pub fn pass(&mut self, frames: Bytes) -> Bytes {
        let frames = if self.next.is_some() { self.renumbered(&frames) } else { frames };
        if !frames.is_empty() {
            self.last = frames.clone();
        }
        frames
    }

    /// The frames that end the stream with an error.
    pub fn fail(&mut self, error: &ErrorBody) -> Bytes {
        let mut out = BytesMut::new();
        self.encoder().push(Event::Error(error.clone()), &mut out);
        match self.number() {
            Some(number) => {
                self.next = Some(number);
                self.is_opened = true;
                self.renumbered(&out)
            }
            None => out.freeze(),
        }
    }

    fn encoder(&self) -> Box<dyn StreamEncoder> {
        let context = ReplyContext {
            request_id: &self.request_id,
            conversation: &self.conversation,
            now: self.now,
            input_estimate: None,
            strict: false,
            sealer: None,
        };
        Responses.stream(&context)
    }

    /// The number of the next event; none before the first.
    fn number(&self) -> Option<u64> {
        self.next.or_else(|| last_number(&self.last).map(|number| number + 1))
    }

    fn renumbered(&mut self, frames: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(frames.len() + 64);
        let mut rest = frames;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"\n\n").map_or(rest.len(), |at| at + 2);
            let (event, tail) = rest.split_at(end);
            self.renumber(event, &mut out);
            rest = tail;
        }
        out.freeze()
    }

    fn renumber(&mut self, event: &[u8], out: &mut BytesMut) {
        let data = data_of(event);
        let wire = data.and_then(|data| serde_json::from_slice::<Wire<'_>>(data).ok());
        let (Some(data), Some(wire), Some(next)) = (data, wire, self.next) else { return out.extend_from_slice(event) };
        let is_opening = wire.kind.as_deref().is_some_and(|kind| OPENING.contains(&kind));
        if is_opening && self.is_opened {
            return;
        }
        let Some(number) = wire.sequence_number else { return out.extend_from_slice(event) };
        let mut splices = Splices::default();
        splices.replace(data, number, next.to_string());
        self.next = Some(next + 1);
        out.extend_from_slice(event.get(..event.len() - data.len()).unwrap_or_default());
        out.extend_from_slice(&splices.apply(data));
    }
}

/// The data of an event.
fn data_of(event: &[u8]) -> Option<&[u8]> {
    let start = if event.starts_with(b"data:") { 0 } else { memchr::memmem::find(event, b"\ndata:")? + 1 };
    event.get(start + 5..)
}

/// The number of the last event in some frames.
fn last_number(frames: &[u8]) -> Option<u64> {
    let mut rest = frames.strip_suffix(b"\n\n").unwrap_or(frames);
    while !rest.is_empty() {
        let start = memchr::memmem::rfind(rest, b"\n\n").map_or(0, |at| at + 2);
        let (before, event) = rest.split_at(start);
        let wire = data_of(event).and_then(|data| serde_json::from_slice::<Wire<'_>>(data).ok());
        if let Some(number) = wire.and_then(|wire| wire.sequence_number?.get().parse().ok()) {
            return Some(number);
        }
        rest = before.strip_suffix(b"\n\n").unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, number: u64) -> String {
        format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},\"x\":{{\"sequence_number\":9}}}}\n\n"
        )
    }

    fn live() -> LiveStream {
        LiveStream::new("r1".to_owned(), Arc::default(), 7)
    }

    /// Kinds and numbers of some frames.
    fn told(frames: &[Bytes]) -> Vec<(String, u64)> {
        let text = String::from_utf8(frames.concat()).unwrap();
        let events = text.split("\n\n").filter(|event| !event.is_empty()).map(|event| {
            let (name, data) = event.split_once("\ndata: ").unwrap();
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
            (data["type"].as_str().unwrap().to_owned(), data["sequence_number"].as_u64().unwrap())
        });
        events.collect()
    }

    fn kinds(told: &[(String, u64)]) -> Vec<&str> {
        assert!(told.iter().map(|(_, number)| *number).eq(0..told.len() as u64), "{told:?}");
        told.iter().map(|(kind, _)| kind.as_str()).collect()
    }

    /// J21: numbers stay gapless, and the stream is opened once.
    #[test]
    fn j21_heartbeats_are_part_of_the_numbering() {
        let answer = [event("response.created", 0) + &event("response.in_progress", 1), event("response.completed", 2)];
        let mut stream = live();
        let mut out = vec![stream.heartbeat(), stream.heartbeat()];
        out.push(stream.pass(answer[0].clone().into()));
        out.push(stream.heartbeat());
        out.push(stream.pass(answer[1].clone().into()));
        let early = told(&out);
        let expected =
            ["response.created", "response.in_progress", "keepalive", "keepalive", "keepalive", "response.completed"];
        assert_eq!(kinds(&early), expected);

        let mut stream = live();
        let out = [stream.pass(answer[0].clone().into()), stream.heartbeat(), stream.pass(answer[1].clone().into())];
        assert_eq!(kinds(&told(&out)), ["response.created", "response.in_progress", "keepalive", "response.completed"]);
        let mut stream = live();
        stream.pass("event: x\ndata: {\"type\":\"x\"}\n\n".into());
        assert_eq!(stream.heartbeat(), sse::PING, "there are no numbers to go on with");
        let unnumbered = "event: keepalive\ndata: {\"type\":\"x\"}\n\n";
        assert_eq!(stream.pass(unnumbered.into()), unnumbered);
    }

    /// J3: a failure is the stream's own last event, with the next number.
    #[test]
    fn j3_a_failure_has_the_next_number() {
        let error = ErrorBody::new("api_error", "stream_cut", "m");
        assert_eq!(kinds(&told(&[live().fail(&error)])).last(), Some(&"response.failed"));
        let mut stream = live();
        let out = [stream.heartbeat(), stream.fail(&error)];
        let expected = ["response.created", "response.in_progress", "keepalive", "response.failed"];
        assert_eq!(kinds(&told(&out)), expected);
        let mut stream = live();
        let begun = event("response.created", 0) + "data: {\"type\":\"a\",\"sequence_number\":1}\n\n";
        stream.pass(begun.into());
        assert_eq!(told(&[stream.fail(&error)]), [("response.failed".to_owned(), 2)]);
    }
}
