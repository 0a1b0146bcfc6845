//! Streamed answers: frames pass as they came; usage, errors and the end are read out of them.

mod calls;
mod head;
mod template;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;
use serde_json::value::RawValue;

use self::calls::Calls;
use self::head::{ChoiceHead, ChunkHead, UsageHead};
use self::template::TextTemplate;
use super::answer::{chat_answer, listed_error, read_usage, service_tier};
use super::error::{error_text, is_bare_error};
use super::finish::{corrected, is_reason};
use super::{may_reason, strip_reasoning};
use crate::splice::Splices;
use crate::sse::{self, SseDecoder, SseEvent};
use crate::surrogates::SurrogateRepair;
use crate::{ErrorBody, ServiceTier, StreamDecoder, StreamEvent, Usage, cut_short, framing, stream_error, too_long};

/// How many kinds of text chunks one stream may have that are known without parsing them.
const MAX_TEMPLATES: u32 = 8;

/// A chat stream in OpenAI's format.
#[derive(Debug, Default)]
pub struct ChatStream {
    sse: SseDecoder,
    events: Vec<SseEvent>,
    surrogates: SurrogateRepair,
    usage: Option<(Usage, Bytes)>,
    service_tier: ServiceTier,
    /// The choices that came so far.
    choices: BTreeMap<u64, Choice>,
    /// How many are to come.
    asked: u64,
    ended: bool,
    strict: bool,
    /// Whether the client wants the usage that each chunk has (`continuous_usage_stats`).
    shows_usage: bool,
    /// The last text chunk that was parsed, and how many were taken for a template.
    template: Option<TextTemplate>,
    templates: u32,
}

/// A choice so far.
#[derive(Debug, Default)]
struct Choice {
    calls: Calls,
    finished: bool,
}

impl ChatStream {
    /// A decoder; `strict` removes what OpenAI's own API does not have.
    pub fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// The same for an answer of so many choices.
    pub fn of(self, choices: u64) -> Self {
        Self { asked: choices, ..self }
    }

    /// The same for a client that wants the usage that each chunk has.
    pub fn showing_usage(self, shows_usage: bool) -> Self {
        Self { shows_usage, ..self }
    }

    fn take(&mut self, event: SseEvent, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        if event.data.trim_ascii() == b"[DONE]" {
            self.end(StreamEvent::Done, out);
            return;
        }
        if let Some(text) = self.repeated(&event) {
            let frame = event.frame.unwrap_or_default();
            return out.push(StreamEvent::Chunk { frame, content: true, text: Some(text) });
        }
        let repaired = self.surrogates.repair(&event.data);
        let head = match read(event.name.as_deref(), &repaired) {
            Ok(head) => head,
            Err(error) => return self.end(StreamEvent::Error(error), out),
        };
        // Any chunk may tell it, and not each has to.
        if let Some(raw) = head.service_tier {
            self.service_tier = service_tier(raw);
        }
        let choices = head.choices.as_deref().unwrap_or_default();
        // Some send the whole message beside each delta.
        let is_whole = |choice: &ChoiceHead<'_>| choice.message.is_some() && choice.delta.is_none();
        if self.choices.is_empty() && choices.iter().any(is_whole) {
            self.take_whole(&repaired, out);
            return;
        }
        let has_usage = head.usage.is_some();
        let elsewhere = if has_usage { None } else { inner_usage(choices, head.x_groq.as_ref()) };
        let usage = head.usage.or(elsewhere).and_then(read_usage);
        let mut splices = Splices::default();
        let mut content = false;
        for choice in choices {
            content |= self.grow(&repaired, choice, &mut splices);
        }
        if let Some(usage) = usage {
            let chunk = match elsewhere {
                None if choices.is_empty() => Bytes::copy_from_slice(&repaired),
                elsewhere => usage_chunk(&repaired, elsewhere),
            };
            self.usage = Some((usage, chunk));
        }
        if has_usage && choices.is_empty() {
            return;
        }
        let is_untouched = event.frame.is_some() && matches!(repaired, Cow::Borrowed(_)) && splices.is_empty();
        // What a strict client may not see could stand in any text.
        if is_untouched
            && !self.strict
            && self.templates < MAX_TEMPLATES
            && let Some(template) = TextTemplate::of(&event.data, &head, choices)
        {
            (self.template, self.templates) = (Some(template), self.templates + 1);
        }
        let strip = self.strict && may_reason(&repaired);
        let text = if splices.is_empty() { repaired } else { Cow::Owned(splices.apply(&repaired)) };
        let frame = match (&text, event.frame) {
            _ if (has_usage && !self.shows_usage) || strip => stripped(&text, strip, self.shows_usage),
            (Cow::Borrowed(_), Some(frame)) => frame,
            _ => sse::frame(&text),
        };
        out.push(StreamEvent::Chunk { frame, content, text: None });
    }

    /// The text of a chunk that is known to differ from another in its text alone.
    fn repeated(&mut self, event: &SseEvent) -> Option<ByteString> {
        let template = self.template.as_ref().filter(|_| event.frame.is_some() && self.surrogates.is_idle())?;
        let text = template.text_of(&event.data)?;
        self.service_tier = template.service_tier.unwrap_or(self.service_tier);
        Some(text)
    }

