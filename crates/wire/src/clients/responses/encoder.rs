//! A streamed answer as the format's events: items one at a time, each whole before the next.

use bytes::BytesMut;

use super::call::{self, Call};
use super::failure::Failure;
use super::frames::{Frames, Place};
use super::is_stored;
use super::mark::{Mark, sealed};
use super::message::Message;
use super::reply::{Envelope, Response, ResponseEvent, Status};
use super::thought::Thought;
use crate::clients::{ReplyContext, StreamEncoder};
use crate::common::{BlockHead, Delta, Event, FinishReason, JsonText, ReasoningToken};
use crate::{ErrorBody, Usage};

/// How far the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Created,
    Ended,
}

/// The item that is open.
#[derive(Debug)]
enum Item {
    Message(Message),
    Thought(Thought),
    Call(Call),
}

/// What the open block is, where its item opens with its first words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    Words { is_refusal: bool },
    Thinking { is_summary: bool },
    Call,
}

/// Tells an answer.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) envelope: Envelope,
    pub(super) frames: Frames,
    phase: Phase,
    block: Block,
    item: Option<Item>,
    /// The seal of a call, told behind it.
    seal: Option<ReasoningToken>,
    pub(super) output: Vec<JsonText>,
    pub(super) usage: Option<Usage>,
    reason: FinishReason,
    /// Whether a refusal was told as one.
    has_refusal: bool,
    /// Tells the same with seals, for the items that are stored.
    sealed: Option<Box<Encoder>>,
}

impl Encoder {
    /// An encoder for a stream.
    pub fn stream(context: &ReplyContext<'_>) -> Self {
        let mut encoder = Self::with(Envelope::of(context), Frames::default());
        if is_stored(context.conversation) && !encoder.envelope.wants_token {
            let mut envelope = Envelope::of(context);
            envelope.wants_token = true;
            encoder.sealed = Some(Box::new(Self::with(envelope, Frames::silent())));
        }
        encoder
    }

    /// An encoder with an envelope and frames.
    pub fn with(envelope: Envelope, frames: Frames) -> Self {
        Self {
            envelope,
            frames,
            phase: Phase::New,
            block: Block::None,
            item: None,
            seal: None,
            output: Vec::new(),
            usage: None,
            reason: FinishReason::End,
            has_refusal: false,
            sealed: None,
        }
    }

    fn start(&mut self, block: BlockHead, out: &mut BytesMut) {
        self.stop(out);
        match block {
            BlockHead::Text => self.block = Block::Words { is_refusal: false },
            BlockHead::Refusal => self.block = Block::Words { is_refusal: true },
            BlockHead::Thinking { is_summary } => {
                self.close(out);
                self.block = Block::Thinking { is_summary };
            }
            BlockHead::Redacted(token) => {
                self.close(out);
                self.tell_seal(&token, Mark::Redacted, out);
            }
            BlockHead::ToolUse(mut call) => {
                self.close(out);
                self.seal = call.token.take();
                let index = self.output.len();
                let ids = &self.envelope.ids;
                let mut place = Place { frames: &mut self.frames, out, index };
                let opened = Call::open(call, &self.envelope.offered, |prefix| ids.item(prefix, index), &mut place);
                (self.item, self.block) = (Some(Item::Call(opened)), Block::Call);
            }
            BlockHead::Hosted(raw, family) => {
                self.close(out);
                // Other families' own blocks have no form here.
                if family == crate::common::Family::OpenAi && raw.is_object() {
                    call::hosted(&raw, &mut self.place(out));
                    self.output.push(raw);
                }
            }
        }
    }

    fn grow(&mut self, delta: Delta, out: &mut BytesMut) {
        match (self.block, delta) {
            (Block::Words { is_refusal }, Delta::Text(text)) if !text.is_empty() => {
                self.message(is_refusal, out, |message, place| message.grow(&text, place));
            }
            (Block::Words { is_refusal: false }, Delta::Annotation(annotation)) => {
                self.message(false, out, |message, place| message.annotate(annotation, place));
            }
            (Block::Words { is_refusal: false }, Delta::Logprobs(logprobs)) => {
                self.message(false, out, |message, place| message.weigh(&logprobs, place));
            }
            (Block::Thinking { is_summary }, Delta::Text(text)) if !text.is_empty() => {
                self.thought(is_summary, out, |thought, place| thought.grow(&text, place));
            }
            (Block::Thinking { is_summary }, Delta::Token(token)) if self.envelope.wants_token => {
                self.thought(is_summary, out, |thought, _| {
                    let text = sealed(&token, Mark::None, thought.id());
                    thought.seal(text);
                });
            }
            (Block::Call, Delta::Arguments(text)) => {
                if let Some(Item::Call(mut call)) = self.item.take() {
                    call.grow(&text, &mut self.place(out));
                    self.item = Some(Item::Call(call));
                }
            }
            (Block::Call, Delta::Token(token)) => self.seal = Some(token),
            _ => {}
        }
    }

