//! A streamed answer: one JSON object a line.

mod nesting;

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use self::nesting::Nesting;
use super::{error_in, finish_reason, logprobs, tool_call, usage_json, usage_of};
use crate::surrogates::SurrogateRepair;
use crate::{ErrorBody, MAX_EVENT_BYTES, StreamDecoder, StreamEvent, cut_short, sse, stream_error, too_long};

/// Reads Ollama's lines and tells them as OpenAI's chunks.
#[derive(Debug)]
pub struct ChatStream {
    buffer: BytesMut,
    /// Of the lines in `buffer` that an answer is spread over.
    nesting: Nesting,
    surrogates: SurrogateRepair,
    id: String,
    model: String,
    created: u64,
    strict: bool,
    tool_calls: usize,
    begun: bool,
    ended: bool,
}

impl ChatStream {
    /// A decoder; `model` stands in until Ollama names its own.
    pub fn new(id: &str, model: &str, created: u64, strict: bool) -> Self {
        Self {
            buffer: BytesMut::new(),
            nesting: Nesting::default(),
            surrogates: SurrogateRepair::default(),
            id: id.to_owned(),
            model: model.to_owned(),
            created,
            strict,
            tool_calls: 0,
            begun: false,
            ended: false,
        }
    }

    fn take(&mut self, line: &[u8], out: &mut Vec<StreamEvent>) {
        let line = line.strip_prefix(sse::BOM).unwrap_or(line);
        if self.ended || line.trim_ascii().is_empty() {
            return;
        }
        let repaired = self.surrogates.repair(line);
        let Some(part) = serde_json::from_slice::<Value>(&repaired).ok().filter(Value::is_object) else {
            self.fail(stream_error("The provider's stream is not in Ollama's format.", "malformed_stream"), out);
            return;
        };
        if let Some(error) = error_in(&part) {
            self.fail(error, out);
            return;
        }
        if let Some(model) = part["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        if !self.begun {
            self.begun = true;
            self.chunk(&json!({"role": "assistant", "content": ""}), None, &Value::Null, out);
        }
        let message = &part["message"];
        let text = |name: &str| message[name].as_str().filter(|text| !text.is_empty());
        // They stand with the text they belong to, or with the end if that holds the last of them.
        let mut logprobs = logprobs(&part);
        if let Some(thinking) = text("thinking").filter(|_| !self.strict) {
            self.chunk(&json!({"reasoning_content": thinking}), None, &Value::Null, out);
        }
        if let Some(content) = text("content") {
            self.chunk(&json!({"content": content}), None, &logprobs.take(), out);
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let mut call = tool_call(call, &self.id, self.tool_calls);
            call["index"] = json!(self.tool_calls);
            self.tool_calls += 1;
            self.chunk(&json!({"tool_calls": [call]}), None, &Value::Null, out);
        }
        if part["done"] == true {
            let reason = finish_reason(part["done_reason"].as_str(), self.tool_calls > 0);
            self.chunk(&json!({}), Some(reason), &logprobs, out);
            if let Some(usage) = usage_of(&part) {
                let mut chunk = self.chunk_json(&json!([]));
                chunk["usage"] = usage_json(&usage);
                out.push(StreamEvent::Usage { usage, chunk: Bytes::from(chunk.to_string()) });
            }
            self.ended = true;
            out.push(StreamEvent::Done);
        }
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>, logprobs: &Value, out: &mut Vec<StreamEvent>) {
        let choices = json!([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}]);
        let frame = sse::frame(self.chunk_json(&choices).to_string().as_bytes());
        // The role's chunk opens the answer and is no part of it.
        let content = delta.get("role").is_none();
        out.push(StreamEvent::Chunk { frame, content });
    }

    fn chunk_json(&self, choices: &Value) -> Value {
        json!({"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices})
    }

    fn fail(&mut self, error: ErrorBody, out: &mut Vec<StreamEvent>) {
        if !self.ended {
            self.ended = true;
            out.push(StreamEvent::Error(error));
        }
    }
}

/// Whether a JSON text goes on.
fn is_unfinished(text: &[u8]) -> bool {
    let text = text.strip_prefix(sse::BOM).unwrap_or(text);
    serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

impl StreamDecoder for ChatStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        // Only what is new can hold the line's end.
        let mut from = self.buffer.len();
        self.buffer.extend_from_slice(&bytes);
        while let Some(end) = self.buffer.get(from..).and_then(|new| memchr(b'\n', new)) {
            let end = from + end + 1;
            // One whole answer in a stream's place may be spread over lines.
            let may_go_on = !self.begun && !self.ended;
            if may_go_on && self.buffer.get(..end).is_some_and(|text| self.nesting.goes_on_after(text)) {
                from = end;
                continue;
            }
            let line = self.buffer.split_to(end);
            self.nesting = Nesting::default();
            self.take(&line, out);
            from = 0;
        }
        if self.buffer.len() > MAX_EVENT_BYTES {
            self.buffer = BytesMut::new();
            self.fail(too_long(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        let line = self.buffer.split();
        // A last line may lack its line feed; what is no whole JSON there was cut, which is told below.
        if !is_unfinished(&line) {
            self.take(&line, out);
        }
        self.broken(out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.fail(cut_short(), out);
    }
}
