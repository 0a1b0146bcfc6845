//! Streams whose vendor and client speak different formats, and streams that pass between two of the same.

use bytes::{Bytes, BytesMut};

use crate::clients::{ReplyContext, StreamEncoder};
use crate::common::{BlockHead, CallIds, Delta, Event, Finish, FinishReason, JsonText};
use crate::exchange::Formats;
use crate::guarding::{AnswerGuard, EventGuard, with_results};
use crate::vendors::{EventDecoder, NativeDecoder, NativeEvent};
use crate::{CutOff, ErrorBody, StreamDecoder, StreamEvent, Usage};

/// A stream from the vendor's format over the common form to the client's.
pub struct Translated {
    decoder: Box<dyn EventDecoder>,
    encoder: Box<dyn StreamEncoder>,
    call_ids: CallIds,
    events: Vec<Event>,
    /// What the answer passes before the client gets it.
    guard: Option<EventGuard>,
    is_denied: bool,
    /// Whether usage is an event of its own, which only some clients want (chat).
    has_usage_chunk: bool,
    /// The usage of a chat client that is told after the finish reason.
    usage: Option<Usage>,
    has_finished: bool,
}

impl Translated {
    /// A stream between two formats.
    pub fn new(formats: Formats, context: &ReplyContext<'_>) -> Self {
        Self {
            decoder: formats.vendor.stream(),
            encoder: formats.client.stream(context),
            call_ids: CallIds::new(context.request_id),
            events: Vec::new(),
            guard: None,
            is_denied: false,
            has_usage_chunk: formats.has_usage_chunk,
            usage: None,
            has_finished: false,
        }
    }

    /// The same behind a guard.
    pub fn guarded(self, guard: Option<Box<dyn AnswerGuard>>) -> Self {
        Self { guard: guard.map(EventGuard::new), ..self }
    }

    /// Tells what the decoder gave, as far as the guard lets it.
    fn tell(&mut self, out: &mut Vec<StreamEvent>) {
        if self.is_denied {
            return self.events.clear();
        }
        let Some(guard) = &mut self.guard else { return self.tell_all(None, out) };
        let (mut passed, mut said, mut denied) = (Vec::new(), String::new(), None);
        for event in self.events.drain(..) {
            push_said(&event, &mut said);
            denied = guard.push(event, &mut passed).err();
            if denied.is_some() {
                break;
            }
        }
        self.events = passed;
        self.tell_all(Some(said), out);
        if let Some(error) = denied {
            self.is_denied = true;
            out.push(StreamEvent::Denied(error));
        }
    }

    /// Tells all events; `said` is what the vendor said in them, where a guard may have changed that.
    fn tell_all(&mut self, said: Option<String>, out: &mut Vec<StreamEvent>) {
        let mut frames = BytesMut::new();
        let mut content = false;
        let mut text = String::new();
        if let Some(said) = said.clone().filter(|said| !said.is_empty()) {
            // What is held back has been generated too, and no other target can take over after it.
            out.push(StreamEvent::Framed { frame: Bytes::new(), content: true, text: said });
        }
        for mut event in self.events.drain(..) {
            self.call_ids.event(&mut event);
            content |= event.is_content();
            if said.is_none() {
                push_said(&event, &mut text);
            }
            match event {
                // A chat client's usage is its last chunk.
                Event::Usage(usage) if self.has_usage_chunk && !self.has_finished => self.usage = Some(usage),
                Event::Usage(usage) => {
                    flush(&mut frames, &mut content, &mut text, out);
                    out.push(told_usage(&mut *self.encoder, usage, self.has_usage_chunk, &mut frames));
                }
                Event::Error(_) | Event::Done => {
                    flush(&mut frames, &mut content, &mut text, out);
                    let usage = self.usage.take();
                    out.extend(usage.map(|usage| told_usage(&mut *self.encoder, usage, true, &mut frames)));
                    out.push(if let Event::Error(error) = event {
                        StreamEvent::Error(error)
                    } else {
                        StreamEvent::Done
                    });
                }
                Event::Finish(finish) => {
                    self.has_finished = true;
                    self.encoder.push(Event::Finish(finish), &mut frames);
                    // Only chat has a place for it.
                    let guard = self.guard.as_ref().filter(|_| self.has_usage_chunk);
                    if let Some(results) = guard.and_then(EventGuard::results) {
                        frames = BytesMut::from(&*with_results(&frames, &results));
                    }
                    if let Some(usage) = self.usage.take() {
                        flush(&mut frames, &mut content, &mut text, out);
                        out.push(told_usage(&mut *self.encoder, usage, true, &mut frames));
                    }
                }
                event => self.encoder.push(event, &mut frames),
            }
        }
        flush(&mut frames, &mut content, &mut text, out);
    }
}

