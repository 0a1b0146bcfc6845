//! A streamed answer.

mod call_parts;
mod chunk;

use bytes::Bytes;

use self::chunk::{Choice, Chunk, DeltaParts, raw_text};
use super::answer::{answer, moved, pieces};
use super::finish_reason;
use super::queue::Queue;
use super::usage::{self, tier};
use crate::clients::chat;
use crate::clients::chat::fields::{Fields, list};
use crate::common::{AnswerHead, BlockHead, BlockKind, Delta, Event, Finish, JsonText, StreamedCalls};
use crate::sse::{SseDecoder, SseEvent};
use crate::surrogates::SurrogateRepair;
use crate::usage::Count;
use crate::vendors::EventDecoder;
use crate::{ErrorBody, TooLong, Usage, cut_short, openai, stream_error, too_long};

/// Reads chunks and tells them as events.
#[derive(Debug, Default)]
pub(super) struct ChatEvents {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    head: AnswerHead,
    begun: bool,
    blocks: Queue,
    calls: StreamedCalls<usize>,
    has_refusal: bool,
    /// How long the text is so far, in characters, and where its last block begins.
    length: usize,
    start: usize,
    usage: Option<Usage>,
    reason: Option<String>,
    ended: bool,
}

impl ChatEvents {
    fn take(&mut self, event: &SseEvent, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if event.data.trim_ascii() == b"[DONE]" {
            return self.complete(out);
        }
        let text = self.surrogates.repair(&event.data).into_owned();
        let chunk = match chunk::read(event.name.as_deref(), &text) {
            Ok(chunk) => chunk,
            Err(error) => return self.fail(error, out),
        };
        if let Some(tier) = chunk.service_tier.and_then(|raw| tier(raw.get())) {
            self.head.service_tier = Some(tier);
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        // Some send the whole message beside each delta.
        let is_whole = |choice: &Choice<'_>| choice.message.is_some() && choice.delta.is_none();
        if !self.begun && choices.iter().any(is_whole) {
            return self.take_whole(text.into(), out);
        }
        self.count(&chunk);
        self.name(&chunk);
        if !choices.is_empty() {
            self.begin(out);
        }
        // What is asked for is one choice.
        for choice in choices.iter().filter(|choice| choice.index.0.unwrap_or(0) == 0) {
            if let Err(error) = self.grow(choice, out) {
                return self.fail(error, out);
            }
        }
    }

    /// What vendors count in any chunk; the last word counts.
    fn count(&mut self, chunk: &Chunk<'_>) {
        let in_choice = chunk.choices.iter().flatten().find_map(|choice| choice.usage);
        let groq = chunk.x_groq.and_then(|raw| Fields::of(raw.get())?.get("usage"));
        let places = [chunk.usage.map(|raw| raw.get()), in_choice.map(|raw| raw.get()), groq];
        self.usage = places.into_iter().flatten().find_map(usage::read).or(self.usage);
    }

    fn name(&mut self, chunk: &Chunk<'_>) {
        if self.begun {
            return;
        }
        if let Some(id) = raw_text(chunk.id) {
            self.head.id = id;
        }
        if let Some(model) = raw_text(chunk.model) {
            self.head.model = model;
        }
        if let Some(created) = chunk.created.and_then(|raw| serde_json::from_str::<Count>(raw.get()).ok()?.0) {
            self.head.created = created;
        }
    }

    fn begin(&mut self, out: &mut Vec<Event>) {
        if !self.begun {
            self.begun = true;
            out.push(Event::Start(self.head.clone()));
        }
    }

    fn grow(&mut self, choice: &Choice<'_>, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        if let Some(error) = choice.error {
            return Err(openai::error_text(error.get().as_bytes()));
        }
        if let Some(delta) = &choice.delta {
            self.grow_parts(delta, out).map_err(|TooLong| too_long())?;
            self.grow_calls(delta, out)?;
        }
        if let Some(logprobs) = choice.logprobs.and_then(|raw| Fields::of(raw.get())?.json("content"))
            && let Some(number) = self.blocks.latest(|head| *head == BlockHead::Text)
        {
            self.blocks.grow(number, Delta::Logprobs(logprobs), out).map_err(|TooLong| too_long())?;
        }
        if let Some(reason) = raw_text(choice.finish_reason).filter(|reason| !reason.is_empty()) {
            self.reason = Some(reason);
        }
        Ok(())
    }

