//! A streamed answer: one JSON object a line.

use bytes::Bytes;

use super::answer::{Part, Said};
use super::lines::Lines;
use crate::common::{BlockHead, Delta, Event, JsonText, ToolUse};
use crate::surrogates::SurrogateRepair;
use crate::vendors::EventDecoder;
use crate::{ErrorBody, cut_short, sse, stream_error, too_long};

/// Reads Ollama's lines.
#[derive(Debug, Default)]
pub(super) struct Stream {
    lines: Lines,
    surrogates: SurrogateRepair,
    /// The head of the block that grows, text or thinking.
    open: Option<BlockHead>,
    /// The number of the block that grows or comes next.
    at: usize,
    calls_tools: bool,
    begun: bool,
    /// How it ended, well or badly.
    ended: Option<Result<(), ()>>,
}

impl Stream {
    fn take(&mut self, line: &[u8], out: &mut Vec<Event>) {
        let line = line.strip_prefix(sse::BOM).unwrap_or(line);
        if self.ended.is_some() || line.trim_ascii().is_empty() {
            return;
        }
        let repaired = self.surrogates.repair(line);
        let Some(part) = Part::read(&repaired) else {
            return self
                .fail(stream_error("The provider's stream is not in Ollama's format.", "malformed_stream"), out);
        };
        if let Some(error) = part.error(&repaired) {
            return self.fail(error, out);
        }
        if !self.begun {
            self.begun = true;
            out.push(Event::Start(part.head()));
        }
        let is_done = part.is_done() == Some(true);
        self.say(part.said().unwrap_or_default(), part.logprobs(), is_done, out);
        if is_done {
            self.close(out);
            out.push(Event::Finish(part.finish(self.calls_tools)));
            out.extend(part.usage().map(Event::Usage));
            out.push(Event::Done);
            self.ended = Some(Ok(()));
        }
    }

    fn say(&mut self, said: Said, logprobs: Option<JsonText>, is_done: bool, out: &mut Vec<Event>) {
        if !said.thinking.is_empty() {
            self.grow(&BlockHead::Thinking { is_summary: false }, Delta::Text(said.thinking), out);
        }
        // They stand with the text they belong to, or with the end if that holds the last of them.
        let belongs = !said.text.is_empty() || (is_done && self.open == Some(BlockHead::Text));
        if !said.text.is_empty() {
            self.grow(&BlockHead::Text, Delta::Text(said.text), out);
        }
        if let Some(logprobs) = logprobs.filter(|_| belongs) {
            self.grow(&BlockHead::Text, Delta::Logprobs(logprobs), out);
        }
        for mut call in said.calls {
            self.close(out);
            self.calls_tools = true;
            let arguments = std::mem::take(&mut call.arguments);
            self.whole_call(call, arguments, out);
        }
    }

    fn whole_call(&mut self, call: ToolUse, arguments: String, out: &mut Vec<Event>) {
        out.push(Event::BlockStart(self.at, BlockHead::ToolUse(ToolUse { arguments, ..call })));
        out.push(Event::BlockStop(self.at));
        self.at += 1;
    }

    /// Lets the open block grow, or another one where it is of another kind.
    fn grow(&mut self, head: &BlockHead, delta: Delta, out: &mut Vec<Event>) {
        if self.open.as_ref() != Some(head) {
            self.close(out);
            out.push(Event::BlockStart(self.at, head.clone()));
            self.open = Some(head.clone());
        }
        out.push(Event::Delta(self.at, delta));
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::BlockStop(self.at));
            self.at += 1;
        }
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<Event>) {
        if self.ended.is_none() {
            self.ended = Some(Err(()));
            out.push(Event::Error(error));
        }
    }
}

impl EventDecoder for Stream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Event>) {
        if self.ended.is_some() {
            return;
        }
        self.lines.push(&bytes);
        // One whole answer in a stream's place may be spread over lines.
        while let Some(line) = self.lines.next(!self.begun) {
            self.take(&line, out);
        }
        if self.lines.check().is_err() {
            self.fail(too_long(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if let Some(line) = self.lines.last() {
            self.take(&line, out);
        }
        self.broken(out);
    }

    fn broken(&mut self, out: &mut Vec<Event>) {
        self.fail(cut_short(), out);
    }

    fn is_complete(&self) -> bool {
        self.ended == Some(Ok(()))
    }
}
