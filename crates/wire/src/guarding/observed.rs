//! Streams that pass untouched while a guard looks on.

use bytes::Bytes;

use super::{AnswerGuard, TextKind, TextPlace};
use crate::common::JsonText;
use crate::{CutOff, ErrorBody, StreamDecoder, StreamEvent};

/// Where the guard sees all that is generated as one text.
const ALL: TextPlace = TextPlace { choice: 0, index: 0, kind: TextKind::Content };

/// A stream that passes as it is; the guard hears what is said.
pub struct Observed {
    inner: Box<dyn StreamDecoder>,
    guard: Box<dyn AnswerGuard>,
    is_over: bool,
}

impl Observed {
    /// A stream whose guard changes nothing.
    pub fn new(inner: Box<dyn StreamDecoder>, guard: Box<dyn AnswerGuard>) -> Self {
        Self { inner, guard, is_over: false }
    }

    /// Tells the guard of what came behind the first `known` events.
    fn look(&mut self, known: usize, out: &[StreamEvent]) {
        for event in out.iter().skip(known) {
            let unread = &mut String::new();
            let seen = match event {
                StreamEvent::Framed { text, .. } => self.guard.push(ALL, text, unread),
                StreamEvent::Done | StreamEvent::Error(_) if !self.is_over => {
                    self.is_over = true;
                    self.guard.finish(ALL, unread).and_then(|()| self.guard.end())
                }
                _ => Ok(()),
            };
            debug_assert!(seen.is_ok(), "a guard that looks on denies nothing");
        }
    }
}

impl StreamDecoder for Observed {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        let known = out.len();
        self.inner.push(bytes, out);
        self.look(known, out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        let known = out.len();
        self.inner.finish(out);
        self.look(known, out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        let known = out.len();
        self.inner.broken(out);
        self.look(known, out);
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }

    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        self.inner.cut(cut)
    }

    fn end(&mut self) -> Bytes {
        self.inner.end()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.inner.fail(error)
    }

    fn replay(&mut self) -> Option<Vec<JsonText>> {
        self.inner.replay()
    }
}