    fn grow_parts(&mut self, delta: &DeltaParts<'_>, out: &mut Vec<Event>) -> Result<(), TooLong> {
        let reasoning = raw_text(delta.reasoning_content).or_else(|| raw_text(delta.reasoning));
        if let Some(text) = reasoning {
            self.say(BlockHead::Thinking { is_summary: false }, text, out)?;
        }
        for block in delta.content_blocks.and_then(|raw| list(raw.get())).unwrap_or_default() {
            self.seal(block, out)?;
        }
        let mut said = Vec::new();
        if let Some(content) = delta.content {
            pieces(content.get(), &mut |piece| said.push(piece));
        }
        for piece in said {
            match piece {
                BlockKind::Text { text, .. } => self.say(BlockHead::Text, text, out)?,
                BlockKind::Thinking { text, .. } => self.say(BlockHead::Thinking { is_summary: false }, text, out)?,
                BlockKind::Refusal(text) => self.say(BlockHead::Refusal, text, out)?,
                _ => {}
            }
        }
        if let Some(refusal) = raw_text(delta.refusal) {
            self.say(BlockHead::Refusal, refusal, out)?;
        }
        let annotations: Vec<JsonText> =
            delta.annotations.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        for annotation in annotations {
            let number = self.blocks.latest(|head| *head == BlockHead::Text);
            let number = number.unwrap_or_else(|| self.open_text(out));
            self.blocks.grow(number, Delta::Annotation(moved(annotation, self.start)), out)?;
        }
        Ok(())
    }

    fn open_text(&mut self, out: &mut Vec<Event>) -> usize {
        self.start = self.length;
        self.blocks.begin(BlockHead::Text, out)
    }

    /// Adds words to the last block where that is of the same kind, and else to a new one.
    fn say(&mut self, head: BlockHead, text: String, out: &mut Vec<Event>) -> Result<(), TooLong> {
        if text.is_empty() {
            return Ok(());
        }
        self.has_refusal |= head == BlockHead::Refusal;
        let number = match self.blocks.last(|last| *last == head) {
            Some(number) => number,
            None if head == BlockHead::Text => self.open_text(out),
            None => self.blocks.begin(head.clone(), out),
        };
        if head == BlockHead::Text {
            self.length += text.chars().count();
        }
        self.blocks.grow(number, Delta::Text(text), out)
    }

    /// Takes the seal of reasoning that another gateway of this kind tells in `content_blocks`.
    fn seal(&mut self, block: &str, out: &mut Vec<Event>) -> Result<(), TooLong> {
        match Fields::of(block).and_then(|block| chat::reasoning_block(&block)) {
            Some(BlockKind::Thinking { token: Some(token), is_summary, .. }) => {
                let thinking = self.blocks.last(|head| matches!(head, BlockHead::Thinking { .. }));
                let number = match thinking {
                    Some(number) => number,
                    None => self.blocks.begin(BlockHead::Thinking { is_summary }, out),
                };
                self.blocks.grow(number, Delta::Token(token), out)
            }
            Some(BlockKind::Redacted(token)) => {
                self.blocks.begin(BlockHead::Redacted(token), out);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes a whole answer in the place of a stream's chunks.
    fn take_whole(&mut self, text: Bytes, out: &mut Vec<Event>) {
        match answer(&text) {
            Ok(answer) => {
                self.ended = true;
                out.extend(answer.into_events());
            }
            Err(error) => self.fail(error, out),
        }
    }

    /// Ends the answer as a whole one.
    fn complete(&mut self, out: &mut Vec<Event>) {
        self.begin(out);
        self.blocks.drain(out);
        let word = self.reason.as_deref().unwrap_or_default();
        let reason = finish_reason(word, self.calls.count() > 0, self.has_refusal);
        out.push(Event::Finish(Finish { reason, ..Finish::default() }));
        self.end(Event::Done, out);
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<Event>) {
        self.end(Event::Error(error), out);
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: Event, out: &mut Vec<Event>) {
        self.ended = true;
        if let Some(mut usage) = self.usage.take() {
            usage.service_tier = self.head.service_tier.unwrap_or_default();
            out.push(Event::Usage(usage));
        }
        out.push(last);
    }

    /// Takes the end of the bytes; `complete` where a finish reason alone makes an answer whole.
    fn close(&mut self, complete: bool, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        events.iter().for_each(|event| self.take(event, out));
        if self.ended {
            return;
        }
        if complete && self.reason.is_some() {
            self.complete(out);
        } else {
            self.fail(cut_short(), out);
        }
    }
}

impl EventDecoder for ChatEvents {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Event>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        events.iter().for_each(|event| self.take(event, out));
        if pushed.is_err() && !self.ended {
            self.fail(too_long(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        // Some compatible vendors close after the finish reason without `[DONE]`.
        self.close(true, out);
    }

    fn broken(&mut self, out: &mut Vec<Event>) {
        self.close(false, out);
    }

    fn is_complete(&self) -> bool {
        self.reason.is_some()
    }
}

/// The error of a stream that is not in the format.
fn malformed_stream() -> ErrorBody {
    stream_error("The provider's stream is not in its format.", "malformed_stream")
}
