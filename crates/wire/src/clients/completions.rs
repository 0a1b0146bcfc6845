//! Legacy completions (`POST /v1/completions`): one prompt, one text:
//! <https://platform.openai.com/docs/api-reference/completions>.
//!
//! The prompt is told to the model as a user's words, since today's models know turns alone.

mod logprobs;
mod read;
mod stream;
mod told;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ClientFormat, ReplyContext, StreamEncoder};
use crate::common::{Answer, AnswerHead, BlockKind, Conversation, Family, FinishReason};
use crate::json_object::JsonObject;
use crate::{BadRequest, ErrorBody, Usage, openai};

pub(crate) use told::told;

/// Legacy completions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Completions;

impl ClientFormat for Completions {
    fn family(&self) -> Family {
        Family::Other
    }

    fn read(&self, body: &JsonObject) -> Result<Conversation, BadRequest> {
        read::conversation(body)
    }

    fn whole(&self, answer: Answer, context: &ReplyContext<'_>) -> Bytes {
        let words = answer.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::Text { text, .. } | BlockKind::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
        let text: String = words.collect();
        let logprobs = logprobs::Legacy::default().told(&answer.logprobs);
        let choice = choice(&text, &logprobs, Some(finish_reason(answer.finish.reason)));
        let mut head = Head::new(context);
        head.hear(&answer.head);
        let mut body = head.json(&json!([choice]));
        if let Some(usage) = &answer.usage {
            body["usage"] = usage_json(usage);
        }
        Bytes::from(body.to_string())
    }

    fn stream(&self, context: &ReplyContext<'_>) -> Box<dyn StreamEncoder> {
        Box::new(stream::CompletionStream::new(context))
    }

    fn error(&self, _status: u16, error: &ErrorBody, _request_id: &str) -> Bytes {
        Bytes::from(openai::error_json(error).to_string())
    }
}

/// What stands in an answer and in each of its chunks.
struct Head {
    id: String,
    model: String,
    created: u64,
}

impl Head {
    fn new(context: &ReplyContext<'_>) -> Self {
        let id = format!("cmpl-{}", context.request_id);
        Self { id, model: context.conversation.model.clone(), created: context.now }
    }

    /// Takes in what the vendor tells.
    fn hear(&mut self, told: &AnswerHead) {
        if !told.model.is_empty() {
            self.model.clone_from(&told.model);
        }
        if told.created > 0 {
            self.created = told.created;
        }
    }

    fn json(&self, choices: &Value) -> Value {
        json!({"id": self.id, "object": "text_completion", "created": self.created, "model": self.model,
            "choices": choices})
    }
}

fn choice(text: &str, logprobs: &Value, finish_reason: Option<&str>) -> Value {
    json!({"text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish_reason})
}

fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::Filter | FinishReason::Refusal => "content_filter",
        _ => "stop",
    }
}

fn usage_json(usage: &Usage) -> Value {
    json!({"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}})
}

#[cfg(test)]
mod tests;
