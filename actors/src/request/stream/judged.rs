//! Streams that are held until outside engines have judged them, and are then played through the ordinary guard.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use gateway_wire::common::JsonText;
use gateway_wire::{CutOff, ErrorBody, StreamDecoder, StreamEvent};

use crate::guardrails::OutputGuards;

/// The most bytes of a provider's stream that are held.
const MAX_HELD_BYTES: usize = 64 << 20;

/// A stream that is decoded more than once: first as it comes, which tells what is generated and shows none of it, and
/// again with what the engines said.
pub(in crate::request) struct JudgedStream {
    guards: OutputGuards,
    /// The decoder in use, and those of the passes to come.
    decoder: Box<dyn StreamDecoder>,
    later: VecDeque<Box<dyn StreamDecoder>>,
    /// One that is fed nothing: it tells of a failure before which nothing has been told.
    fresh: Box<dyn StreamDecoder>,
    /// Whether frames of the decoder in use have gone out.
    is_shown: bool,
    held: Vec<Bytes>,
    held_bytes: usize,
    events: Vec<StreamEvent>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The provider has more to say.
    Reading,
    /// All that it said is held.
    Waiting,
    /// The end has been told.
    Over,
}

impl JudgedStream {
    /// A stream over as many decoders as there may be passes, and one more; `decoder` makes them.
    pub fn new(guards: OutputGuards, decoder: impl Fn() -> Box<dyn StreamDecoder>) -> Self {
        let later = (1..guards.passes()).map(|_| decoder()).collect();
        let (decoder, fresh, held, events) = (decoder(), decoder(), Vec::new(), Vec::new());
        Self { guards, decoder, later, fresh, is_shown: false, held, held_bytes: 0, events, state: State::Reading }
    }

    /// Tells what is generated, and none of its frames.
    fn hear(&mut self, out: &mut Vec<StreamEvent>) {
        let mut usage = None;
        for event in self.events.drain(..) {
            match event {
                StreamEvent::Chunk { content, text, .. } => {
                    out.push(unseen(content, text.map(|text| text.to_string()).unwrap_or_default()));
                }
                StreamEvent::Framed { content, text, .. } => out.push(unseen(content, text)),
                StreamEvent::Usage { .. } => usage = Some(event),
                StreamEvent::Done => {
                    self.state = State::Waiting;
                    self.guards.set_waiting(true);
                    // No other target can take over any more.
                    out.push(unseen(true, String::new()));
                }
                StreamEvent::Error(_) | StreamEvent::Denied(_) => {
                    if matches!(event, StreamEvent::Error(_)) {
                        self.guards.give_up_verdicts();
                    }
                    self.state = State::Over;
                    out.extend(usage.take());
                    out.push(event);
                }
            }
            if self.state != State::Reading {
                break;
            }
        }
    }

    /// Plays what was held, with what the engines said.
    fn play(&mut self, out: &mut Vec<StreamEvent>) {
        let Some(next) = self.later.pop_front() else { return self.refuse(out) };
        self.replay_held(next);
        let is_end =
            |event: &StreamEvent| matches!(event, StreamEvent::Done | StreamEvent::Error(_) | StreamEvent::Denied(_));
        if !self.events.iter().any(is_end) {
            self.decoder.finish(&mut self.events);
        }
        if self.guards.lacks_verdicts() {
            // The engines are asked for what this pass has shown them to lack, as long as there is another pass.
            return;
        }
        self.give_up_held();
        if let Some(denied) = self.events.iter().position(|event| matches!(event, StreamEvent::Denied(_))) {
            // Of other choices nothing has gone out either.
            out.push(self.events.swap_remove(denied));
            return;
        }
        self.is_shown = true;
        out.extend(self.events.drain(..).map(|event| match event {
            // It was counted as it came.
            StreamEvent::Chunk { frame, content, .. } | StreamEvent::Framed { frame, content, .. } => {
                StreamEvent::Framed { frame, content, text: String::new() }
            }
            event => event,
        }));
    }

    /// Decodes what is held with another decoder.
    fn replay_held(&mut self, decoder: Box<dyn StreamDecoder>) {
        self.decoder = decoder;
        self.events.clear();
        for bytes in &self.held {
            self.decoder.push(bytes.clone(), &mut self.events);
        }
    }

    fn give_up_held(&mut self) {
        self.state = State::Over;
        self.guards.set_waiting(false);
        self.held = Vec::new();
    }

    fn refuse(&mut self, out: &mut Vec<StreamEvent>) {
        self.give_up_held();
        out.push(StreamEvent::Denied(self.guards.refuse_unjudged()));
    }
}

fn unseen(content: bool, text: String) -> StreamEvent {
    StreamEvent::Framed { frame: Bytes::new(), content, text }
}

impl StreamDecoder for JudgedStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        if self.state != State::Reading {
            return;
        }
        self.held_bytes += bytes.len();
        if self.held_bytes > MAX_HELD_BYTES {
            return self.refuse(out);
        }
        self.held.push(bytes.clone());
        self.decoder.push(bytes, &mut self.events);
        self.hear(out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        match self.state {
            State::Reading => {
                self.decoder.finish(&mut self.events);
                self.hear(out);
            }
            State::Waiting => self.play(out),
            State::Over => {}
        }
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        if self.state == State::Reading {
            self.decoder.broken(&mut self.events);
            self.hear(out);
        }
    }

    fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    /// What was held is told as far as it needs no verdict: how the answer begins, without its texts.
    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        let mut frames = BytesMut::new();
        if let Some(next) = self.later.pop_front().filter(|_| self.state != State::Over) {
            self.replay_held(next);
            for event in self.events.drain(..) {
                if let StreamEvent::Framed { frame, .. } = event {
                    frames.extend_from_slice(&frame);
                }
            }
        }
        self.give_up_held();
        self.is_shown = true;
        frames.extend_from_slice(&self.decoder.cut(cut));
        frames.freeze()
    }

    fn end(&mut self) -> Bytes {
        self.decoder.end()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        if self.is_shown { self.decoder.fail(error) } else { self.fresh.fail(error) }
    }

    fn replay(&mut self) -> Option<Vec<JsonText>> {
        self.decoder.replay()
    }
}
