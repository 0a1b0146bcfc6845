//! The extension `content_blocks`: sealed reasoning, and its place among words and calls.
//!
//! Reasoning that comes first stands alone. Where some comes behind words or calls, all blocks stand in their order, texts
//! whole and calls by their ids, so that a client that sends the field back gives the model its turn unchanged.

use super::object::Object;
use crate::MAX_EVENT_BYTES;
use crate::common::{Family, ReasoningToken};

/// The blocks of one answer.
#[derive(Debug, Default)]
pub(super) struct ContentBlocks {
    /// Words and calls that no reasoning has followed yet.
    waiting: Vec<Object>,
    waiting_bytes: usize,
    is_ordered: bool,
    is_numbered: bool,
    told: usize,
}

impl ContentBlocks {
    /// Blocks with numbers, by which clients tell one from the next in a stream.
    pub fn numbered() -> Self {
        Self { is_numbered: true, ..Self::default() }
    }

    /// Takes a text that is complete, and appends what is to be told.
    pub fn text(&mut self, text: &str, out: &mut Vec<String>) {
        if text.is_empty() {
            return;
        }
        let mut block = Object::default();
        block.set("type", "text");
        block.set("text", text);
        self.place(block, text.len(), out);
    }

    /// Takes a call, and appends what is to be told.
    pub fn call(&mut self, id: &str, name: &str, out: &mut Vec<String>) {
        let mut block = Object::default();
        block.set("type", "tool_use");
        block.set("id", id);
        block.set("name", name);
        self.place(block, id.len() + name.len(), out);
    }

    /// Takes thinking with its seal.
    pub fn thinking(&mut self, text: &str, token: &ReasoningToken, out: &mut Vec<String>) {
        let mut block = Object::default();
        block.set("type", "thinking");
        block.set("thinking", text);
        block.set("signature", token.for_client(Family::Anthropic));
        self.reasoning(block, out);
    }

    /// Takes reasoning that the vendor does not show.
    pub fn redacted(&mut self, token: &ReasoningToken, out: &mut Vec<String>) {
        let mut block = Object::default();
        block.set("type", "redacted_thinking");
        block.set("data", token.for_client(Family::Anthropic));
        self.reasoning(block, out);
    }

    fn place(&mut self, block: Object, bytes: usize, out: &mut Vec<String>) {
        if self.is_ordered {
            self.tell(block, out);
        } else if self.waiting_bytes <= MAX_EVENT_BYTES {
            self.waiting_bytes += bytes;
            self.waiting.push(block);
        }
    }

    fn reasoning(&mut self, block: Object, out: &mut Vec<String>) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.is_ordered = true;
            self.tell(waiting, out);
        }
        self.tell(block, out);
    }

    fn tell(&mut self, mut block: Object, out: &mut Vec<String>) {
        if self.is_numbered {
            block.set("index", self.told);
        }
        self.told += 1;
        out.push(block.end());
    }
}
