//! A streamed answer.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::logprobs::Legacy;
use super::{Head, choice, finish_reason, usage_json};
use crate::clients::{ReplyContext, StreamEncoder};
use crate::common::{BlockHead, Delta, Event};
use crate::{Usage, openai, sse};

/// Tells events as chunks of a text.
pub(super) struct CompletionStream {
    head: Head,
    include_usage: bool,
    /// Whether the open block is text that the client sees.
    in_text: bool,
    logprobs: Legacy,
    usage: Option<Usage>,
    ended: bool,
}

impl CompletionStream {
    pub(super) fn new(context: &ReplyContext<'_>) -> Self {
        Self {
            head: Head::new(context),
            include_usage: context.conversation.include_usage,
            in_text: false,
            logprobs: Legacy::default(),
            usage: None,
            ended: false,
        }
    }

    fn chunk(&self, text: &str, logprobs: &Value, finish_reason: Option<&str>, out: &mut BytesMut) {
        let choices = json!([choice(text, logprobs, finish_reason)]);
        out.extend_from_slice(&sse::frame(self.head.json(&choices).to_string().as_bytes()));
    }

    fn delta(&mut self, delta: Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) if self.in_text && !text.is_empty() => self.chunk(&text, &Value::Null, None, out),
            Delta::Logprobs(list) if self.in_text => {
                let logprobs = self.logprobs.told(&[list]);
                if !logprobs.is_null() {
                    self.chunk("", &logprobs, None, out);
                }
            }
            _ => {}
        }
    }

    fn done(&mut self, out: &mut BytesMut) {
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            let mut chunk = self.head.json(&json!([]));
            chunk["usage"] = usage_json(&usage);
            out.extend_from_slice(&sse::frame(chunk.to_string().as_bytes()));
        }
        out.extend_from_slice(&sse::DONE);
        self.ended = true;
    }
}

impl StreamEncoder for CompletionStream {
    fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        match event {
            Event::Start(told) => self.head.hear(&told),
            Event::BlockStart(_, head) => self.in_text = matches!(head, BlockHead::Text | BlockHead::Refusal),
            Event::Delta(_, delta) => self.delta(delta, out),
            Event::BlockStop(_) => self.in_text = false,
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Finish(finish) => {
                self.in_text = false;
                self.chunk("", &Value::Null, Some(finish_reason(finish.reason)), out);
            }
            Event::Done => self.done(out),
            Event::Error(error) => {
                out.extend_from_slice(&openai::error_event(&error));
                self.ended = true;
            }
        }
    }
}