    /// Does something to the open message, or to a new one.
    fn message(&mut self, is_refusal: bool, out: &mut BytesMut, act: impl FnOnce(&mut Message, &mut Place<'_>)) {
        self.has_refusal |= is_refusal;
        let item = self.item.take();
        let mut place = Place { frames: &mut self.frames, out, index: self.output.len() };
        let mut message = match item {
            Some(Item::Message(message)) => message,
            _ => Message::open(self.envelope.ids.item("msg", place.index), &mut place),
        };
        message.open_part(is_refusal, &mut place);
        act(&mut message, &mut place);
        self.item = Some(Item::Message(message));
    }

    /// Does something to the open reasoning, or to a new one.
    fn thought(&mut self, is_summary: bool, out: &mut BytesMut, act: impl FnOnce(&mut Thought, &mut Place<'_>)) {
        let item = self.item.take();
        let mut place = Place { frames: &mut self.frames, out, index: self.output.len() };
        let mut thought = match item {
            Some(Item::Thought(thought)) => thought,
            _ => Thought::open(self.envelope.ids.item("rs", place.index), is_summary, &mut place),
        };
        act(&mut thought, &mut place);
        self.item = Some(Item::Thought(thought));
    }

    /// Tells a seal that has no words, as an item of its own.
    fn tell_seal(&mut self, token: &ReasoningToken, mark: Mark<'_>, out: &mut BytesMut) {
        if self.envelope.wants_token {
            self.thought(true, out, |thought, _| {
                let text = sealed(token, mark, thought.id());
                thought.seal(text);
            });
            self.close(out);
        }
    }

    /// Ends the open block. A message stays open for further parts.
    fn stop(&mut self, out: &mut BytesMut) {
        match self.item.take() {
            Some(Item::Message(mut message)) => {
                message.close_part(&mut self.place(out));
                self.item = Some(Item::Message(message));
            }
            item => {
                self.item = item;
                self.close(out);
            }
        }
        self.block = Block::None;
    }

    /// Ends the open item.
    fn close(&mut self, out: &mut BytesMut) {
        let mut call_id = None;
        let item = match self.item.take() {
            Some(Item::Message(message)) => message.close(&mut self.place(out)),
            Some(Item::Thought(thought)) => thought.close(&mut self.place(out)),
            Some(Item::Call(call)) => {
                call_id = Some(call.call_id().to_owned());
                call.close(&mut self.place(out))
            }
            None => return,
        };
        self.output.push(item);
        if let (Some(token), Some(call_id)) = (self.seal.take(), call_id) {
            self.tell_seal(&token, Mark::Call(&call_id), out);
        }
    }

    fn place<'a>(&'a mut self, out: &'a mut BytesMut) -> Place<'a> {
        let index = self.output.len();
        Place { frames: &mut self.frames, out, index }
    }

    fn send(&mut self, status: Status<'_>, event: &str, out: &mut BytesMut) {
        let (envelope, output, usage) = (&self.envelope, self.output.as_slice(), self.usage.as_ref());
        let response = Response { envelope, status, output, usage };
        self.frames.send(event, &ResponseEvent { response }, out);
    }

    fn fail(&mut self, error: &ErrorBody, out: &mut BytesMut) {
        let begun = match self.item.take() {
            Some(Item::Message(message)) => Some(message.so_far()),
            Some(Item::Thought(thought)) => Some(thought.so_far()),
            Some(Item::Call(call)) => Some(call.so_far()),
            None => None,
        };
        self.output.extend(begun);
        self.send(Status::Failed(&Failure::of(error)), "response.failed", out);
    }

    /// The status at the end of the answer.
    pub fn status(&self) -> Status<'static> {
        match self.reason {
            // The vendor broke off: what it said is no refusal in words.
            FinishReason::Refusal if !self.has_refusal => Status::of(FinishReason::Filter),
            reason => Status::of(reason),
        }
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.phase == Phase::Ended {
            return;
        }
        if let Some(sealed) = &mut self.sealed {
            // It is silent.
            sealed.push(event.clone(), &mut BytesMut::new());
        }
        if let Event::Start(head) = &event {
            if !head.model.is_empty() {
                self.envelope.model.clone_from(&head.model);
            }
            self.usage = self.usage.or(head.usage);
        }
        self.begin(out);
        match event {
            Event::Start(_) => {}
            Event::BlockStart(_, mut head) => {
                let arguments = head.take_arguments();
                self.start(head, out);
                if let Some(arguments) = arguments {
                    self.grow(Delta::Arguments(arguments), out);
                }
            }
            Event::Delta(_, delta) => self.grow(delta, out),
            Event::BlockStop(_) => self.stop(out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Finish(finish) => {
                self.stop(out);
                self.close(out);
                self.reason = finish.reason;
            }
            Event::Done => {
                self.stop(out);
                self.close(out);
                self.send(self.status(), self.status().event(), out);
                self.phase = Phase::Ended;
            }
            Event::Error(error) => {
                self.fail(&error, out);
                self.phase = Phase::Ended;
            }
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.phase == Phase::New {
            self.phase = Phase::Created;
            // The input that was counted so far is told at the end, once the output is.
            let usage = self.usage.take();
            self.send(Status::InProgress, "response.created", out);
            self.send(Status::InProgress, "response.in_progress", out);
            self.usage = usage;
        }
    }

    fn replay(&mut self) -> Option<Vec<JsonText>> {
        self.sealed.take().map(|sealed| sealed.output)
    }
}
