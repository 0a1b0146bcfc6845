//! The frames of a stream: each event has its name and its number.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use crate::sse::put_line;

/// Numbers and frames events.
#[derive(Debug, Default)]
pub(super) struct Frames {
    next: u64,
    is_silent: bool,
    scratch: Vec<u8>,
}

impl Frames {
    /// Frames that nobody reads, for whole answers.
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// Appends an event whose other fields are those of an object.
    pub fn send(&mut self, kind: &str, fields: &impl Serialize, out: &mut BytesMut) {
        if self.is_silent {
            return;
        }
        self.scratch.clear();
        if serde_json::to_writer(&mut self.scratch, fields).is_err() {
            return;
        }
        let fields = self.scratch.strip_prefix(b"{").unwrap_or_default();
        let between = if fields == b"}" { "" } else { "," };
        let number = self.next;
        self.next += 1;
        let head = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number}{between}");
        out.reserve(head.len() + fields.len() + 2);
        out.put_slice(head.as_bytes());
        put_line(fields, out);
        out.put_slice(b"\n\n");
    }
}

/// Where an item's events go.
pub(super) struct Place<'a> {
    /// The frames.
    pub frames: &'a mut Frames,
    /// The bytes for the client.
    pub out: &'a mut BytesMut,
    /// The place of the item in the output.
    pub index: usize,
}

impl Place<'_> {
    /// Appends an event.
    pub fn send(&mut self, kind: &str, fields: &impl Serialize) {
        self.frames.send(kind, fields, self.out);
    }

    /// Tells that an item begins.
    pub fn added(&mut self, item: &impl Serialize) {
        self.send("response.output_item.added", &ItemEvent { output_index: self.index, item });
    }

    /// Tells that an item is complete.
    pub fn done(&mut self, item: &impl Serialize) {
        self.send("response.output_item.done", &ItemEvent { output_index: self.index, item });
    }
}

#[derive(Serialize)]
struct ItemEvent<'a, T> {
    output_index: usize,
    item: &'a T,
}
