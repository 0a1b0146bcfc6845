//! Chunks, written and framed.

use bytes::{BufMut, BytesMut};

use crate::clients::chat::object::{Object, array};

/// Writes the chunks of one stream.
#[derive(Default)]
pub(super) struct Chunks {
    /// The beginning of each chunk.
    head: String,
}

impl Chunks {
    /// Chunks that have this in common.
    pub fn new(id: &str, created: u64, model: &str) -> Self {
        let mut common = Object::default();
        common.set("id", id);
        common.set("object", "chat.completion.chunk");
        common.set("created", created);
        common.set("model", model);
        let mut head = common.end();
        // It goes on.
        head.pop();
        Self { head }
    }

    /// Adds words to a field of the message.
    pub fn say(&self, name: &str, text: &str, out: &mut BytesMut) {
        if !text.is_empty() {
            let mut delta = Object::default();
            delta.set(name, text);
            self.delta(delta, out);
        }
    }

    /// Adds a part of a call.
    pub fn call(&self, part: Object, out: &mut BytesMut) {
        let mut delta = Object::default();
        delta.list("tool_calls", &[part.end()]);
        self.delta(delta, out);
    }

    /// Adds to the message.
    pub fn delta(&self, delta: Object, out: &mut BytesMut) {
        self.choice(delta, None, None, out);
    }

    /// A chunk with one choice.
    pub fn choice(&self, delta: Object, logprobs: Option<&str>, reason: Option<&str>, out: &mut BytesMut) {
        let mut choice = Object::default();
        choice.set("index", 0);
        choice.raw("delta", &delta.end());
        if let Some(logprobs) = logprobs {
            choice.raw("logprobs", logprobs);
        }
        choice.set("finish_reason", reason);
        self.frame(&format!("\"choices\":{}", array(&[choice.end()])), out);
    }

    /// A chunk with these fields.
    pub fn frame(&self, fields: &str, out: &mut BytesMut) {
        out.reserve(self.head.len() + fields.len() + 12);
        for part in ["data: ", &self.head, ",", fields, "}\n\n"] {
            out.put_slice(part.as_bytes());
        }
    }
}
