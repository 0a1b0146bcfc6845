//! Chat completions of OpenAI and of every vendor compatible with it, whose differences are told by [`Quirks`].
//!
//! A request is at most what its client said: fields beside OpenAI's own are only sent for a client that speaks this
//! format itself, and never to a vendor that refuses them.

mod answer;
mod content;
mod messages;
mod queue;
mod request;
mod stream;
mod tools;
mod usage;

use bytes::Bytes;

use super::{EventDecoder, Quirks, TargetModel, VendorFormat};
use crate::clients::chat;
use crate::common::{Answer, Conversation, FinishReason};
use crate::{BadRequest, ErrorBody, Usage, VendorRequest, openai};

/// Chat completions.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

/// Chat completions, where a reference is wanted.
pub static OPENAI_CHAT: OpenAiChat = OpenAiChat;

impl VendorFormat for OpenAiChat {
    fn request(&self, conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
        request::request(conversation, target)
    }

    fn answer(&self, body: &Bytes) -> Result<Answer, ErrorBody> {
        answer::answer(body)
    }

    fn stream(&self) -> Box<dyn EventDecoder> {
        Box::new(stream::ChatEvents::default())
    }

    fn error(&self, status: u16, body: &[u8]) -> ErrorBody {
        openai::error_body(status, body)
    }

    fn usage_in(&self, body: &[u8]) -> Option<Usage> {
        usage::usage_in(body)
    }
}

/// What a request may say to its vendor.
#[derive(Clone, Copy, Debug)]
struct Shape<'a> {
    quirks: &'a Quirks,
    /// Whether the client speaks this format itself, so that the vendor is to get what it said.
    is_chat: bool,
}

impl<'a> Shape<'a> {
    fn new(conversation: &Conversation, quirks: &'a Quirks) -> Self {
        Self { quirks, is_chat: conversation.rest_family == Some(chat::FAMILY) }
    }

    /// Whether fields beside OpenAI's own may be sent.
    fn has_extensions(&self) -> bool {
        self.is_chat && !self.quirks.own_fields_refused
    }

    /// Whether the vendor knows the newer of OpenAI's own fields, for all that is known.
    fn is_like_openai(&self) -> bool {
        self.is_chat || self.quirks.max_completion_tokens != Some(false)
    }
}

/// Why an answer ended, by the vendor's word; any call makes an end of the model's own one with calls (I2).
fn finish_reason(word: &str, has_calls: bool, has_refusal: bool) -> FinishReason {
    match word {
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::Filter,
        _ if has_calls => FinishReason::Tool,
        // Calls that were announced and did not come, and words that vendors may add: the model ended.
        _ if has_refusal => FinishReason::Refusal,
        _ => FinishReason::End,
    }
}

#[cfg(test)]
mod tests;
