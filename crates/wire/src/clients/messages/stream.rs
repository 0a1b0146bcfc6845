//! Streamed answers of the Messages API.

use std::borrow::Cow;

use bytes::BytesMut;

use super::error::body;
use super::form::{Made, Part};
use super::frames::{Ending, Frame, Growth, write};
use super::hosted;
use super::names::Names;
use super::usage::Counts;
use super::whole::{redacted, stop_reason};
use crate::clients::StreamEncoder;
use crate::common::{BlockHead, Delta, Event, Family, Finish, ReasoningToken, ToolUse, citation_of};
use crate::{ErrorBody, Usage};

/// Tells events as those of the Messages API: blocks numbered without gaps, one open at a time (J2).
#[derive(Debug)]
pub(crate) struct MessagesStream {
    id: String,
    model: String,
    request_id: String,
    estimate: Option<u64>,
    names: Names,
    /// Whether the message has begun.
    has_begun: bool,
    open: Option<Open>,
    /// The number of the block that is open, or comes next.
    index: usize,
    counted: Option<Usage>,
    finish: Option<Finish>,
    calls_tools: bool,
    ended: bool,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Words that have not come yet: a block without any is not told.
    Silent {
        is_thinking: bool,
    },
    Text,
    Thinking {
        is_sealed: bool,
    },
    Call,
    /// One that is told whole, or not at all.
    Done,
}