/// Appends the text that was generated in an event.
fn push_said(event: &Event, text: &mut String) {
    match event {
        Event::Delta(_, Delta::Text(more) | Delta::Arguments(more)) => text.push_str(more),
        Event::BlockStart(_, BlockHead::ToolUse(call)) => text.push_str(&call.arguments),
        _ => {}
    }
}

/// Tells the usage: as a chunk of its own, or in `frames`.
fn told_usage(encoder: &mut dyn StreamEncoder, usage: Usage, is_chunk: bool, frames: &mut BytesMut) -> StreamEvent {
    let mut told = BytesMut::new();
    encoder.push(Event::Usage(usage), &mut told);
    if is_chunk {
        return StreamEvent::Usage { usage, chunk: unframed(&told.freeze()) };
    }
    frames.extend_from_slice(&told);
    StreamEvent::Usage { usage, chunk: Bytes::new() }
}

/// Gives the frames so far as one chunk.
fn flush(frames: &mut BytesMut, content: &mut bool, text: &mut String, out: &mut Vec<StreamEvent>) {
    let (content, text) = (std::mem::take(content), std::mem::take(text));
    if !frames.is_empty() {
        out.push(StreamEvent::Framed { frame: frames.split().freeze(), content, text });
    }
}

/// The JSON text of a frame `data: …`.
fn unframed(frame: &Bytes) -> Bytes {
    let start = if frame.starts_with(b"data: ") { 6 } else { 0 };
    let end = frame.len() - frame.iter().rev().take_while(|byte| **byte == b'\n').count();
    frame.slice(start.min(end)..end)
}

impl StreamDecoder for Translated {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.decoder.push(bytes, &mut self.events);
        self.tell(out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.decoder.finish(&mut self.events);
        self.tell(out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.decoder.broken(&mut self.events);
        self.tell(out);
    }

    fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        let mut frames = BytesMut::new();
        let mut released = Vec::new();
        if let Some(Err(error)) = self.guard.as_mut().map(|guard| guard.cut(&mut released)) {
            return self.fail(&error);
        }
        released.into_iter().for_each(|event| self.encoder.push(event, &mut frames));
        let finish = Finish { reason: FinishReason::Length, ..Finish::default() };
        self.encoder.push(Event::Finish(finish), &mut frames);
        if let Some(usage) = cut.usage {
            let before = frames.len();
            self.encoder.push(Event::Usage(*usage), &mut frames);
            if self.has_usage_chunk {
                let chunk = unframed(&frames.split_off(before).freeze());
                if let (false, Some(metadata)) = (chunk.is_empty(), cut.metadata) {
                    frames.extend_from_slice(&crate::sse::frame(&crate::openai::with_metadata(&chunk, metadata)));
                }
            }
        }
        self.encoder.push(Event::Done, &mut frames);
        frames.freeze()
    }

    fn end(&mut self) -> Bytes {
        let mut frames = BytesMut::new();
        self.encoder.push(Event::Done, &mut frames);
        frames.freeze()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        let mut frames = BytesMut::new();
        self.encoder.push(Event::Error(error.clone()), &mut frames);
        frames.freeze()
    }

    fn replay(&mut self) -> Option<Vec<JsonText>> {
        self.encoder.replay()
    }
}

/// A stream between a vendor and a client of the same format.
pub struct Native {
    decoder: Box<dyn NativeDecoder>,
    events: Vec<NativeEvent>,
}

impl Native {
    /// A stream that passes.
    pub fn new(decoder: Box<dyn NativeDecoder>) -> Self {
        Self { decoder, events: Vec::new() }
    }

    fn tell(&mut self, out: &mut Vec<StreamEvent>) {
        out.extend(self.events.drain(..).map(|event| match event {
            NativeEvent::Frame { bytes, content, text } => {
                StreamEvent::Framed { frame: bytes, content, text: text.unwrap_or_default() }
            }
            NativeEvent::Usage(usage) => StreamEvent::Usage { usage, chunk: Bytes::new() },
            NativeEvent::Done => StreamEvent::Done,
            NativeEvent::Error(error) => StreamEvent::Error(error),
        }));
    }
}

impl StreamDecoder for Native {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.decoder.push(bytes, &mut self.events);
        self.tell(out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.decoder.finish(&mut self.events);
        self.tell(out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.decoder.broken(&mut self.events);
        self.tell(out);
    }

    fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        self.decoder.cut(cut.usage)
    }

    fn end(&mut self) -> Bytes {
        Bytes::new()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.decoder.fail(error)
    }
}