    /// Takes in what a chunk adds to a choice; gives whether it is any part of the answer.
    fn grow(&mut self, text: &[u8], choice: &ChoiceHead<'_>, splices: &mut Splices) -> bool {
        let known = self.choices.entry(choice.index.0.unwrap_or(0)).or_default();
        if let Some(calls) = choice.delta.as_ref().and_then(|delta| delta.tool_calls) {
            known.calls.take(text, calls, splices);
        }
        let content = choice.delta.as_ref().is_some_and(|delta| delta.content);
        let Some(reason) = choice.finish_reason else { return content };
        if let Some(right) = corrected(reason, known.calls.any()) {
            splices.replace(text, reason, right);
        }
        // What some vendors send for a choice after its end opens it no more.
        known.finished |= is_reason(reason);
        is_reason(reason) || content
    }

    /// Takes a whole answer in the place of a stream's chunks.
    fn take_whole(&mut self, text: &[u8], out: &mut Vec<StreamEvent>) {
        let told = chat_answer(Bytes::copy_from_slice(text), self.strict);
        match told.and_then(|answer| framing::streamed(&answer, out)) {
            Ok(()) => self.ended = true,
            Err(error) => self.end(StreamEvent::Error(error), out),
        }
    }

    /// Takes the end of the bytes; `complete` where finish reasons alone make an answer whole.
    fn close(&mut self, complete: bool, out: &mut Vec<StreamEvent>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in events {
            self.take(event, out);
        }
        if !self.ended {
            let complete = complete && self.has_finished();
            self.end(if complete { StreamEvent::Done } else { StreamEvent::Error(cut_short()) }, out);
        }
    }

    fn has_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished)
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: StreamEvent, out: &mut Vec<StreamEvent>) {
        self.ended = true;
        if let Some((mut usage, chunk)) = self.usage.take() {
            usage.service_tier = self.service_tier;
            out.push(StreamEvent::Usage { usage, chunk });
        }
        out.push(last);
    }
}

impl StreamDecoder for ChatStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        let mut events = std::mem::take(&mut self.events);
        let pushed = self.sse.push(bytes, &mut events);
        for event in events.drain(..) {
            self.take(event, out);
        }
        self.events = events;
        if pushed.is_err() && !self.ended {
            self.end(StreamEvent::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        // Some compatible vendors close after the finish reasons without `[DONE]`.
        self.close(true, out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.close(false, out);
    }

    fn is_complete(&self) -> bool {
        self.has_finished() && self.choices.len() as u64 >= self.asked
    }
}

/// What is read of an event.
///
/// # Errors
/// The error that it tells, or that it is no chunk.
fn read<'a>(name: Option<&str>, text: &'a [u8]) -> Result<ChunkHead<'a>, ErrorBody> {
    if name == Some("error") {
        return Err(error_text(text));
    }
    // A list would pass for an object's values in their order.
    let object = Some(text).filter(|text| text.trim_ascii_start().starts_with(b"{"));
    let Some(head) = object.and_then(|text| serde_json::from_slice::<ChunkHead<'_>>(text).ok()) else {
        let malformed = || stream_error("The provider's stream is not in its format.", "malformed_stream");
        return Err(listed_error(text).unwrap_or_else(malformed));
    };
    let is_bare = || serde_json::from_slice(text).is_ok_and(|object| is_bare_error(&object));
    let is_error = head.error.is_some_and(|error| error.get() != "null");
    if is_error || (head.choices.is_none() && head.usage.is_none() && is_bare()) {
        return Err(error_text(text));
    }
    Ok(head)
}

/// The chunk without usage, and without reasoning where `strict`.
fn stripped(json: &[u8], strict: bool, keeps_usage: bool) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else { return sse::frame(json) };
    if let Some(object) = value.as_object_mut().filter(|_| !keeps_usage) {
        object.shift_remove("usage");
    }
    if strict {
        strip_reasoning(&mut value, "delta");
    }
    sse::frame(value.to_string().as_bytes())
}

/// The counts of a chunk that stand in another place than OpenAI's.
fn inner_usage<'a>(choices: &[ChoiceHead<'a>], x_groq: Option<&UsageHead<'a>>) -> Option<&'a RawValue> {
    choices.iter().find_map(|choice| choice.usage).or_else(|| x_groq?.usage)
}

/// A usage-only chunk made of one that carries choices too; `elsewhere` is its usage where it stands in another place.
fn usage_chunk(json: &[u8], elsewhere: Option<&RawValue>) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else { return Bytes::copy_from_slice(json) };
    if let Some(choices) = value.get_mut("choices") {
        *choices = Value::Array(Vec::new());
    }
    if let (Some(usage), Some(object)) = (elsewhere, value.as_object_mut()) {
        object.shift_remove("x_groq");
        object.insert("usage".to_owned(), serde_json::from_str(usage.get()).unwrap_or_default());
    }
    Bytes::from(value.to_string())
}

#[cfg(test)]
mod tests;
