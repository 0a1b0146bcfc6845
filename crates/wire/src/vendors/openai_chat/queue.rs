//! Blocks one at a time: the first is told as it grows, and what a vendor interleaves with it waits behind it.

use std::collections::VecDeque;

use crate::common::{BlockHead, Delta, Event, ReasoningToken, ToolKind};
use crate::{MAX_EVENT_BYTES, TooLong};

/// The blocks that are not complete.
#[derive(Debug, Default)]
pub(super) struct Queue {
    blocks: VecDeque<Pending>,
    /// The number of the first of them.
    first: usize,
    /// Whether it was told that the first begins.
    is_open: bool,
    /// How much waits behind the first, in bytes.
    waiting: usize,
}

#[derive(Debug)]
struct Pending {
    head: BlockHead,
    deltas: Vec<Delta>,
    token: Option<ReasoningToken>,
    arguments: Arguments,
}

impl Pending {
    fn new(head: BlockHead) -> Self {
        Self { head, deltas: Vec::new(), token: None, arguments: Arguments::default() }
    }

    /// Whether nothing more is to come, now that another block began.
    fn is_done(&self) -> bool {
        match &self.head {
            BlockHead::ToolUse(call) => call.kind == ToolKind::Function && self.arguments.is_whole(),
            _ => true,
        }
    }

    /// Whether its beginning can be told: a call's cannot without its name.
    fn is_ready(&self) -> bool {
        !matches!(&self.head, BlockHead::ToolUse(call) if call.name.is_empty())
    }
}

impl Queue {
    /// The number of the last block, if that is of this kind.
    pub fn last(&self, is_kind: impl Fn(&BlockHead) -> bool) -> Option<usize> {
        self.blocks.back().filter(|block| is_kind(&block.head))?;
        Some(self.first + self.blocks.len() - 1)
    }

    /// The number of the last block of a kind that is not complete.
    pub fn latest(&self, is_kind: impl Fn(&BlockHead) -> bool) -> Option<usize> {
        self.blocks.iter().rposition(|block| is_kind(&block.head)).map(|at| self.first + at)
    }

    /// Begins a block, and gives its number.
    pub fn begin(&mut self, head: BlockHead, out: &mut Vec<Event>) -> usize {
        self.blocks.push_back(Pending::new(head));
        let number = self.first + self.blocks.len() - 1;
        self.advance(false, out);
        number
    }

    /// Makes a block grow; one that is complete grows no more.
    pub fn grow(&mut self, number: usize, delta: Delta, out: &mut Vec<Event>) -> Result<(), TooLong> {
        let Some(at) = number.checked_sub(self.first) else { return Ok(()) };
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        if let Delta::Arguments(text) = &delta {
            block.arguments.take(text);
        }
        if let Delta::Token(token) = delta {
            block.token = Some(token);
            return Ok(());
        }
        if at == 0 && self.is_open {
            out.push(Event::Delta(number, delta));
        } else {
            self.waiting += size(&delta);
            block.deltas.push(delta);
        }
        self.advance(false, out);
        if self.waiting > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(()) }
    }

    /// Names a call whose name was not known.
    pub fn name(&mut self, number: usize, name: String, out: &mut Vec<Event>) {
        let block = number.checked_sub(self.first).and_then(|at| self.blocks.get_mut(at));
        if let Some(BlockHead::ToolUse(call)) = block.map(|block| &mut block.head)
            && call.name.is_empty()
        {
            call.name = name;
            self.advance(false, out);
        }
    }

    /// Tells all blocks to their ends.
    pub fn drain(&mut self, out: &mut Vec<Event>) {
        self.advance(true, out);
    }

    /// Tells what can be told.
    fn advance(&mut self, to_end: bool, out: &mut Vec<Event>) {
        while let Some(block) = self.blocks.front_mut() {
            if !self.is_open {
                if !to_end && !block.is_ready() {
                    return;
                }
                self.is_open = true;
                out.push(Event::BlockStart(self.first, block.head.clone()));
            }
            for delta in block.deltas.drain(..) {
                self.waiting = self.waiting.saturating_sub(size(&delta));
                out.push(Event::Delta(self.first, delta));
            }
            let is_done = block.is_done();
            let is_over = to_end || (is_done && self.blocks.len() > 1);
            if !is_over {
                return;
            }
            let token = self.blocks.pop_front().and_then(|block| block.token);
            out.extend(token.map(|token| Event::Delta(self.first, Delta::Token(token))));
            out.push(Event::BlockStop(self.first));
            self.first += 1;
            self.is_open = false;
        }
    }
}

fn size(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) | Delta::Arguments(text) => text.len(),
        Delta::Annotation(json) | Delta::Logprobs(json) => json.as_str().len(),
        Delta::Token(token) => token.text.len(),
    }
}

/// How far the arguments of a call are, which are one JSON object.
#[derive(Debug, Default)]
struct Arguments {
    depth: u32,
    in_text: bool,
    escaped: bool,
    whole: bool,
}

impl Arguments {
    fn take(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.whole && self.depth == 0
    }
}
