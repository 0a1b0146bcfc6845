//! A streamed answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{add_usage, error_body, finish_reason, usage_json};
use crate::wire::sse::{self, SseDecoder, SseEvent};
use crate::wire::surrogates::SurrogateRepair;
use crate::wire::{ErrorBody, StreamDecoder, StreamEvent, Usage};

/// Reads Anthropic's events and tells them as OpenAI's chunks.
#[derive(Debug)]
pub struct ChatStream {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    id: String,
    model: String,
    created: u64,
    strict: bool,
    usage: Option<Usage>,
    /// What each content block is, by Anthropic's index.
    blocks: Vec<(u64, Block)>,
    tool_calls: usize,
    stop_reason: Option<String>,
    ended: bool,
}

#[derive(Debug)]
enum Block {
    Text,
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
    /// A decoder; `model` stands in until the vendor names its own.
    pub fn new(model: &str, created: u64, strict: bool) -> Self {
        Self {
            sse: SseDecoder::default(),
            surrogates: SurrogateRepair::default(),
            id: String::new(),
            model: model.to_owned(),
            created,
            strict,
            usage: None,
            blocks: Vec::new(),
            tool_calls: 0,
            stop_reason: None,
            ended: false,
        }
    }

    fn take(&mut self, event: &SseEvent, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        let repaired = self.surrogates.repair(&event.data);
        let Ok(data) = serde_json::from_slice::<Value>(&repaired) else {
            self.fail("The provider's stream is not in Anthropic's format.", "malformed_stream", out);
            return;
        };
        match data.get("type").and_then(Value::as_str).or(event.name.as_deref()) {
            Some("message_start") => self.start(&data, out),
            Some("content_block_start") => self.start_block(&data, out),
            Some("content_block_delta") => self.grow_block(&data, out),
            Some("content_block_stop") => self.stop_block(&data, out),
            Some("message_delta") => {
                if let Some(reason) = data["delta"].get("stop_reason").and_then(Value::as_str) {
                    self.stop_reason = Some(reason.to_owned());
                }
                if let Some(counts) = data.get("usage") {
                    add_usage(self.usage.get_or_insert_default(), counts);
                }
            }
            Some("message_stop") => {
                let reason = finish_reason(self.stop_reason.as_deref().unwrap_or("end_turn"));
                self.chunk(json!({}), Some(reason), true, out);
                self.end(StreamEvent::Done, out);
            }
            Some("error") => {
                let error = error_body(200, data.to_string().as_bytes());
                self.end(StreamEvent::Error(error), out);
            }
            // Pings, and events that a later version of the API may add.
            _ => {}
        }
    }

    fn start(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        let message = &data["message"];
        if let Some(id) = message["id"].as_str() {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = message["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        if let Some(counts) = message.get("usage") {
            add_usage(self.usage.get_or_insert_default(), counts);
        }
        self.chunk(json!({"role": "assistant", "content": ""}), None, false, out);
    }

    fn start_block(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        let block = &data["content_block"];
        let kind = match block["type"].as_str() {
            Some("text") => {
                if let Some(text) = block["text"].as_str().filter(|text| !text.is_empty()) {
                    self.chunk(json!({"content": text}), None, true, out);
                }
                Block::Text
            }
            Some("thinking" | "redacted_thinking") => Block::Thinking(block.clone()),
            Some("tool_use") => {
                let index = self.tool_calls;
                self.tool_calls += 1;
                let call = json!({"index": index, "id": block["id"], "type": "function",
                    "function": {"name": block["name"], "arguments": ""}});
                self.chunk(json!({"tool_calls": [call]}), None, true, out);
                let input = block["input"].as_object().filter(|input| !input.is_empty());
                let argued = input.is_some();
                if input.is_some() {
                    self.argue(index, &block["input"].to_string(), out);
                }
                Block::Tool { index, argued }
            }
            _ => Block::Other,
        };
        self.blocks.push((data["index"].as_u64().unwrap_or_default(), kind));
    }

    fn grow_block(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        let number = data["index"].as_u64().unwrap_or_default();
        let delta = &data["delta"];
        let text = |name: &str| delta[name].as_str().unwrap_or_default().to_owned();
        match delta["type"].as_str() {
            Some("text_delta") => self.chunk(json!({"content": text("text")}), None, true, out),
            Some("input_json_delta") => {
                let part = text("partial_json");
                let block = self.blocks.iter_mut().rev().find(|(index, _)| *index == number);
                if let Some((_, Block::Tool { index, argued })) = block
                    && !part.is_empty()
                {
                    *argued = true;
                    let index = *index;
                    self.argue(index, &part, out);
                }
            }
            Some("thinking_delta") => {
                self.grow_thinking(number, "thinking", &text("thinking"));
                if !self.strict {
                    self.chunk(json!({"reasoning_content": text("thinking")}), None, true, out);
                }
            }
            Some("signature_delta") => self.grow_thinking(number, "signature", &text("signature")),
            _ => {}
        }
    }

    fn grow_thinking(&mut self, number: u64, field: &str, more: &str) {
        let block = self.blocks.iter_mut().rev().find(|(index, _)| *index == number);
        if let Some((_, Block::Thinking(block))) = block {
            let grown = block[field].as_str().unwrap_or_default().to_owned() + more;
            block[field] = Value::String(grown);
        }
    }

    fn stop_block(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        let number = data["index"].as_u64().unwrap_or_default();
        let Some(at) = self.blocks.iter().rposition(|(index, _)| *index == number) else { return };
        match self.blocks.remove(at).1 {
            // A call without arguments has an empty object, not an empty text.
            Block::Tool { index, argued: false } => self.argue(index, "{}", out),
            // Whole, with its signature, so that a client can send it back (I4).
            Block::Thinking(block) if !self.strict => {
                self.chunk(json!({"thinking_blocks": [block]}), None, true, out);
            }
            _ => {}
        }
    }

    fn argue(&self, index: usize, part: &str, out: &mut Vec<StreamEvent>) {
        let call = json!({"index": index, "function": {"arguments": part}});
        self.chunk(json!({"tool_calls": [call]}), None, true, out);
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>, content: bool, out: &mut Vec<StreamEvent>) {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
        let frame = sse::frame(self.chunk_json(json!([choice]), None).to_string().as_bytes());
        out.push(StreamEvent::Chunk { frame, content });
    }

    fn chunk_json(&self, choices: Value, usage: Option<Value>) -> Value {
        let mut chunk = json!({"id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": choices});
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        chunk
    }

    fn fail(&mut self, message: &str, code: &str, out: &mut Vec<StreamEvent>) {
        let (message, kind, code) = (message.to_owned(), "api_error".to_owned(), Some(code.to_owned()));
        self.end(StreamEvent::Error(ErrorBody { message, kind, param: None, code }), out);
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: StreamEvent, out: &mut Vec<StreamEvent>) {
        self.ended = true;
        if let Some(usage) = self.usage.take() {
            let chunk = Bytes::from(self.chunk_json(json!([]), Some(usage_json(&usage))).to_string());
            out.push(StreamEvent::Usage { usage, chunk });
        }
        out.push(last);
    }
}

impl StreamDecoder for ChatStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        let mut events = Vec::new();
        self.sse.push(bytes, &mut events);
        for event in &events {
            self.take(event, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(event) = self.sse.finish() {
            self.take(&event, out);
        }
        if !self.ended {
            self.fail("The provider closed the stream before the answer was complete.", "stream_cut", out);
        }
    }
}
