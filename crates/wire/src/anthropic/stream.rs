//! A streamed answer: Anthropic's events, told as OpenAI's chunks.

mod chunk;
mod event;

use bytes::Bytes;
use serde_json::{Value, json};

use self::chunk::{Call, Delta, Function, Head};
use self::event::Event;
use super::answer::chat_answer;
use super::citations::annotation;
use super::error::error_body;
use super::usage::{add_usage, usage_json};
use super::{finish_reason, service_tier};
use crate::sse::{SseDecoder, SseEvent};
use crate::surrogates::SurrogateRepair;
use crate::{StreamDecoder, StreamEvent, Usage, cut_short, framing, stream_error, too_long};

/// Reads Anthropic's events and tells them as OpenAI's chunks.
#[derive(Debug)]
pub struct ChatStream {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    head: Head,
    strict: bool,
    usage: Option<Usage>,
    service_tier: Option<&'static str>,
    /// The content blocks under way, by Anthropic's index.
    blocks: Vec<(u64, Block)>,
    tool_calls: usize,
    thinking_blocks: usize,
    /// How long the text is so far, in characters.
    text_length: usize,
    annotations: Vec<Value>,
    stop_reason: Option<String>,
    ended: bool,
}

#[derive(Debug)]
enum Block {
    Text {
        /// Where the block begins in the whole text, in characters.
        start: usize,
        citations: Vec<Value>,
    },
    /// A thinking block as it grows, to be told whole with its signature.
    Thinking(Value),
    Tool {
        index: usize,
        /// Whether any arguments came.
        argued: bool,
    },
    Other,
}

impl ChatStream {
    /// A decoder; `model` stands in until the vendor names its own, `created` is in seconds since 1970, `strict` leaves
    /// out what OpenAI's format does not have (I5).
    pub fn new(model: &str, created: u64, strict: bool) -> Self {
        Self {
            sse: SseDecoder::default(),
            surrogates: SurrogateRepair::default(),
            head: Head { id: String::new(), model: model.to_owned(), created },
            strict,
            usage: None,
            service_tier: None,
            blocks: Vec::new(),
            tool_calls: 0,
            thinking_blocks: 0,
            text_length: 0,
            annotations: Vec::new(),
            stop_reason: None,
            ended: false,
        }
    }

    fn take(&mut self, event: &SseEvent, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        let text = self.surrogates.repair(&event.data);
        if event.name.as_deref() == Some("error") {
            self.end(StreamEvent::Error(error_body(200, &text)), out);
            return;
        }
        let Ok(data) = serde_json::from_slice::<Event>(&text) else {
            let error = stream_error("The provider's stream is not in Anthropic's format.", "malformed_stream");
            self.end(StreamEvent::Error(error), out);
            return;
        };
        if data.error.as_ref().is_some_and(|error| !error.is_null()) {
            self.end(StreamEvent::Error(error_body(200, &text)), out);
            return;
        }
        let number = data.index.unwrap_or_default();
        match data.kind.as_deref().or(event.name.as_deref()) {
            Some("message_start") => self.start(data.message.unwrap_or_default(), out),
            Some("content_block_start") => self.start_block(number, data.content_block.unwrap_or_default(), out),
            Some("content_block_delta") => self.grow_block(number, data.delta.unwrap_or_default(), out),
            Some("content_block_stop") => self.stop_block(number, out),
            Some("message_delta") => {
                if let Some(reason) = data.delta.and_then(|delta| delta.stop_reason).filter(|reason| !reason.is_empty())
                {
                    self.stop_reason = Some(reason);
                }
                self.count(data.usage.as_ref());
            }
            Some("message_stop") => self.stop(out),
            Some("message") => self.take_whole(&text, out),
            Some("error") => self.end(StreamEvent::Error(error_body(200, &text)), out),
            // Pings, and events that a later version of the API may add.
            _ => {}
        }
    }

    /// Ends the answer as a whole one.
    fn stop(&mut self, out: &mut Vec<StreamEvent>) {
        let reason = finish_reason(self.stop_reason.as_deref().unwrap_or("end_turn"), self.tool_calls > 0);
        let annotations = std::mem::take(&mut self.annotations);
        let delta = Delta { annotations: &annotations, ..Delta::default() };
        out.push(StreamEvent::Chunk { frame: self.head.frame(&delta, Some(reason)), content: true });
        self.end(StreamEvent::Done, out);
    }

    /// Takes a whole answer in the place of a stream's events.
    fn take_whole(&mut self, text: &[u8], out: &mut Vec<StreamEvent>) {
        let told = chat_answer(text, self.head.created, self.strict);
        match told.and_then(|answer| framing::streamed(&answer, out)) {
            Ok(()) => self.ended = true,
            Err(error) => self.end(StreamEvent::Error(error), out),
        }
    }

    /// Takes in an event that lacks only its blank line.
    fn take_last(&mut self, out: &mut Vec<StreamEvent>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in &events {
            self.take(event, out);
        }
    }

    fn start(&mut self, message: event::Message, out: &mut Vec<StreamEvent>) {
        self.head.id = message.id.unwrap_or_default();
        if let Some(model) = message.model {
            self.head.model = model;
        }
        self.count(message.usage.as_ref());
        let opening = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
        out.push(StreamEvent::Chunk { frame: self.head.frame(&opening, None), content: false });
    }

