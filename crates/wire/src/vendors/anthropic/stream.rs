//! Streamed answers.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{answer, finish_reason, service_tier};
use super::error::error_body;
use super::event::{Growth, Opening, Told};
use super::open::{Open, Step};
use super::usage::add_usage;
use crate::common::{AnswerHead, BlockHead, Delta, Event, Finish, JsonText};
use crate::sse::{SseDecoder, SseEvent};
use crate::surrogates::SurrogateRepair;
use crate::vendors::EventDecoder;
use crate::{MAX_EVENT_BYTES, Usage, cut_short, stream_error, too_long};

/// Reads Anthropic's events; blocks keep their order, and what comes of one while another is open waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Stream {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    usage: Option<Usage>,
    has_begun: bool,
    /// The blocks under way; the first is told as it grows.
    blocks: VecDeque<Open>,
    /// The number of the block that is told.
    index: usize,
    /// Whether that block has told its head.
    is_told: bool,
    /// What is held back, in bytes.
    kept: usize,
    calls_tools: bool,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    stop_details: Option<JsonText>,
    ended: bool,
}

impl Stream {
    fn take(&mut self, event: &SseEvent, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        let text = self.surrogates.repair(&event.data);
        if event.name.as_deref() == Some("error") {
            return self.end(Event::Error(error_body(200, &text)), out);
        }
        let Ok(told) = serde_json::from_slice::<Told<'_>>(&text) else {
            let error = stream_error("The provider's stream is not in Anthropic's format.", "malformed_stream");
            return self.end(Event::Error(error), out);
        };
        if told.error.is_some() {
            return self.end(Event::Error(error_body(200, &text)), out);
        }
        let number = told.index.unwrap_or_default();
        match told.kind.as_deref().or(event.name.as_deref()) {
            Some("message_start") => self.start(told.message.unwrap_or_default(), out),
            Some("content_block_start") => self.start_block(number, told.content_block, out),
            Some("content_block_delta") => self.grow_block(number, told.delta.unwrap_or_default(), out),
            Some("content_block_stop") => self.stop_block(number, out),
            Some("message_delta") => self.take_end(told.delta.unwrap_or_default(), told.usage.as_ref()),
            Some("message_stop") => self.stop(out),
            Some("message") => self.take_whole(&text, out),
            Some("error") => self.end(Event::Error(error_body(200, &text)), out),
            // Pings, and events that a later version of the API may add.
            _ => {}
        }
    }

    fn start(&mut self, message: Opening<'_>, out: &mut Vec<Event>) {
        self.count(message.usage.as_ref());
        let model = message.model.and_then(|model| serde_json::from_str(model.get()).ok()).unwrap_or_default();
        let service_tier = message.usage.as_ref().and_then(service_tier);
        let id = message.id.unwrap_or_default();
        self.begin(AnswerHead { id, model, usage: self.usage, service_tier, ..AnswerHead::default() }, out);
    }

    fn begin(&mut self, head: AnswerHead, out: &mut Vec<Event>) {
        if !self.has_begun {
            self.has_begun = true;
            out.push(Event::Start(head));
        }
    }

    fn count(&mut self, counts: Option<&Value>) {
        if let Some(counts) = counts.filter(|counts| counts.is_object()) {
            add_usage(self.usage.get_or_insert_default(), counts);
        }
    }

    fn start_block(&mut self, number: u64, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        let Some(raw) = raw else { return };
        self.close_implied(out);
        let (open, steps) = Open::start(number, raw);
        self.blocks.push_back(open);
        self.tell(self.blocks.len() - 1, steps, out);
        self.keep(raw.get().len(), out);
    }

    fn grow_block(&mut self, number: u64, growth: Growth, out: &mut Vec<Event>) {
        let at = match self.blocks.iter().rposition(|open| open.number == number && !open.is_stopped) {
            Some(at) => at,
            None => {
                let Some((open, steps)) = Open::implied(number, &growth) else { return };
                self.blocks.push_back(open);
                self.tell(self.blocks.len() - 1, steps, out);
                self.blocks.len() - 1
            }
        };
        let Some(open) = self.blocks.get_mut(at) else { return };
        let (steps, kept) = open.grow(growth);
        self.tell(at, steps, out);
        self.keep(kept, out);
    }

    fn stop_block(&mut self, number: u64, out: &mut Vec<Event>) {
        if let Some(at) = self.blocks.iter().rposition(|open| open.number == number && !open.is_stopped) {
            self.stop_at(at, out);
        }
    }

    fn stop_at(&mut self, at: usize, out: &mut Vec<Event>) {
        let Some(open) = self.blocks.get_mut(at) else { return };
        let steps = open.stop();
        self.tell(at, steps, out);
        while self.blocks.front().is_some_and(|open| open.is_stopped) {
            self.blocks.pop_front();
            if std::mem::take(&mut self.is_told) {
                out.push(Event::BlockStop(self.index));
                self.index += 1;
            }
            let waited = self.blocks.front_mut().map(|next| std::mem::take(&mut next.held)).unwrap_or_default();
            self.tell(0, waited, out);
        }
        if self.blocks.is_empty() {
            self.kept = 0;
        }
    }

    /// Tells the steps of a block, or holds them back while another is open.
    fn tell(&mut self, at: usize, steps: Vec<Step>, out: &mut Vec<Event>) {
        if at > 0 {
            self.kept += steps.iter().map(size).sum::<usize>();
            if let Some(open) = self.blocks.get_mut(at) {
                open.held.extend(steps);
            }
            return;
        }
        for step in steps {
            self.begin(AnswerHead::default(), out);
            match step {
                Step::Head(head) => {
                    self.calls_tools |= matches!(head, BlockHead::ToolUse(_));
                    self.is_told = true;
                    out.push(Event::BlockStart(self.index, head));
                }
                Step::Grow(delta) => out.push(Event::Delta(self.index, delta)),
            }
        }
    }

    /// Notes how much is held back, which has a bound.
    fn keep(&mut self, bytes: usize, out: &mut Vec<Event>) {
        self.kept += bytes;
        if self.kept > MAX_EVENT_BYTES && !self.ended {
            self.end(Event::Error(too_long()), out);
        }
    }

    /// Ends the block whose beginning did not come, as its end will not.
    fn close_implied(&mut self, out: &mut Vec<Event>) {
        while let Some(at) = self.blocks.iter().position(|open| open.is_implicit && !open.is_stopped) {
            self.stop_at(at, out);
        }
    }

    fn take_end(&mut self, end: Growth, counts: Option<&Value>) {
        if let Some(reason) = end.stop_reason.filter(|reason| !reason.is_empty()) {
            self.stop_reason = Some(reason);
        }
        self.stop_sequence = end.stop_sequence.or(self.stop_sequence.take());
        self.stop_details = end.stop_details.or(self.stop_details.take());
        self.count(counts);
    }

    /// Ends the answer as a whole one.
    fn stop(&mut self, out: &mut Vec<Event>) {
        while let Some(at) = self.blocks.iter().position(|open| !open.is_stopped) {
            self.stop_at(at, out);
        }
        self.begin(AnswerHead { usage: self.usage, ..AnswerHead::default() }, out);
        out.push(Event::Finish(Finish {
            reason: finish_reason(self.stop_reason.as_deref().unwrap_or_default(), self.calls_tools),
            stop_sequence: self.stop_sequence.take(),
            details: self.stop_details.take(),
        }));
        self.end(Event::Done, out);
    }

    /// Takes a whole answer in the place of a stream's events.
    fn take_whole(&mut self, text: &[u8], out: &mut Vec<Event>) {
        match answer(text) {
            Ok(answer) => {
                self.ended = true;
                out.extend(answer.into_events());
            }
            Err(error) => self.end(Event::Error(error), out),
        }
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: Event, out: &mut Vec<Event>) {
        self.ended = true;
        self.blocks = VecDeque::new();
        out.extend(self.usage.take().map(Event::Usage));
        out.push(last);
    }

    /// Takes in an event that lacks only its blank line.
    fn take_last(&mut self, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in &events {
            self.take(event, out);
        }
    }
}

/// How many bytes a step holds.
fn size(step: &Step) -> usize {
    match step {
        Step::Head(BlockHead::Hosted(raw, _)) => raw.as_str().len(),
        Step::Head(BlockHead::Redacted(token)) | Step::Grow(Delta::Token(token)) => token.text.len(),
        Step::Grow(Delta::Text(text) | Delta::Arguments(text)) => text.len() + size_of::<Step>(),
        Step::Grow(Delta::Annotation(raw)) => raw.as_str().len(),
        _ => size_of::<Step>(),
    }
}

impl EventDecoder for Stream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        for event in &events {
            self.take(event, out);
        }
        if pushed.is_err() && !self.ended {
            self.end(Event::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        self.take_last(out);
        if !self.ended && self.is_complete() {
            self.stop(out);
        }
        self.broken(out);
    }

    fn broken(&mut self, out: &mut Vec<Event>) {
        self.take_last(out);
        if !self.ended {
            self.end(Event::Error(cut_short()), out);
        }
    }

    fn is_complete(&self) -> bool {
        self.stop_reason.is_some() && self.blocks.iter().all(|open| open.is_implicit)
    }
}
