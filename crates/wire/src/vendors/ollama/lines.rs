//! The lines of a streamed answer, of which each holds one JSON object.

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use serde::de::IgnoredAny;

use super::nesting::Nesting;
use crate::{MAX_EVENT_BYTES, TooLong, sse};

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer was looked at.
    seen: usize,
    /// Of the lines in the buffer that an answer is spread over.
    nesting: Nesting,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &Bytes) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line; where an answer may be spread over lines, all lines of it.
    pub(super) fn next(&mut self, may_spread: bool) -> Option<BytesMut> {
        while let Some(end) = self.buffer.get(self.seen..).and_then(|new| memchr(b'\n', new)) {
            self.seen += end + 1;
            let goes_on = |text| self.nesting.goes_on_after(text);
            if may_spread && self.buffer.get(..self.seen).is_some_and(goes_on) {
                continue;
            }
            self.nesting = Nesting::default();
            return Some(self.buffer.split_to(std::mem::take(&mut self.seen)));
        }
        self.seen = self.buffer.len();
        None
    }

    /// Checks that the line that has no end yet is not too long.
    pub(super) fn check(&mut self) -> Result<(), TooLong> {
        if self.buffer.len() <= MAX_EVENT_BYTES {
            return Ok(());
        }
        *self = Self::default();
        Err(TooLong)
    }

    /// A last line without a line feed; what is no whole JSON there was cut off.
    pub(super) fn last(&mut self) -> Option<BytesMut> {
        let line = std::mem::take(self).buffer;
        (!is_unfinished(&line)).then_some(line)
    }
}

/// Whether a JSON text goes on.
fn is_unfinished(text: &[u8]) -> bool {
    let text = text.strip_prefix(sse::BOM).unwrap_or(text);
    serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}