    fn count(&mut self, counts: Option<&Value>) {
        if let Some(counts) = counts.filter(|counts| counts.is_object()) {
            add_usage(self.usage.get_or_insert_default(), counts);
            self.service_tier = service_tier(counts).or(self.service_tier);
        }
    }

    fn start_block(&mut self, number: u64, block: Value, out: &mut Vec<StreamEvent>) {
        let kind = match block["type"].as_str() {
            Some("text") => {
                let start = self.text_length;
                self.say(block["text"].as_str().unwrap_or_default(), out);
                Block::Text { start, citations: Vec::new() }
            }
            Some("thinking" | "redacted_thinking") => {
                self.reason(block["thinking"].as_str().unwrap_or_default(), out);
                Block::Thinking(block)
            }
            Some("tool_use") => {
                let index = self.tool_calls;
                self.tool_calls += 1;
                let function = Function { name: block["name"].as_str(), arguments: "" };
                self.call(Call { index, id: block["id"].as_str(), kind: Some("function"), function }, out);
                let argued = block["input"].as_object().is_some_and(|input| !input.is_empty());
                if argued {
                    self.argue(index, &block["input"].to_string(), out);
                }
                Block::Tool { index, argued }
            }
            _ => Block::Other,
        };
        self.blocks.push((number, kind));
    }

    fn grow_block(&mut self, number: u64, delta: event::Delta, out: &mut Vec<StreamEvent>) {
        if let Some(text) = &delta.text {
            self.say(text, out);
        }
        if let Some(thinking) = &delta.thinking {
            self.reason(thinking, out);
        }
        let block = self.blocks.iter_mut().rev().find(|(index, _)| *index == number);
        match block.map(|(_, block)| block) {
            Some(Block::Text { citations, .. }) => citations.extend(delta.citation),
            Some(Block::Thinking(block)) => {
                grow(block, "thinking", delta.thinking.as_deref());
                grow(block, "signature", delta.signature.as_deref());
            }
            Some(Block::Tool { index, argued }) => {
                if let Some(part) = delta.partial_json.filter(|part| !part.is_empty()) {
                    *argued = true;
                    let index = *index;
                    self.argue(index, &part, out);
                }
            }
            // Arguments of tools that Anthropic runs itself are of no use to the client.
            Some(Block::Other) | None => {}
        }
    }

    fn stop_block(&mut self, number: u64, out: &mut Vec<StreamEvent>) {
        let Some(at) = self.blocks.iter().rposition(|(index, _)| *index == number) else { return };
        match self.blocks.swap_remove(at).1 {
            // A call without arguments has an empty object, not an empty text.
            Block::Tool { index, argued: false } => self.argue(index, "{}", out),
            // Whole, with its signature, so that a client can send it back (I4); the index lets clients tell one block
            // from the next, as with tool calls.
            Block::Thinking(mut block) if !self.strict => {
                block["index"] = json!(self.thinking_blocks);
                self.thinking_blocks += 1;
                self.add(&Delta { content_blocks: Some([&block]), ..Delta::default() }, out);
            }
            Block::Text { start, citations } => {
                let end = self.text_length;
                self.annotations.extend(citations.iter().filter_map(|citation| annotation(citation, start, end)));
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str, out: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.text_length += text.chars().count();
            self.add(&Delta { content: Some(text), ..Delta::default() }, out);
        }
    }

    fn reason(&self, thinking: &str, out: &mut Vec<StreamEvent>) {
        if !self.strict && !thinking.is_empty() {
            self.add(&Delta { reasoning_content: Some(thinking), ..Delta::default() }, out);
        }
    }

    fn argue(&self, index: usize, part: &str, out: &mut Vec<StreamEvent>) {
        self.call(Call { index, id: None, kind: None, function: Function { name: None, arguments: part } }, out);
    }

    fn call(&self, call: Call<'_>, out: &mut Vec<StreamEvent>) {
        self.add(&Delta { tool_calls: Some([call]), ..Delta::default() }, out);
    }

    fn add(&self, delta: &Delta<'_>, out: &mut Vec<StreamEvent>) {
        out.push(StreamEvent::Chunk { frame: self.head.frame(delta, None), content: true });
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: StreamEvent, out: &mut Vec<StreamEvent>) {
        self.ended = true;
        if let Some(usage) = self.usage.take() {
            let chunk = self.head.usage(usage_json(&usage), self.service_tier);
            out.push(StreamEvent::Usage { usage, chunk });
        }
        out.push(last);
    }
}

/// Appends to a string field of a block.
fn grow(block: &mut Value, field: &str, more: Option<&str>) {
    let Some(more) = more else { return };
    match block.get_mut(field) {
        Some(Value::String(text)) => text.push_str(more),
        _ => block[field] = json!(more),
    }
}

impl StreamDecoder for ChatStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        for event in &events {
            self.take(event, out);
        }
        if pushed.is_err() && !self.ended {
            self.end(StreamEvent::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.take_last(out);
        if !self.ended && self.is_complete() {
            self.stop(out);
        }
        self.broken(out);
    }

    fn is_complete(&self) -> bool {
        self.stop_reason.is_some() && self.blocks.is_empty()
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.take_last(out);
        if !self.ended {
            self.end(StreamEvent::Error(cut_short()), out);
        }
    }
}
