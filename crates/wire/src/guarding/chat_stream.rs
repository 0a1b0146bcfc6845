//! Chat streams behind a guard.

use bytes::Bytes;

use super::{AnswerGuard, ChunkGuard};
use crate::{CutOff, ErrorBody, StreamDecoder, StreamEvent};

/// A chat stream behind a guard.
pub struct GuardedChat {
    inner: Box<dyn StreamDecoder>,
    guard: ChunkGuard,
    events: Vec<StreamEvent>,
}

impl GuardedChat {
    /// A guarded stream.
    pub fn new(inner: Box<dyn StreamDecoder>, guard: Box<dyn AnswerGuard>) -> Self {
        Self { inner, guard: ChunkGuard::new(guard), events: Vec::new() }
    }

    fn tell(&mut self, out: &mut Vec<StreamEvent>) {
        for event in self.events.drain(..) {
            self.guard.take(event, out);
        }
    }
}

impl StreamDecoder for GuardedChat {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.inner.push(bytes, &mut self.events);
        self.tell(out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.inner.finish(&mut self.events);
        self.tell(out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.inner.broken(&mut self.events);
        self.tell(out);
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }

    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        let released = match self.guard.cut() {
            Ok(frames) => frames,
            Err(error) => return self.inner.fail(&error),
        };
        let model = self.guard.model_frame();
        let frame = if cut.frame.is_empty() { &model } else { cut.frame };
        let end = self.inner.cut(CutOff { frame, ..cut });
        if released.is_empty() { end } else { Bytes::from([&released, &end[..]].concat()) }
    }

    fn end(&mut self) -> Bytes {
        self.inner.end()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.inner.fail(error)
    }
}
