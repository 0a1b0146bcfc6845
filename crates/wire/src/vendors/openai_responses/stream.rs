//! Streamed answers: the vendor's items, one after the other, as blocks.

use std::collections::{BTreeMap, HashSet, VecDeque};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::answer::{Response, answer, failure, words};
use super::live::{Live, Wire};
use crate::common::Event;
use crate::openai::error_text;
use crate::sse::{SseDecoder, SseEvent};
use crate::surrogates::SurrogateRepair;
use crate::vendors::EventDecoder;
use crate::{ErrorBody, MAX_EVENT_BYTES, cut_short, stream_error, too_long};

/// A streamed answer in the format of Responses.
#[derive(Debug, Default)]
pub(super) struct ResponsesStream {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    live: Live,
    is_started: bool,
    is_ended: bool,
    /// The items that came, by their places.
    seen: HashSet<u64>,
    /// The item that is told now.
    front: Option<u64>,
    /// Items that wait for the one before them: some vendors mix the events of several calls.
    waiting: VecDeque<u64>,
    held: BTreeMap<u64, Vec<(String, Bytes)>>,
    held_bytes: usize,
}

impl ResponsesStream {
    fn take(&mut self, event: SseEvent, out: &mut Vec<Event>) {
        if self.is_ended {
            return;
        }
        let repaired = match self.surrogates.repair(&event.data) {
            std::borrow::Cow::Borrowed(_) => event.data.clone(),
            std::borrow::Cow::Owned(text) => Bytes::from(text),
        };
        if repaired.trim_ascii() == b"[DONE]" {
            return;
        }
        let wire = match read(&repaired) {
            Ok(wire) => wire,
            Err(error) => return self.end(Event::Error(error), out),
        };
        let kind = wire.kind.map(words).or(event.name).unwrap_or_default();
        match kind.as_str() {
            "response.created" | "response.in_progress" | "response.queued" => self.start(wire.response, out),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                self.terminal(&kind, wire.response, out);
            }
            "error" => self.end(Event::Error(stated(&wire, &repaired)), out),
            "" | "response" => self.unnamed(&wire, &repaired, out),
            _ => self.of_item(kind, &wire, &repaired, out),
        }
    }

    fn start(&mut self, response: Option<&RawValue>, out: &mut Vec<Event>) {
        if !self.is_started {
            self.is_started = true;
            let response = response.and_then(|raw| serde_json::from_str::<Response<'_>>(raw.get()).ok());
            out.push(Event::Start(response.unwrap_or_default().head()));
        }
    }

    /// An event without a type: an error, or a whole answer in the place of a stream.
    fn unnamed(&mut self, wire: &Wire<'_>, text: &Bytes, out: &mut Vec<Event>) {
        if wire.error.is_some_and(|error| error.get() != "null") {
            return self.end(Event::Error(error_text(text)), out);
        }
        let is_whole = wire.object.is_some_and(|raw| raw.get() == "\"response\"");
        if is_whole && !self.is_started {
            match answer(text) {
                Ok(answer) => out.extend(answer.into_events()),
                Err(error) => out.push(Event::Error(error)),
            }
            self.is_ended = true;
        }
    }

    /// An event of an item: told at once where it is the item's turn, else held back.
    fn of_item(&mut self, kind: String, wire: &Wire<'_>, text: &Bytes, out: &mut Vec<Event>) {
        let Some(index) = wire.output_index.and_then(|raw| raw.get().parse::<u64>().ok()) else { return };
        self.start(None, out);
        self.seen.insert(index);
        if *self.front.get_or_insert(index) == index {
            self.live.take(&kind, wire, out);
            if kind == "response.output_item.done" {
                self.next_item(out);
            }
            return;
        }
        if !self.held.contains_key(&index) {
            self.waiting.push_back(index);
        }
        self.held_bytes += text.len();
        self.held.entry(index).or_default().push((kind, text.clone()));
        if self.held_bytes > MAX_EVENT_BYTES {
            self.end(Event::Error(too_long()), out);
        }
    }

    /// Tells what was held back, as far as the items before it are complete.
    fn next_item(&mut self, out: &mut Vec<Event>) {
        self.live.end(out);
        self.front = None;
        while let Some(index) = self.waiting.pop_front() {
            let mut is_done = false;
            for (kind, text) in self.held.remove(&index).unwrap_or_default() {
                self.held_bytes = self.held_bytes.saturating_sub(text.len());
                if let Ok(wire) = read(&text) {
                    self.live.take(&kind, &wire, out);
                }
                is_done |= kind == "response.output_item.done";
            }
            if !is_done {
                self.front = Some(index);
                return;
            }
            self.live.end(out);
        }
    }

    fn terminal(&mut self, kind: &str, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        let read = raw.and_then(|raw| serde_json::from_str::<Response<'_>>(raw.get()).ok());
        let response = read.unwrap_or_default();
        let status = kind.strip_prefix("response.").unwrap_or(kind);
        let response = Response { status: Some(status.to_owned()), ..response };
        self.start(raw, out);
        while self.front.is_some() {
            self.next_item(out);
        }
        let usage = response.usage().map(Event::Usage);
        if let Some(error) = response.failure() {
            out.extend(usage);
            return self.end(Event::Error(error), out);
        }
        // Some tell items at the end alone.
        let output = response.output.as_deref().unwrap_or_default();
        for (_, item) in output.iter().enumerate().filter(|(at, _)| !self.seen.contains(&(*at as u64))) {
            self.live.whole(item, out);
        }
        out.push(Event::Finish(response.finish(self.live.said)));
        out.extend(usage);
        self.end(Event::Done, out);
    }

    fn end(&mut self, last: Event, out: &mut Vec<Event>) {
        self.is_ended = true;
        (self.held, self.waiting) = (BTreeMap::new(), VecDeque::new());
        out.push(last);
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in events {
            self.take(event, out);
        }
        if !self.is_ended {
            self.end(Event::Error(cut_short()), out);
        }
    }
}

/// Reads an event.
///
/// # Errors
/// Where it is none.
fn read(text: &[u8]) -> Result<Wire<'_>, ErrorBody> {
    let is_object = text.trim_ascii_start().starts_with(b"{");
    let wire = Some(text).filter(|_| is_object).and_then(|text| serde_json::from_slice(text).ok());
    wire.ok_or_else(|| stream_error("The provider's stream is not in its format.", "malformed_stream"))
}

/// The error that an event tells, in itself or in a field.
fn stated(wire: &Wire<'_>, text: &[u8]) -> ErrorBody {
    let own = String::from_utf8_lossy(text);
    failure(wire.error.filter(|error| error.get() != "null").map_or(&own, RawValue::get))
}

impl EventDecoder for ResponsesStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        for event in events {
            self.take(event, out);
        }
        if pushed.is_err() && !self.is_ended {
            self.end(Event::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        self.close(out);
    }

    fn broken(&mut self, out: &mut Vec<Event>) {
        self.close(out);
    }

    fn is_complete(&self) -> bool {
        self.is_ended
    }
}