impl MessagesStream {
    pub fn new(id: String, model: &str, request_id: &str, estimate: Option<u64>, names: Names) -> Self {
        Self {
            id,
            model: model.to_owned(),
            request_id: request_id.to_owned(),
            estimate,
            names,
            has_begun: false,
            open: None,
            index: 0,
            counted: None,
            finish: None,
            calls_tools: false,
            ended: false,
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if !self.has_begun {
            self.has_begun = true;
            let counts = Counts::at_start(self.counted.as_ref(), self.estimate);
            Frame::opening(&self.id, &self.model, counts).write(out);
        }
    }

    fn start(&mut self, head: BlockHead, out: &mut BytesMut) {
        self.begin(out);
        self.close(out);
        self.open = Some(match head {
            BlockHead::Text | BlockHead::Refusal => Open::Silent { is_thinking: false },
            BlockHead::Thinking { .. } => Open::Silent { is_thinking: true },
            BlockHead::Redacted(token) => self.tell_whole(redacted(&token), out),
            BlockHead::ToolUse(call) => self.call(&call, out),
            BlockHead::Hosted(raw, Family::Anthropic) => {
                let index = self.index;
                self.index += usize::from(hosted::write(&raw, index, out));
                Open::Done
            }
            BlockHead::Hosted(..) => Open::Done,
        });
    }

    fn call(&mut self, call: &ToolUse, out: &mut BytesMut) -> Open {
        self.calls_tools = true;
        // Another vendor's seal of a call travels as a block of its own before it.
        if let Some(token) = &call.token {
            self.tell_whole(redacted(token), out);
        }
        let name = Some(Cow::Borrowed(self.names.own(&call.name)));
        let id = Some(Cow::Borrowed(call.call_id.as_str()));
        // Clients take the input from the deltas alone.
        let input = super::form::input_of("").ok();
        let content_block = Part::made(Made { kind: "tool_use", id, name, input, ..Made::default() });
        Frame::ContentBlockStart { index: self.index, content_block }.write(out);
        Open::Call
    }

    /// Tells a block that has no deltas.
    fn tell_whole(&mut self, content_block: Part<'_>, out: &mut BytesMut) -> Open {
        let index = self.index;
        Frame::ContentBlockStart { index, content_block }.write(out);
        Frame::ContentBlockStop { index }.write(out);
        self.index += 1;
        Open::Done
    }

    /// Begins the block of words that was silent so far.
    fn speak(&mut self, out: &mut BytesMut) {
        let Some(Open::Silent { is_thinking }) = self.open else { return };
        let (content_block, open) = if is_thinking {
            let signature = Some(Cow::Borrowed(""));
            let made = Made { kind: "thinking", thinking: Some(""), signature, ..Made::default() };
            (Part::made(made), Open::Thinking { is_sealed: false })
        } else {
            (Part::text(""), Open::Text)
        };
        Frame::ContentBlockStart { index: self.index, content_block }.write(out);
        self.open = Some(open);
    }

    fn grow(&mut self, delta: Delta, out: &mut BytesMut) {
        let index = self.index;
        match delta {
            Delta::Text(text) if !text.is_empty() => {
                self.speak(out);
                let delta = match self.open {
                    Some(Open::Text) => Growth::Text { text: &text },
                    Some(Open::Thinking { is_sealed: false }) => Growth::Thinking { thinking: &text },
                    _ => return,
                };
                Frame::ContentBlockDelta { index, delta }.write(out);
            }
            Delta::Arguments(text) if !text.is_empty() && self.open == Some(Open::Call) => {
                let delta = Growth::InputJson { partial_json: &text };
                Frame::ContentBlockDelta { index, delta }.write(out);
            }
            Delta::Annotation(annotation) if self.open == Some(Open::Text) => {
                if let Some(citation) = citation_of(&annotation) {
                    Frame::ContentBlockDelta { index, delta: Growth::Citations { citation } }.write(out);
                }
            }
            Delta::Token(token) => self.seal(&token, out),
            _ => {}
        }
    }

    fn seal(&mut self, token: &ReasoningToken, out: &mut BytesMut) {
        match self.open {
            Some(Open::Silent { is_thinking: true }) if token.family != Family::Anthropic => {
                self.open = Some(self.tell_whole(redacted(token), out));
            }
            Some(Open::Silent { is_thinking: true } | Open::Thinking { is_sealed: false }) => {
                self.speak(out);
                let signature = Cow::Owned(token.for_client(Family::Anthropic));
                let delta = Growth::Signature { signature };
                Frame::ContentBlockDelta { index: self.index, delta }.write(out);
                self.open = Some(Open::Thinking { is_sealed: true });
            }
            _ => {}
        }
    }

    fn close(&mut self, out: &mut BytesMut) {
        match self.open.take() {
            None | Some(Open::Silent { .. } | Open::Done) => {}
            Some(Open::Text | Open::Thinking { .. } | Open::Call) => {
                Frame::ContentBlockStop { index: self.index }.write(out);
                self.index += 1;
            }
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.begin(out);
        self.close(out);
        let finish = self.finish.take().unwrap_or_default();
        let counts = match &self.counted {
            Some(usage) => Counts::from(usage),
            None => Counts::at_start(None, self.estimate),
        };
        let delta = Ending {
            stop_reason: stop_reason(&finish, self.calls_tools),
            stop_sequence: finish.stop_sequence.as_deref(),
            stop_details: finish.details.as_ref(),
        };
        Frame::MessageDelta { delta, usage: counts }.write(out);
        Frame::MessageStop.write(out);
        self.ended = true;
    }

    /// Tells a failure, which ends the stream: clients raise it.
    pub fn fail(&mut self, error: &ErrorBody, out: &mut BytesMut) {
        self.ended = true;
        write("error", &body(200, error, &self.request_id), out);
    }
}

impl StreamEncoder for MessagesStream {
    fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        match event {
            Event::Start(head) => {
                self.counted = self.counted.or(head.usage);
                self.begin(out);
            }
            Event::BlockStart(_, mut head) => {
                let arguments = head.take_arguments();
                self.start(head, out);
                if let Some(arguments) = arguments {
                    self.grow(Delta::Arguments(arguments), out);
                }
            }
            Event::Delta(_, delta) => self.grow(delta, out),
            Event::BlockStop(_) => self.close(out),
            Event::Usage(usage) => self.counted = Some(usage),
            Event::Finish(finish) => {
                self.close(out);
                self.finish = Some(finish);
            }
            Event::Done => self.end(out),
            Event::Error(error) => self.fail(&error, out),
        }
    }
}
