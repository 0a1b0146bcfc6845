//! Chat completions as clients speak them, with the gateway's extensions:
//! <https://platform.openai.com/docs/api-reference/chat>.

mod content_blocks;
pub(crate) mod fields;
pub(crate) mod object;
mod own_names;
mod read;
mod stream;
mod usage;
mod whole;

use bytes::Bytes;

use super::{ClientFormat, ReplyContext, StreamEncoder};
use crate::common::{Answer, Conversation, Family, FinishReason};
use crate::json_object::JsonObject;
use crate::{BadRequest, ErrorBody, openai};

pub(crate) use read::{TYPED, arranged, reasoning_block, signature_in, thought_signature};

/// Chat completions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chat;

/// Chat completions, where a reference is wanted.
pub static CHAT: Chat = Chat;

/// The family of the fields that only chat completions have; it has no reasoning tokens of its own, so that every
/// vendor's token is told wrapped.
pub const FAMILY: Family = Family::Other;

/// Fields of Anthropic's that chat clients give as extensions: they stand in `rest` and are for Anthropic too.
pub const ANTHROPIC_FIELDS: [&str; 6] =
    ["cache_control", "container", "context_management", "inference_geo", "mcp_servers", "speed"];

impl ClientFormat for Chat {
    fn family(&self) -> Family {
        FAMILY
    }

    fn read(&self, body: &JsonObject) -> Result<Conversation, BadRequest> {
        read::read(body)
    }

    fn whole(&self, answer: Answer, context: &ReplyContext<'_>) -> Bytes {
        whole::whole(answer, context)
    }

    fn stream(&self, context: &ReplyContext<'_>) -> Box<dyn StreamEncoder> {
        Box::new(stream::ChatStream::new(context))
    }

    fn error(&self, _status: u16, error: &ErrorBody, _request_id: &str) -> Bytes {
        Bytes::from(openai::error_json(error).to_string())
    }
}

/// The id of an answer: the vendor's, or one made of the request's.
fn answer_id(told: &str, context: &ReplyContext<'_>) -> String {
    if told.is_empty() { format!("chatcmpl-{}", context.request_id) } else { told.to_owned() }
}

/// The word for the end of an answer (I2).
fn finish_reason(reason: FinishReason, has_calls: bool, has_refusal: bool) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::Filter => "content_filter",
        FinishReason::Refusal if !has_refusal => "content_filter",
        FinishReason::Tool => "tool_calls",
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests;
